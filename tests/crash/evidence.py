"""What the checker may see: the logs people wrote, and what each store answers about what it holds. Nothing else.

Standard library and HTTP only; no room of the product and no database is read here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

CANCERLINQ = "cancerlinq"
TIMEOUT = 30

Name = tuple[str, str]
"""Identifier system and value of a record number."""


@dataclass(frozen=True)
class Form:
    """One form as it was sent, however many times."""

    key: str
    subject: str
    answer: str


@dataclass(frozen=True)
class Answered:
    """What the portal acknowledged for a form, from the receipt it gave."""

    form: str
    decision: str
    version: int
    subject: str
    answer: str


@dataclass
class Told:
    """All that one person wrote down, on all devices. `again`: (form, decision) of forms sent after their answer."""

    name: Name
    forms: dict[str, Form] = field(default_factory=dict)
    answered: list[Answered] = field(default_factory=list)
    again: list[tuple[str, str | None]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Effect:
    """One thing a store did. `code` is the store's own name for the person."""

    event: int
    code: str
    version: int
    answer: str


@dataclass(frozen=True)
class Holding:
    """What a store says it has of one person known to it by name. `standing`: newest version and answer, or None."""

    entries: int
    suppressed: bool
    standing: tuple[int, str] | None
    effects: tuple[Effect, ...]


@dataclass(frozen=True)
class StoreSeen:
    """One store: every effect in the order it happened, and what it holds of each person it knows by name.

    `problem` is not empty when the store could not be read.
    """

    id: str
    subject: str
    effects: tuple[Effect, ...] = ()
    holdings: Mapping[Name, Holding] = field(default_factory=dict)
    held: int = 0
    owed: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Evidence:
    people: Mapping[Name, Told]
    stores: tuple[StoreSeen, ...]


def read_logs(folder: Path) -> dict[Name, Told]:
    """Every `*.jsonl` of the folder, devices of one person put together."""
    people: dict[Name, Told] = {}
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            read_log((json.loads(line) for line in lines if line.endswith("\n")), people)
    return people


def read_log(lines: Iterable[dict[str, Any]], people: dict[Name, Told]) -> None:
    """Add one device's lines to `people`; its first line says whose they are."""
    told: Told | None = None
    for line in lines:
        kind = line["kind"]
        if kind == "person":
            name = (str(line["system"]), str(line["value"]))
            told = people.setdefault(name, Told(name))
            continue
        assert told is not None, "the first line says who it is"
        if kind == "asked":
            told.forms[line["form"]] = Form(line["form"], line["subject"], line["answer"])
        elif kind == "answered":
            fields = (line[key] for key in ("form", "decision", "version", "subject", "answer"))
            told.answered.append(Answered(*fields))
        elif kind == "again":
            told.again.append((line["form"], line["decision"]))
        elif kind == "missing":
            told.missing.append(line["decision"])


def read_stores(stores: Path, names: Iterable[Name]) -> tuple[StoreSeen, ...]:
    """Ask every store of the JSON list in `stores` (id, url, subject) over HTTP."""
    listed = json.loads(stores.read_text(encoding="utf-8"))
    return tuple(_read_store(one, list(names)) for one in listed)


def _read_store(one: Mapping[str, str], names: list[Name]) -> StoreSeen:
    subjects = [{"system": system, "value": value} for system, value in names]
    try:
        contents = requests.get(f"{one['url']}/contents", timeout=TIMEOUT)
        looked = requests.post(f"{one['url']}/sandbox/lookup", json={"subjects": subjects}, timeout=TIMEOUT)
        contents.raise_for_status()
        looked.raise_for_status()
        return seen(one["id"], one["subject"], contents.json(), looked.json())
    except (requests.RequestException, ValueError, KeyError) as error:
        return StoreSeen(one["id"], one["subject"], problem=type(error).__name__)


def seen(store: str, subject: str, contents: Mapping[str, Any], looked: Mapping[str, Any]) -> StoreSeen:
    """The two answers of a store as values."""
    effects = tuple(_effect(row) for row in contents["effects"] if _about(row) == subject)
    strange = [row for row in contents["effects"] if _about(row) != subject]
    holdings = {(row["system"], row["value"]): _holding(row, subject) for row in looked["holdings"]}
    problem = "" if contents["store"] == store and not strange else "told of what it should not be told"
    held = sum(1 for person in contents["people"] if person["entries"])
    return StoreSeen(store, subject, effects, holdings, held, int(contents["owed"]), problem)


def _about(row: Mapping[str, Any]) -> str:
    return str(row["effort"]) if row["choice"] == "donation" else CANCERLINQ


def _effect(row: Mapping[str, Any], code: str = "") -> Effect:
    return Effect(int(row["event"]), str(row.get("code", code)), int(row["version"]), str(row["answer"]))


def _holding(row: Mapping[str, Any], subject: str) -> Holding:
    standing = next(((int(s["version"]), str(s["answer"])) for s in row["standing"] if _about(s) == subject), None)
    effects = tuple(_effect(effect) for effect in row["effects"] if _about(effect) == subject)
    return Holding(int(row["entries"]), bool(row["suppressed"]), standing, effects)
