"""What a team asks for: read from a small TOML or JSON file, each fault named by its field. Pure.

`docs/research-requests.md` shows a whole file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from consent.decision import DataCategory
from consent.duo.match import Aim, Request
from research.requests.clause import ClauseRef
from research.requests.datasets import dataset, wider_than_told
from vocabulary.errors import Invalid

MOST_BYTES = 64_000
MOST_LETTERS = 4_000
MISSING = "is missing"


@dataclass(frozen=True)
class AskedFor:
    """A whole request. `content`: as it was written, without what is not known; `clause`: the one accepted, if any."""

    dataset: str
    parts: frozenset[DataCategory]
    purpose: Request
    clause: ClauseRef | None
    content: Mapping[str, Any]


def read_file(raw: bytes, *, is_json: bool, on: date) -> AskedFor:
    """The request in a file; Invalid, with every fault by field, or Refused for data that is not given out so."""
    if len(raw) > MOST_BYTES:
        raise Invalid("request", {"file": f"is larger than {MOST_BYTES:,} bytes"})
    try:
        read = orjson.loads(raw) if is_json else tomllib.loads(raw.decode("utf-8"))
    except (orjson.JSONDecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid("request", {"file": f"cannot be read: {error}"}) from None
    return read_content(read, on)


def read_content(read: Any, on: date) -> AskedFor:
    """The request in a document, as `read_file`. `on`: the day on which it is asked."""
    asked = parsed(read, on)
    wider = wider_than_told(dataset(asked.dataset), asked.purpose, on)
    if wider:
        raise Invalid("request", wider)
    return asked


def parsed(read: Any, on: date) -> AskedFor:
    """The document as values, whether or not it goes further than donors were told."""
    if not isinstance(read, dict):
        raise Invalid("request", {"file": "must be a table of fields"})
    faults = dict(_faults(read))
    if "dataset" not in faults:
        effort = dataset(read["dataset"])
    if faults:
        raise Invalid("request", faults)
    purpose = _purpose(read["purpose"], on)
    parts = frozenset(DataCategory(each) for each in read["parts"])
    return AskedFor(effort.id, parts, purpose, _clause(read.get("no_reidentification")), read)


def _purpose(stated: Mapping[str, Any], on: date) -> Request:
    return Request(**{**stated, "aim": Aim(stated["aim"]), "on": on})


def _clause(said: Mapping[str, Any] | None) -> ClauseRef | None:
    return ClauseRef(said["clause"], said["version"]) if said is not None and said["accepted"] else None


Fault = str | None


def _words(value: Any) -> Fault:
    if not isinstance(value, str) or not value.strip():
        return "must be text that is not empty"
    if len(value) > MOST_LETTERS:
        return f"is longer than {MOST_LETTERS:,} letters"
    return None if re.fullmatch(r"[^\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]*", value) else "has a hidden sign"


def _mail(value: Any) -> Fault:
    return _words(value) or (
        None if re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,200}", value) else "must be an e-mail address"
    )


def _parts(value: Any) -> Fault:
    known = [each.value for each in DataCategory]
    if not isinstance(value, list) or not value or any(each not in known for each in value):
        return f"must be a list of one or more of: {', '.join(known)}"
    return None


def _flag(value: Any) -> Fault:
    return None if isinstance(value, bool) else "must be true or false"


def _number(value: Any) -> Fault:
    return None if isinstance(value, int) and not isinstance(value, bool) and value > 0 else "must be a whole number"


def _aim(value: Any) -> Fault:
    known = [each.value for each in Aim]
    return None if value in known else f"must be one of: {', '.join(known)}"


def _disease(value: Any) -> Fault:
    written = isinstance(value, str) and re.fullmatch(r"MONDO:[0-9]{7}", value)
    return None if written else "must be a MONDO identifier such as MONDO:0004992"


def _country(value: Any) -> Fault:
    written = isinstance(value, str) and re.fullmatch(r"[A-Z]{2}", value)
    return None if written else "must be two capital letters such as US"


Rules = Mapping[str, Callable[[Any], Fault]]
_FIELDS: Rules = {
    "title": _words,
    "dataset": _words,
    "parts": _parts,
    "question": _words,
    "team": _words,
    "mission": _words,
    "organization": _words,
    "contact": _mail,
}
_TABLES: Mapping[str, Rules] = {
    "purpose": {
        "aim": _aim,
        "disease": _disease,
        "for_profit_organization": _flag,
        "commercial_use": _flag,
        "publishes": _flag,
        "ethics_approval": _flag,
        "country": _country,
    },
    "no_reidentification": {"clause": _words, "version": _number, "accepted": _flag, "by": _words},
}
# Without it a request can be submitted, but not approved.
_MAY_LACK = frozenset({"no_reidentification"})


def _faults(read: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = _faults_of(read, _FIELDS, "", _TABLES)
    for name, rules in _TABLES.items():
        if name in read and not isinstance(read[name], dict):
            found.append((name, "must be a table of its own"))
        elif name in read:
            found += _faults_of(read[name], rules, f"{name}.", ())
        elif name not in _MAY_LACK:
            found.append((name, MISSING))
    return found


def _faults_of(
    read: Mapping[str, Any], rules: Rules, before: str, also: Mapping[str, Rules] | tuple[()]
) -> list[tuple[str, str]]:
    found = [(f"{before}{name}", "is not known") for name in read if name not in rules and name not in also]
    for name, rule in rules.items():
        fault = rule(read[name]) if name in read else MISSING
        if fault is not None:
            found.append((f"{before}{name}", fault))
    return found
