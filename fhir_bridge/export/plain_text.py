"""The record as plain text in sections of 80 columns, as Blue Button files are (DL-02)."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby

from fhir_bridge.export.copy_facts import PROTECT, CopyFacts, Say, day_of, moment
from fhir_bridge.export.told_alike import Medications, Told, names_of, told_alike
from fhir_bridge.reading.kinds import KIND_NAMES, Kind
from fhir_bridge.reading.same import Folded
from fhir_bridge.record_copy import Copied
from vocabulary.phrase import phrase

WIDE = 80
_NO_DATE = phrase("no date")
_MISTAKE = phrase("Marked as a mistake by your hospital. It does not count.")


def text_pieces(entries: Iterable[Copied], medications: Medications, facts: CopyFacts, say: Say) -> Iterator[bytes]:
    """The whole text, UTF-8, lines ended by CR LF. Entries come by kind, newest first."""
    yield _lines(_head(facts, say))
    for kind, groups in groupby(told_alike(entries, medications, facts), key=lambda group: group.first.entry.kind):
        name = say(KIND_NAMES[Kind(kind)])
        yield _lines(["", "-" * WIDE, *_wrapped(name.upper(), ""), "-" * WIDE])
        for group in groups:
            yield _lines(_entry(group, facts, say))
    yield _lines(["", "-" * WIDE, *_wrapped(say(phrase("End of the record")), "")])


def _head(facts: CopyFacts, say: Say) -> list[str]:
    lines = ["=" * WIDE, *_wrapped(say(phrase("My health record")).upper(), ""), "=" * WIDE]
    lines += _wrapped(say(phrase("Made on %(when)s", when=moment(facts.made_at))), "")
    for one in facts.sources(say):
        lines += _wrapped(one, "  ")
    lines += ["", *_wrapped(say(phrase("What is not complete:")), "")]
    for one in facts.incomplete(say):
        lines += _wrapped(f"* {one}", "  ")
    return [*lines, "", *_wrapped(say(PROTECT), "")]


def _entry(group: Folded[Told], facts: CopyFacts, say: Say) -> list[str]:
    line = group.first.line
    when = day_of(line.date) or say(_NO_DATE)
    lines = ["", *_wrapped(f"{when}  {say(line.title)}", "    ", first="")]
    details = [say(line.value_text), say(line.flag) if line.flag else "", line.clinical, say(line.status)]
    details += [say(line.warning) if line.warning else "", say(_MISTAKE) if line.mistake else ""]
    for detail in dict.fromkeys(filter(None, (*details, say(line.source), names_of(group, facts)))):
        lines += _wrapped(detail, "    ")
    return lines


def _wrapped(words: str, indent: str, first: str | None = None) -> list[str]:
    return textwrap.wrap(
        words, WIDE, initial_indent=indent if first is None else first, subsequent_indent=indent,
        break_on_hyphens=False,
    ) or [""]  # fmt: skip


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{one}\r\n" for one in lines).encode("utf-8", "replace")
