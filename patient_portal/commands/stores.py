"""`portal stores`: add, test, certify, look at, pause and resume data stores, and tell them again what they lost."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from urllib.parse import urlsplit

import click
import orjson

from consent.backfill.begin import Backfill, Order, begin_backfill
from consent.backfill.run import backfill as run_backfill
from consent.certify.greet import KINDS, greet_by, greet_over
from consent.certify.line import HttpLine
from consent.feed.pause import pause as pause_store
from consent.feed.pause import resume as resume_store
from consent.feed.progress import Progress, read_progress, store_called
from consent.feed.replay import Replayed, release_parked
from consent.feed.replay import replay as replay_events
from consent.reconcile.run import AGREES, DRIFT, NO_ANSWER, Run
from consent.reconcile.run import reconcile as run_reconcile
from consent.store_config import Kind, Store
from consent.stores.adapter import NotDelivered, StoreAdapter
from consent.stores.adapters import adapter_for
from consent.stores.warehouse_tables import ddl as warehouse_ddl
from database.context import as_propagation
from patient_portal.commands.stores_add import add
from patient_portal.commands.stores_certify import certify
from patient_portal.settings import read_settings
from patient_portal.wiring import Wiring, now, wire
from vocabulary.errors import Conflict, NotFound, PortalError


def _login() -> str:
    """Who runs this; in a container there may be no name for the number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


BY = click.option("--by", "who", default=_login, help="Who does this, for the audit.  [default: your login]")
WHY = click.option("--why", default="", help="Kept with the audit: name no patient.")
STORE = click.argument("store_id", metavar="ID")


@click.group()
def stores() -> None:
    """Data stores: add, test and certify one, see how far each is, pause it, tell it again what it lost.

    ID is the store's id in stores.toml (PORTAL_STORES). Everything but `add` and `ddl` reads the service's settings.
    """


@contextmanager
def opened(purpose: str) -> Iterator[Wiring]:
    """The parts of the service under the worker's login; what the service refuses is one line and exit code 1."""
    settings = read_settings(os.environ)
    wiring = wire(settings, settings.database_url_worker, application_name=f"portal-stores-{purpose}", pool_size=3)
    try:
        yield wiring
    except NotFound:
        told = ", ".join(store.id for store in settings.stores if store.is_told)
        raise click.ClickException(f"No store with this id is told of decisions. Known: {told}") from None
    except PortalError as error:
        detail = " ".join(getattr(error, "fields", {}).values())
        raise click.ClickException(f"Not done: {error.reason} {detail}".rstrip()) from None
    except NotDelivered as error:
        raise click.ClickException(
            f"The store did not take it: {error.reason}. Run it again when it is well."
        ) from None
    finally:
        wiring.http.close()
        wiring.database.close()


def spoken_to(wiring: Wiring, store: Store) -> StoreAdapter:
    return adapter_for(store, wiring.http, now, wiring.keyring)


@stores.command()
@STORE
def test(store_id: str) -> None:
    """Send a handshake and a heartbeat to the store, and say what came back. Exits with 1 when either fails.

    They hold no event and name nobody, so the store in use may be tested.
    """
    with opened("test") as wiring:
        store = store_called(wiring.settings.stores, store_id)
        with wiring.database.begin(as_propagation()) as session:
            (progress,) = read_progress(session, [store])
        if store.kind is Kind.WEBHOOK:
            line = HttpLine(wiring.http, store.endpoint)
            said = [greet_over(line, store, kind, progress.event_number, now) for kind in KINDS]
        else:
            adapter = spoken_to(wiring, store)
            said = [greet_by(adapter, kind, progress.event_number, now) for kind in KINDS]
    parts = urlsplit(store.endpoint)
    click.echo(f"{store.id} ({store.kind.value}, {store.transport.value}) at {parts.scheme}://{parts.netloc}")
    for greeted in said:
        click.echo(f"  {greeted}")
    if any(greeted.reason is not None for greeted in said):
        raise SystemExit(1)


