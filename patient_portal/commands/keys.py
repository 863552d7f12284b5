"""`portal keys`: make, rotate and check the key ring."""

from __future__ import annotations

from pathlib import Path

import click

from database.keyring import PURPOSES, KeyRing


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
@click.option("--purpose", type=click.Choice(sorted(set(PURPOSES) - {"blind-index", "content-mac"})), required=True)
def rotate(file: Path, purpose: str) -> None:
    """Give FILE a new active key for one purpose; the old one still opens what it sealed.

    The blind index and the content MAC are not rotated here, since every stored index would have to be made anew.
    """
    ring = KeyRing.load(file).rotated(purpose)
    ring.save(file)
    click.echo(f"{ring.active(purpose).id} is now active for {purpose}. Restart every process.")


@keys.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Say which keys FILE holds and whether it can be used."""
    ring = KeyRing.load(file)
    for key in ring.keys:
        state = f"retired {key.retired}" if key.retired else "active"
        click.echo(f"{key.id:20} {key.purpose:16} made {key.created}  {state}{'  (demo)' if key.demo else ''}")
