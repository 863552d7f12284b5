"""`portal decide`: may a data store use these people's data? A file of names in, a file of answers out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import click

from consent.decide.columns import question_of
from consent.decide.lines import BLOCK, Form, Tally, answer_lines, blocks
from consent.decision import DataCategory, SensitiveClass
from consent.donors import store_lags
from consent.may_use import Purpose
from database.context import as_propagation
from patient_portal.api.note_asked import Asking, note_batch
from patient_portal.choices.deciding import decider_of
from patient_portal.settings import read_settings
from patient_portal.wiring import Wiring, now, wire
from vocabulary.errors import Invalid, PortalError, Unavailable

BAD_INPUT, NOT_CHECKED, STORE_BEHIND = 65, 69, 75
_FORMS = {".csv": Form.CSV, ".ndjson": Form.NDJSON, ".jsonl": Form.NDJSON, ".txt": Form.ALLOWED}


@click.command()
@click.option("--store", required=True, help="Id of the data store that would use the data (stores.toml).")
@click.option("--class", "category", required=True, type=click.Choice([each.value for each in DataCategory]))
@click.option(
    "--purpose", required=True,
    help=f"{', '.join(each.value for each in Purpose)}, or a purpose in DUO's terms (DUO:0000007, HMB, …).",
)  # fmt: skip
@click.option("--disease", default="", help="With DUO:0000007 (DS): the disease that is studied (MONDO:…).")
@click.option(
    "--modifier", "modifiers", multiple=True,
    help="With a DUO purpose: what limits the use (DUO:0000046, GS=US); may be repeated.",
)  # fmt: skip
@click.option(
    "--sensitive", multiple=True, type=click.Choice([each.value for each in SensitiveClass]),
    help="A sensitive class that the data carries; may be repeated.",
)  # fmt: skip
@click.option(
    "--in", "names", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="One name a line (the code or `system|value` by which the store knows the person), or .ndjson.",
)  # fmt: skip
@click.option(
    "--out", "answers", required=True, type=click.Path(dir_okay=False, path_type=Path),
    help="Where the answers go: .csv or .ndjson, one line a name; .txt, only the names that are allowed.",
)  # fmt: skip
@click.option("--for-release", is_flag=True, help="Refuse when the store is behind with what it was told (SUB-10).")
def decide(names: Path, answers: Path, for_release: bool, **asked: Any) -> None:
    """Say whether STORE may use this class of data of these people for this purpose, now.

    The answers appear under --out only when all of them are made. Exit codes: 0 answered (each line says yes or no),
    65 the input or the question cannot be read, 69 the ledger cannot be checked, 75 the store is behind, 78 settings.
    """
    form = _FORMS.get(answers.suffix)
    if form is None:
        raise click.UsageError("--out must end in .csv, .ndjson, .jsonl or .txt")
    settings = read_settings(os.environ)
    wiring = wire(settings, settings.database_url_worker, application_name="portal-decide")
    try:
        if for_release and _is_behind(wiring, asked["store"]):
            raise _NotAnswered(
                STORE_BEHIND, "The store is behind with what it was told; nothing may be released to it now."
            )
        tally = _answer(wiring, asked, names, answers, form)
        said = Asking(asked["store"], asked["category"], asked["purpose"])
        note_batch(wiring, "portal decide", said, tally, kind="operator")
    except Invalid as error:
        raise _NotAnswered(
            BAD_INPUT, f"Not answered: {error.reason} {' '.join(error.fields.values())}".rstrip()
        ) from None
    except (PortalError, OSError) as error:
        why = error.reason if isinstance(error, PortalError) else error.strerror
        raise _NotAnswered(NOT_CHECKED, f"Not answered: {why}") from None
    finally:
        wiring.database.close()
    reasons = ", ".join(f"{reason} {count}" for reason, count in tally.reasons.most_common())
    click.echo(f"{tally.allowed} of {tally.asked} allowed at position {tally.position}. {reasons}".rstrip())


def _answer(wiring: Wiring, asked: Mapping[str, Any], names: Path, answers: Path, form: Form) -> Tally:
    decider, tally = decider_of(wiring), Tally()
    question = question_of(stores=decider.stores, **asked)
    part = answers.with_name(f".{answers.name}.{os.getpid()}.part")
    try:
        with names.open("rb") as source, part.open("wb") as target:
            runs = blocks(_read(source), ndjson=names.suffix in (".ndjson", ".jsonl"))
            for piece in answer_lines(decider, question, runs, form, tally, most=sys.maxsize):
                target.write(piece)
            if tally.reasons.get("position-not-checked"):
                raise Unavailable("position-not-checked")
            target.flush()
            os.fsync(target.fileno())
        part.replace(answers)
    finally:
        part.unlink(missing_ok=True)
        decider.close()
    return tally


def _read(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(BLOCK):
        yield chunk


def _is_behind(wiring: Wiring, store: str) -> bool:
    """Behind for longer than its deadline, or failing in a way that nobody knows: an unknown store is behind."""
    deadline = next((each.deadline for each in wiring.settings.stores if each.id == store), None)
    if deadline is None:
        return True
    with wiring.database.begin(as_propagation()) as session:
        return store_lags(session, store, now(), deadline)


class _NotAnswered(click.ClickException):
    """Ends the command with a code of its own."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.exit_code = code  # type: ignore[misc]  # click reads it from the instance
