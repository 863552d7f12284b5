"""One file for each type, one resource on each line (FHIR Bulk Data 2.0, application/fhir+ndjson; DL-01)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

import orjson

from fhir_bridge.export.copy_facts import CopyFacts, Say, read_me
from fhir_bridge.record_copy import Copied

_OUTSIDE = re.compile(rb'("(?:[^"\\]|\\.)*")|[ \t\r\n]+')


def one_line(raw: bytes) -> bytes:
    """The same JSON text without white space between its parts: every number and every string stays as received."""
    return _OUTSIDE.sub(lambda found: found[1] or b"", raw.removeprefix(b"\xef\xbb\xbf"))


def ndjson_files(entries: Iterable[Copied], facts: CopyFacts, say: Say) -> Iterator[tuple[str, Iterable[bytes]]]:
    """(name, lines) for each type, then a manifest with the counts and what is not complete. Entries come by type."""
    counts: dict[str, int] = {}

    def lines(of: str, group: Iterable[Copied]) -> Iterator[bytes]:
        for one in group:
            counts[of] = counts.get(of, 0) + 1
            yield one_line(one.raw) + b"\n"

    for of, group in groupby(entries, key=lambda one: one.type):
        yield f"{of}.ndjson", lines(of, group)
    manifest = {
        "transactionTime": facts.made_at.isoformat(),
        "requiresAccessToken": False,
        "output": [{"type": of, "url": f"{of}.ndjson", "count": count} for of, count in counts.items()],
        "error": [],
        "extension": {"incomplete": facts.incomplete(say)},
    }
    yield "manifest.json", [orjson.dumps(manifest, option=orjson.OPT_INDENT_2)]
    yield "README.txt", [read_me(facts, say, [f"{of}.ndjson: {count}" for of, count in counts.items()])]
