"""`portal keys`: make, rotate and check the key ring."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import click

from database.keyring import ROTATABLE, KeyRing
from patient_portal.settings import is_production, read_settings
from patient_portal.staff.two_persons import use_allowed
from patient_portal.wiring import now, wire
from vocabulary.errors import PortalError

NOT_ALLOWED = {
    "request": "nobody asked for this key under this id.",
    "not-allowed": "the other one has not allowed it.",
    "used-or-too-old": "this was used already, or allowed more than a day ago. Ask anew.",
}


@click.group()
def keys() -> None:
    """Make, rotate and check the ring of keys (PORTAL_KEYS).

    Keep a copy of the ring apart from the database's backups: without it no record can be read.
    """


@keys.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def new(file: Path) -> None:
    """Make a new ring in FILE, readable by its owner only. An existing file is never overwritten."""
    if file.exists():
        raise click.ClickException(f"{file} is already there. To change a key, use `portal keys rotate`.")
    file.parent.mkdir(parents=True, exist_ok=True)
    KeyRing.fresh().save(file)
    click.echo(f"Made {file}. Keep a copy apart from the database's backups.")


@keys.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--purpose", type=click.Choice(sorted(ROTATABLE)), required=True)
@click.option("--request", "request", type=click.UUID, help="What two of staff allowed at /staff/requests: its id.")
def rotate(file: Path, purpose: str, request: UUID | None) -> None:
    """Give FILE a new active key for one purpose; the old one still opens what it sealed.

    Where staff sign in (https and an [[identity]]), two of them have to allow it first, one day before at most. The
    blind index and the content MAC are not rotated here, since every stored index would have to be made anew.
    """
    _let_two_allow(purpose, request)
    ring = KeyRing.load(file).rotated(purpose)
    ring.save(file)
    click.echo(f"{ring.active(purpose).id} is now active for {purpose}. Restart every process.")


def _let_two_allow(purpose: str, request: UUID | None) -> None:
    """Refuse unless two of staff have allowed it, where there are any; a yes is used once."""
    if request is None and not is_production(os.environ.get("PORTAL_BASE_URL", "")):
        return
    settings = read_settings(os.environ)
    if request is None and not any(each.signs_in == "staff" for each in settings.identities):
        return
    if request is None:
        raise click.ClickException(
            f"Two of staff have to allow this: one asks at {settings.base_url}/staff/requests, another allows it there."
            f" Then: portal keys rotate … --purpose {purpose} --request ID"
        )
    wiring = wire(settings, settings.database_url_worker, application_name="portal-keys", pool_size=2)
    try:
        use_allowed(wiring, request, purpose, now())
    except PortalError as error:
        raise click.ClickException(f"Nothing is changed: {NOT_ALLOWED.get(error.reason, error.reason)}") from None
    finally:
        wiring.http.close()
        wiring.database.close()


@keys.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Say which keys FILE holds and whether it can be used."""
    ring = KeyRing.load(file)
    for key in ring.keys:
        state = f"retired {key.retired}" if key.retired else "active"
        click.echo(f"{key.id:20} {key.purpose:16} made {key.created}  {state}{'  (demo)' if key.demo else ''}")
