"""`portal stores add`: the table of a new store for stores.toml, checked before anybody relies on it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import click

from consent.certify.greet import greet_over
from consent.certify.line import HttpLine
from consent.efforts import Holds
from consent.store_config import Basis, Kind, Store, Transport, load_stores
from outbound.client import OutboundClient
from outbound.destinations import AllowList, destination
from patient_portal.settings import read_text
from patient_portal.wiring import now
from vocabulary.config_file import ConfigError
from vocabulary.errors import PortalError

Values = dict[str, str | list[str]]
KEYS = (
    *("id", "name", "kind", "transport", "endpoint", "secrets", "login", "client_id", "token_url", "holds", "basis"),
    *("effort", "practices", "states", "identifier_system", "deadline", "heartbeat", "contact", "network"),
)


def _choice(values: type[Kind] | type[Transport] | type[Basis] | type[Holds]) -> click.Choice[str]:
    return click.Choice([each.value for each in values])


@click.command()
@click.option("--id", prompt=True, help="Small letters, digits and hyphens; it never changes.")
@click.option("--name", prompt=True, help="As patients read it.")
@click.option("--kind", type=_choice(Kind), default="webhook", show_default=True)
@click.option("--transport", type=_choice(Transport), help="For a webhook.  [default: backport]")
@click.option("--endpoint", prompt=True, help="Where it is told, such as https://host/notifications.")
@click.option("--secret", "secrets", multiple=True, help="env:NAME or file:PATH; twice while one replaces the other.")
@click.option("--login", help="env:NAME or file:PATH with user:password, for a stream.")
@click.option("--client-id", help="Our id at a FHIR server.")
@click.option("--token-url", help="Its token endpoint.")
@click.option("--basis", type=_choice(Basis), prompt=True, help="Why it may hold data.")
@click.option("--holds", type=_choice(Holds), prompt=True)
@click.option("--effort", help="For a store of donated data.")
@click.option("--practice", "practices", multiple=True, help="A practice whose patients it can hold; may be repeated.")
@click.option("--state", "states", multiple=True, help="A state whose law requires it (basis law); may be repeated.")
@click.option("--identifier-system", help="The one under which it knows people, if there is one.")
@click.option("--deadline", default="15m", show_default=True, help="Time to confirm.")
@click.option("--heartbeat", help="Longest silence.  [default: 1h]")
@click.option("--contact", prompt=True, help="Who is written to when it does not confirm.")
@click.option("--network", type=click.Choice(["public", "private"]), default="public", show_default=True)
@click.option("--check/--no-check", default=True, show_default=True, help="Send a webhook a handshake.")
@click.option("--write", is_flag=True, help="Append the table to stores.toml (PORTAL_STORES).")
def add(check: bool, write: bool, **given: str | tuple[str, ...] | None) -> None:
    """Print the table of a new store, after checking it, and what to do next. Nothing is changed without --write."""
    values = _values(given)
    named = read_text(os.environ, "PORTAL_STORES")
    if not named:
        raise ConfigError("PORTAL_STORES", "is not set", "Set it to the path of stores.toml")
    file = Path(named)
    production = (read_text(os.environ, "PORTAL_BASE_URL") or "").startswith("https:")
    block = toml_block(values)
    store = _checked(file, block, values, production)
    if check and store.kind is Kind.WEBHOOK:
        _try(store)
    if write:
        _append(file, block)
        click.echo(f"Appended to {file}:\n")
    click.echo(block)
    click.echo(_next_steps(store, written=write))


def _values(given: Mapping[str, str | tuple[str, ...] | None]) -> Values:
    found: Values = {}
    for key in KEYS:
        value = given.get(key)
        if value:
            found[key] = value if isinstance(value, str) else list(value)
    if found["kind"] == Kind.WEBHOOK.value:
        found.setdefault("transport", Transport.BACKPORT.value)
    return found


def toml_block(values: Mapping[str, str | list[str]]) -> str:
    """One `[[store]]` table in the order of the keys."""
    lines = [f"{key} = {_toml(value)}" for key, value in values.items()]
    return "\n".join(["[[store]]", *lines, ""])


def _toml(value: str | list[str]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(each) for each in value)}]"
    if not value.isprintable():
        raise click.UsageError("a value may hold printable characters only")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _checked(file: Path, block: str, values: Values, production: bool) -> Store:
    """The store as the service would read it; ConfigError as at its start, and for an id that is taken."""
    if file.exists() and file.read_text(encoding="utf-8").strip():
        taken = {store.id for store in load_stores(file, os.environ, production)}
        if values["id"] in taken:
            raise click.UsageError(f"{values['id']} is the id of another store")
    absolute = {key: _from(file.parent, value) for key, value in values.items()}
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "stores.toml"
        alone.write_text(toml_block(absolute) if absolute != values else block, encoding="utf-8")
        try:
            (store,) = load_stores(alone, os.environ, production)
        except ConfigError as error:
            raise ConfigError("The new table", error.problem, error.remedy) from None
    return store


def _from(folder: Path, value: str | list[str]) -> str | list[str]:
    """`file:` paths are relative to the folder of stores.toml."""
    if isinstance(value, list):
        return [str(_from(folder, each)) for each in value]
    return f"file:{(folder / value.removeprefix('file:')).resolve()}" if value.startswith("file:") else value


def _try(store: Store) -> None:
    try:
        http = OutboundClient(AllowList([destination(store.endpoint, private=store.network == "private")]))
    except PortalError as error:
        raise click.UsageError(f"this address may not be called: {error.reason}") from None
    try:
        greeted = greet_over(HttpLine(http, store.endpoint), store, "handshake", 0, now)
    finally:
        http.close()
    click.echo(f"{greeted}\n", err=True)


def _append(file: Path, block: str) -> None:
    """The old file with the table at its end, or, after a crash, the old one."""
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    staged = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        staged.write_text(f"{before.rstrip()}\n\n{block}".lstrip(), encoding="utf-8")
        if file.exists():
            staged.chmod(file.stat().st_mode & 0o777)
        staged.replace(file)
    finally:
        staged.unlink(missing_ok=True)


def _next_steps(store: Store, *, written: bool) -> str:
    steps = [] if written else ["Append the table above to stores.toml, or run this again with --write."]
    if store.kind is Kind.SQL:
        steps.append(f"Give the warehouse's owner its tables: portal stores ddl {store.id}")
    if store.kind is Kind.WEBHOOK:
        steps.append(f"Have it pass on its test endpoint: portal stores certify {store.id} --endpoint URL")
    steps += [
        f"Try it: portal stores test {store.id}",
        "Restart every process, so that it is known.",
        f"Tell it what stands already: portal stores backfill {store.id}",
        "Watch it: portal stores status",
    ]
    return "Next:\n" + "\n".join(f"  {number}. {step}" for number, step in enumerate(steps, start=1))
