"""`portal ledger`: is the ledger what was recorded and what was published; and decisions put back from paper."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from pathlib import Path

import click
import orjson

from consent.ledger_verify import Report, verify_ledger
from consent.person_identity import Alias
from consent.published_heads import PublishedHead, read_published_heads
from consent.restore_paper import papers_in, restore_from_paper
from consent.seal import head_keys
from database.keyring import KeyRing
from database.unit_of_work import Database
from patient_portal.settings import read_settings, read_text
from patient_portal.wiring import now
from vocabulary.config_file import ConfigError
from vocabulary.errors import Conflict, Invalid

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def ledger() -> None:
    """Audit the ledger of decisions, and put back what stands on paper."""


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


@ledger.command()
@click.argument("codes", type=FILE)
@click.option("--patient", nargs=3, metavar="PROVIDER SYSTEM VALUE", help="How the hospital knows the person.")
@click.option("--practice", help="The practice at which VALUE counts, where the hospital has several.")
@click.option("--write", is_flag=True, help="Put the decisions into the ledger; without it they are only shown.")
@click.option("--by", default=getpass.getuser, help="Who does this, for the audit.  [default: your login]")
def restore(codes: Path, patient: tuple[str, str, str] | None, practice: str | None, write: bool, by: str) -> None:
    """Read decisions back from their paper: CODES holds the scanned codes of one person's pages, one a line.

    Shows each; with --write it puts them back as they were, each under its own version, so that stores that know them
    already are told nothing new. Give all pages of the person at once. No page has a name: look at who brings it, and
    say by --patient how their hospital knows them.
    """
    try:
        twins = papers_in(filter(str.strip, codes.read_text(encoding="utf-8").splitlines()), _public_keys(None))
    except (Invalid, UnicodeDecodeError) as error:
        why = error.reason if isinstance(error, Invalid) else "paper-unreadable"
        raise click.ClickException(f"Nothing was read: {RESTORE_SAYS.get(why, why)}") from None
    for decision in sorted((twin.decision for twin in twins), key=lambda each: each.version):
        about = decision.effort or decision.choice.value
        when = decision.recorded_at.strftime("%Y-%m-%d %H:%M:%SZ")
        click.echo(f"version {decision.version}: {about} {decision.answer.value}, {when}, {decision.id}")
    if not write:
        click.echo("Shown only. Put them back with --write.")
        return
    alias = Alias(*patient, practice) if patient else None
    settings = read_settings(os.environ)
    database = Database(settings.database_url_worker, pool_size=1, application_name="portal-restore")
    try:
        done = restore_from_paper(database, KeyRing.load(settings.keys), twins, alias, by, now())
    except (Conflict, Invalid) as error:
        raise click.ClickException(f"Nothing was put back: {RESTORE_SAYS.get(error.reason, error.reason)}") from None
    finally:
        database.close()
    there = sum(each.was_there for each in done)
    click.echo(f"{len(done) - there:,} put back, {there:,} stood there already.")


RESTORE_SAYS = {
    "paper-unreadable": "a line is not a code of such a page.",
    "paper-part-missing": "a code of a page is missing: scan every code of it.",
    "paper-parts-of-two": "codes of one page do not belong together.",
    "paper-not-signed-by-us": "this service did not sign it.",
    "paper-row-differs": "what it holds does not agree with itself.",
    "papers-of-two-persons": "these are pages of more than one person; give those of one at a time.",
    "ledger-says-otherwise": "the ledger holds a decision of this id that says something else.",
    "newer-version-stands": "a newer decision of this person stands already; record what the page says with"
    " them, as a new one.",
    "alias-of-another-person": "that record number belongs to another person here by now; record what the page says"
    " with them, as a new one.",
    "practice-or-effort-unknown": "its practice or study is not known here yet; start the feed once, then try again.",
}


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
