"""What the checker may see: the logs people wrote, and what each store answers about what it holds. Nothing else.

Stores are asked over HTTP, a warehouse in its own tables; no room of the product and nothing of its database is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import requests

CANCERLINQ = "cancerlinq"
TIMEOUT = 300
WAREHOUSE_EFFECTS = "SELECT event, system, value, choice, effort, version, answer FROM told ORDER BY id"
WAREHOUSE_STANDING = "SELECT system, value, choice, effort, version, answer FROM portal_consent_state"

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
    """All that one person wrote down, on all devices. `again`: (form, decision) of forms sent after their answer.
    `listed`: the decisions that the portal lists at the end; None when nobody looked. `backwards`: decisions that were
    said to stand on a device that had been told of a newer one about the same."""

    name: Name
    forms: dict[str, Form] = field(default_factory=dict)
    answered: list[Answered] = field(default_factory=list)
    again: list[tuple[str, str | None]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    backwards: list[str] = field(default_factory=list)
    listed: list[str] | None = None


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

    `newest_only`: of decisions told together it keeps a person's newest, as a warehouse does. `problem` is not empty
    when the store could not be read.
    """

    id: str
    subject: str
    effects: tuple[Effect, ...] = ()
    holdings: Mapping[Name, Holding] = field(default_factory=dict)
    held: int = 0
    owed: int = 0
    newest_only: bool = False
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
    device = _Device()
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
            device.answered(told, line)
        elif kind == "again":
            told.again.append((line["form"], line["decision"]))
        elif kind == "missing":
            told.missing.append(line["decision"])
        elif kind == "listed":
            told.listed = list(line["decisions"])


class _Device:
    """What one device was told so far: a decision keeps its version, and what stands on a subject gets no older."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._newest: dict[str, int] = {}

    def answered(self, told: Told, line: Mapping[str, Any]) -> None:
        """A version that the device only counted gives way to the one it was told before for the same decision, as
        when the answer stood already: such a form made no new one."""
        decision, subject, version = line["decision"], line["subject"], int(line["version"])
        if line.get("counted"):
            version = self._versions.get(decision, version)
        self._versions.setdefault(decision, version)
        if version < self._newest.get(subject, 0):
            told.backwards.append(f"{decision}, version {version}")
        self._newest[subject] = max(version, self._newest.get(subject, 0))
        told.answered.append(Answered(line["form"], decision, version, subject, line["answer"]))


def read_stores(stores: Path, names: Iterable[Name]) -> tuple[StoreSeen, ...]:
    """Ask every store of the JSON list in `stores` (id, url, subject; kind `webhook` or `sql`)."""
    listed = json.loads(stores.read_text(encoding="utf-8"))
    return tuple(_read_store(one, list(names)) for one in listed)


def _read_store(one: Mapping[str, str], names: list[Name]) -> StoreSeen:
    try:
        return _read_warehouse(one, names) if one.get("kind") == "sql" else _read_over_http(one, names)
    except (requests.RequestException, psycopg.Error, ValueError, KeyError) as error:
        return StoreSeen(one["id"], one["subject"], problem=type(error).__name__)


def _read_over_http(one: Mapping[str, str], names: list[Name]) -> StoreSeen:
    subjects = [{"system": system, "value": value} for system, value in names]
    contents = requests.get(f"{one['url']}/contents", timeout=TIMEOUT)
    looked = requests.post(f"{one['url']}/sandbox/lookup", json={"subjects": subjects}, timeout=TIMEOUT)
    contents.raise_for_status()
    looked.raise_for_status()
    return seen(one["id"], one["subject"], contents.json(), looked.json())


def _read_warehouse(one: Mapping[str, str], names: list[Name]) -> StoreSeen:
    """The warehouse's table, and its own notes of each change to it."""
    with psycopg.connect(one["url"], connect_timeout=10) as connection:
        told = connection.execute(WAREHOUSE_EFFECTS).fetchall()
        stands = connection.execute(WAREHOUSE_STANDING).fetchall()
    keys = ("event", "system", "value", "choice", "effort", "version", "answer")
    effects = [{**dict(zip(keys, row, strict=True)), "code": f"{row[1]}|{row[2]}"} for row in told]
    standing = [dict(zip(keys[1:], row, strict=True)) for row in stands]
    return warehouse_seen(one["id"], one["subject"], effects, standing, names)


def warehouse_seen(
    store: str, subject: str, effects: list[dict[str, Any]], stands: list[dict[str, Any]], names: Iterable[Name]
) -> StoreSeen:
    """A warehouse as a value: it holds what it was told of people and nothing else of them."""
    done, standing = _by_name(effects), _by_name(stands)
    holdings = [
        {
            "system": name[0],
            "value": name[1],
            "entries": 0,
            "suppressed": any(row["answer"] == "no" for row in standing.get(name, ())),
            "standing": standing.get(name, []),
            "effects": done.get(name, []),
        }
        for name in names
    ]
    contents = {"store": store, "effects": effects, "people": [], "owed": 0}
    return replace(seen(store, subject, contents, {"holdings": holdings}), newest_only=True)


def _by_name(rows: list[dict[str, Any]]) -> dict[Name, list[dict[str, Any]]]:
    found: dict[Name, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["system"], row["value"]), []).append(row)
    return found


def seen(store: str, subject: str, contents: Mapping[str, Any], looked: Mapping[str, Any]) -> StoreSeen:
    """The two answers of a store as values."""
    effects = tuple(_effect(row) for row in contents["effects"] if _about(row) == subject)
    strange = [row for row in contents["effects"] if _about(row) != subject]
    holdings = {(row["system"], row["value"]): _holding(row, subject) for row in looked["holdings"]}
    problem = "" if contents["store"] == store and not strange else "told of what it should not be told"
    held = sum(1 for person in contents["people"] if person["entries"])
    return StoreSeen(store, subject, effects, holdings, held, int(contents["owed"]), problem=problem)


def _about(row: Mapping[str, Any]) -> str:
    return str(row["effort"]) if row["choice"] == "donation" else CANCERLINQ


def _effect(row: Mapping[str, Any], code: str = "") -> Effect:
    return Effect(int(row["event"]), str(row.get("code", code)), int(row["version"]), str(row["answer"]))


def _holding(row: Mapping[str, Any], subject: str) -> Holding:
    standing = next(((int(s["version"]), str(s["answer"])) for s in row["standing"] if _about(s) == subject), None)
    effects = tuple(_effect(effect) for effect in row["effects"] if _about(effect) == subject)
    return Holding(int(row["entries"]), bool(row["suppressed"]), standing, effects)