@stores.command()
@click.option("--json", "as_json", is_flag=True, help="Print all that is known as JSON.")
def status(as_json: bool) -> None:
    """How far each store is: its cursor, what it has not been told, its channel, what is parked, overdue or paused."""
    with opened("status") as wiring, wiring.database.begin(as_propagation()) as session:
        found = read_progress(session, wiring.settings.stores)
    if as_json:
        lines = orjson.dumps({"stores": [each.as_json() for each in found]}, option=orjson.OPT_INDENT_2)
        click.echo(lines.decode())
        return
    named = ("store", "channel", "position", "lag", "event", "parked", "overdue", "last answered", "last heard")
    rows = [named, *(_row(each) for each in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(named))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for each in found:
        if each.paused_since is not None:
            click.echo(
                f"{each.store_id} is paused since {_time(each.paused_since)} by {each.paused_by}: {each.why_paused}"
            )
        elif each.last_error is not None:
            click.echo(f"{each.store_id}: {each.last_error}, next try {_time(each.next_try_at)}")


def _row(each: Progress) -> tuple[str, ...]:
    counts = (each.position, each.lag, each.event_number, each.parked, each.overdue)
    return (
        each.store_id,
        each.state,
        *(f"{count:,}" for count in counts),
        _time(each.answered_at),
        _time(each.heard_at),
    )


def _time(value: datetime | None) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%SZ") if value else "never"


@stores.command()
@STORE
@click.option("--why", required=True, help="Shown to other operators: name no patient.")
@BY
def pause(store_id: str, why: str, who: str) -> None:
    """Send nothing to the store until `portal stores resume`. Nothing is lost, and nothing new is released to it.

    What it has not confirmed goes on counting as overdue.
    """
    with opened("pause") as wiring, wiring.database.begin(as_propagation()) as session:
        pause_store(session, store_called(wiring.settings.stores, store_id), who, why, now())
    click.echo(f"{store_id} is paused. Decisions wait for it: portal stores resume {store_id}")


@stores.command()
@STORE
@BY
def resume(store_id: str, who: str) -> None:
    """Go on sending to the store, from where it stopped."""
    with opened("resume") as wiring, wiring.database.begin(as_propagation()) as session:
        resume_store(session, store_called(wiring.settings.stores, store_id), who, now())
    click.echo(f"{store_id} is told again, from where it stopped.")


@stores.command()
@STORE
@click.option("--from", "first", type=click.IntRange(min=1), help="The first event number to send again.")
@click.option("--to", "last", type=click.IntRange(min=1), help="The last one.  [default: the newest]")
@click.option("--parked", is_flag=True, help="Have the parked events of the range tried at once; nothing else is sent.")
@BY
def replay(store_id: str, first: int | None, last: int | None, parked: bool, who: str) -> None:
    """Send events to the store again, under their own numbers: for a store that lost what it had.

    Harmless at a store that lost nothing. The cursor does not move. When it is cut off, run it again.
    """
    if first is None and not parked:
        raise click.UsageError("Say --from, or --parked")
    with opened("replay") as wiring:
        store = store_called(wiring.settings.stores, store_id)
        if parked:
            with wiring.database.begin(as_propagation()) as session:
                count = release_parked(session, store, first or 1, last, now())
            click.echo(f"{count:,} parked events are tried at the feed's next look.")
            return
        done = Replayed(0, 0, 0)
        adapter = spoken_to(wiring, store)
        for done in replay_events(wiring.database, wiring.keyring, adapter, first or 1, last, who, now()):
            click.echo(f"up to event {done.last:,}", err=True)
    click.echo(f"{done.events:,} events sent again, {done.confirmed:,} confirmed.")


@stores.command()
@STORE
@WHY
@BY
def backfill(store_id: str, why: str, who: str) -> None:
    """Bring the store to what stands now, as a set, and then the stream: for a new store, or a change of policy.

    While a feed process is sending to the store it does this itself, and the command only begins it.
    """
    with opened("backfill") as wiring:
        store = store_called(wiring.settings.stores, store_id)
        try:
            adapter = spoken_to(wiring, store)
            done = run_backfill(wiring.database, wiring.keyring, adapter, now, None, _say_how_far, Order(who, why))
        except Conflict:
            done = begin_backfill(wiring.database, store, now(), Order(who, why))
            click.echo(f"Begun up to position {done.stop:,}; the feed does it. See: portal stores status")
            return
    if not done.is_done:
        raise click.ClickException(f"The store stopped taking it at {done.next:,} of {done.stop:,}; run it again.")
    click.echo(f"{done.told:,} events told; {store_id} stands at position {done.stop:,}.")


def _say_how_far(done: Backfill) -> None:
    click.echo(f"position {done.next:,} of {done.stop:,}, {done.told:,} events", err=True)


@stores.command()
@click.argument("store_ids", metavar="[ID]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@WHY
@BY
def reconcile(store_ids: tuple[str, ...], as_json: bool, why: str, who: str) -> None:
    """Compare what is in force in these stores, or in all, with the ledger, now; it is done each night anyway.

    What is lost there is told again where that means less sharing; anything else becomes a task for a person. Exits
    with 1 when a store differs, and with 2 when one gave no answer that could be believed.
    """
    with opened("reconcile") as wiring:
        known = wiring.settings.stores
        asked = store_ids or tuple(store.id for store in known if store.is_told)
        chosen = [store_called(known, store_id) for store_id in asked]
        runs = [run_reconcile(wiring.database, spoken_to(wiring, store), now, Order(who, why)) for store in chosen]
    if as_json:
        found = {"reconciliations": [vars(run) for run in runs]}
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        for run in runs:
            click.echo(_compared(run))
    outcomes = {run.outcome for run in runs}
    if outcomes & {DRIFT, NO_ANSWER}:
        raise SystemExit(1 if DRIFT in outcomes else 2)


def _compared(run: Run) -> str:
    why = f" ({run.reason})" if run.reason else ""
    counts = f"{run.counted:,} should be in force up to event {run.through_event:,}"
    if run.outcome in (AGREES, DRIFT):
        counts += f", the store counts {run.theirs or 0:,}"
    if run.outcome == DRIFT:
        counts += (
            f"; {run.differing:,} differ, {run.repaired:,} are told again, {run.to_people:,} are tasks for people,"
            f" {run.stray:,} are kept out there without a reason of ours"
        )
    return f"{run.store_id}: {run.outcome}{why}; {counts}"


@stores.command()
@STORE
@click.option("--role", default="portal", show_default=True, help="The login under which we come.")
def ddl(store_id: str, role: str) -> None:
    """Print the SQL that the owner of a warehouse runs once; ID is a store of kind sql."""
    store = next((each for each in read_settings(os.environ).stores if each.id == store_id), None)
    if store is None or store.kind is not Kind.SQL:
        raise click.ClickException("This is not the id of a store of kind sql.")
    click.echo(warehouse_ddl(urlsplit(store.endpoint).path.lstrip("/"), role), nl=False)


stores.add_command(add)
stores.add_command(certify)
