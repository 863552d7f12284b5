"""`portal efforts`: the research efforts, who gives to each, and the end of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import click

from consent.donors import donors
from consent.effort_ends import as_they_stand, end_effort
from consent.efforts import SANDBOX_EFFORTS, Effort, effort_by_id
from consent.store_config import Store
from database.context import as_nobody, as_release
from notifications.channels.channel import Accepted
from notifications.mail import Fact, Mail, is_mail_address
from patient_portal.commands.stores import BY
from patient_portal.in_touch.store_mails import mail_channel_of
from patient_portal.settings import read_settings
from patient_portal.wiring import Wiring, now, wire
from vocabulary.errors import PortalError


@click.group()
def efforts() -> None:
    """Research efforts: which there are, and the end of one."""


@contextmanager
def _opened() -> Iterator[Wiring]:
    settings = read_settings(os.environ)
    wiring = wire(settings, settings.database_url_worker, application_name="portal-efforts", pool_size=2)
    try:
        yield wiring
    except PortalError as error:
        raise click.ClickException(f"Not done: {error.reason}") from None
    finally:
        wiring.http.close()
        wiring.database.close()


@efforts.command("list")
def list_efforts() -> None:
    """Every effort, its stores, how many people give to it now, and when it ended."""
    with _opened() as wiring:
        for effort in _standing(wiring):
            stores = ", ".join(store.id for store in _stores(wiring, effort)) or "no store"
            ended = f"ended {effort.ended:%Y-%m-%d}" if effort.ended else "open"
            click.echo(f"{effort.id:16} {ended:16} {_giving(wiring, effort):>9,} giving  {stores}")


@efforts.command()
@click.argument("effort_id", metavar="EFFORT")
@click.option("--why", required=True, help="Why it ends; kept with the audit: name no patient.")
@BY
@click.option("--yes", is_flag=True, help="Do not ask: for scripts.")
def close(effort_id: str, why: str, who: str, yes: bool) -> None:
    """End EFFORT, for ever: nothing new is asked for it, sent to it, or allowed to its stores.

    Every yes stays in the history as it was given, and people see that the effort has ended. No store is told a no:
    nobody said one. The contact of each of its stores is written to; what they do then is in docs/stores.md. A person's
    own no goes to the store as before, and still means to delete.
    """
    with _opened() as wiring:
        effort = effort_by_id(effort_id, _standing(wiring))
        if effort is None:
            known = ", ".join(each.id for each in SANDBOX_EFFORTS)
            raise click.ClickException(f"No effort with this id. Known: {known}")
        if not yes:
            click.confirm(f"{_giving(wiring, effort):,} people give to {effort.id} now. End it for ever?", abort=True)
        with wiring.database.begin(as_nobody()) as session:
            end_effort(session, effort, who, why, now())
        click.echo(f"{effort.id} has ended. Nothing new is asked, sent or allowed.")
        for store in _stores(wiring, effort):
            click.echo(_tell(wiring, effort, store))


def _standing(wiring: Wiring) -> tuple[Effort, ...]:
    with wiring.database.begin(as_nobody()) as session:
        return as_they_stand(session, SANDBOX_EFFORTS)


def _giving(wiring: Wiring, effort: Effort) -> int:
    with wiring.database.begin(as_release()) as session:
        return len(donors(session, effort, now()))


def _stores(wiring: Wiring, effort: Effort) -> list[Store]:
    return [store for store in wiring.settings.stores if store.effort == effort.id]


def _tell(wiring: Wiring, effort: Effort, store: Store) -> str:
    """Write to the store's contact; what came of it, in words."""
    if not store.contact or not is_mail_address(store.contact):
        return f"{store.id}: no mail address is known, so tell them yourself."
    mail = Mail(
        str(uuid4()),
        store.contact,
        f"{store.name}: the effort has ended",
        (
            "The research effort that your data store serves has ended in the patients' portal.",
            Fact("Store", store.id),
            Fact("Effort", effort.id),
            Fact("Ended", f"{now():%Y-%m-%d %H:%M} UTC"),
            "You get no new data and may use none under a new question. A person's no still comes, and still means that"
            " you delete what you hold of them. What else you do at the end is in your agreement with us.",
        ),
        now(),
    )
    if isinstance(mail_channel_of(wiring).send(mail), Accepted):
        return f"{store.id}: the contact was written to."
    return f"{store.id}: the mail was not taken, so tell them yourself."
