"""`portal ledger verify`: is the ledger what was recorded, and what was published."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click
import orjson

from consent.ledger_verify import Report, verify_ledger
from consent.published_heads import PublishedHead, read_published_heads
from consent.seal import head_keys
from database.keyring import KeyRing
from database.unit_of_work import Database
from patient_portal.settings import read_text
from vocabulary.config_file import ConfigError
from vocabulary.errors import Invalid

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def ledger() -> None:
    """Audit the ledger of decisions."""


@ledger.command()
@click.option("--from", "start", default=0, show_default=True, help="First position to look at.")
@click.option("--heads", type=FILE, help="Heads kept elsewhere: JSON, header lines or a checkpoint.")
@click.option("--keys", "keys_file", type=FILE, help="Public keys as /ledger/keys gives them, in place of PORTAL_KEYS.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def verify(start: int, heads: Path | None, keys_file: Path | None, as_json: bool) -> None:
    """Recompute every row, leaf, tile and head of the ledger, and name what is not as it was recorded.

    Runs as the maintenance login (DATABASE_URL_MAINTENANCE), since a leaf covers the whole row. The memory it takes
    does not grow with the ledger. Only heads that others kept (--heads) show a history that was rewritten as a whole
    by somebody who holds the database and the signing key.

    Exits with 1 when anything is wrong.
    """
    url = read_text(os.environ, "DATABASE_URL_MAINTENANCE")
    if not url:
        raise ConfigError("DATABASE_URL_MAINTENANCE", "is not set", "Set it to the login that owns the tables")
    public = _public_keys(keys_file)
    published = _published(heads, public)
    database = Database(url, pool_size=1, application_name="portal-ledger")
    try:
        report = verify_ledger(database, public, published, start=max(start, 0), progress=_progress(as_json))
    finally:
        database.close()
    _print(report, as_json)
    if report.findings:
        raise SystemExit(1)


def _public_keys(file: Path | None) -> dict[str, bytes]:
    if file is not None:
        try:
            keys = orjson.loads(file.read_bytes())["keys"]
            return {str(key["id"]): bytes.fromhex(key["public_key"]) for key in keys}
        except (ValueError, KeyError, TypeError):
            raise click.ClickException(f"{file} does not hold keys as /ledger/keys gives them.") from None
    ring = read_text(os.environ, "PORTAL_KEYS")
    if not ring:
        raise ConfigError("PORTAL_KEYS", "is not set", "Set it, or give the public keys with --keys")
    return head_keys(KeyRing.load(Path(ring)))


def _published(file: Path | None, public: dict[str, bytes]) -> Sequence[PublishedHead]:
    if file is None:
        return ()
    try:
        return read_published_heads(file.read_text(encoding="utf-8"), public)
    except (Invalid, UnicodeDecodeError) as error:
        line = f", line {error.fields['line']}" if isinstance(error, Invalid) and "line" in error.fields else ""
        raise click.ClickException(f"{file}{line}: this is not a head of a ledger.") from None


class _progress:  # noqa: N801 - a callable that remembers what it last said
    def __init__(self, quiet: bool) -> None:
        self._quiet, self._said = quiet, 0

    def __call__(self, done: int, of: int) -> None:
        if not self._quiet and done - self._said >= 1_000_000:
            self._said = done
            click.echo(f"{done:,} of {of:,} positions", err=True)


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode())
        return
    for finding in report.findings:
        click.echo(str(finding))
    click.echo(
        f"{report.positions:,} positions from {report.start:,} on; {report.covered:,} are under a head;"
        f" {report.heads_met:,} heads met, {report.published_met:,} of them kept elsewhere."
    )
    if report.published_not_ours:
        click.echo(f"{report.published_not_ours:,} heads in the file were not signed by this service: no proof.")
    click.echo("The ledger is sound." if not report.findings else f"{len(report.findings):,} findings.")
