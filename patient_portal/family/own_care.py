"""What a minor keeps to themselves before whoever acts for them (45 CFR 164.502(g)(3), HIP-15).

The one place that decides it for pages, lists, counts, the story and copies: the kinds of care are those of
`majority.toml`, told as for a donation by labels, codes and names, and by what an entry refers to. What stands inside a
note or a file is not read. Who the person is, is never held back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from uuid import UUID

from sqlalchemy.orm import Session

from consent.authority.majority import own_care
from database.context import Context
from fhir_bridge.own_words import Statement
from fhir_bridge.record import OwnRecord
from fhir_bridge.record_held_back import FileName, each_entry, file_entries, read_without, state_of
from patient_portal.wiring import Wiring
from research.selection import sensitivities
from research.sensitive import Key, Sensitivity, told_by
from vocabulary.resource import Resource

MOST_KEPT = 100
NEVER = "Patient"


@contextmanager
def own_reading(wiring: Wiring, context: Context, *, apart: bool) -> Iterator[Session]:
    """A transaction that reads a person's record; with `apart` without what a minor keeps to themselves.

    Such a transaction reads one moment throughout: an entry that comes in meanwhile, and was not looked at, is not
    there.
    """
    with wiring.database.begin(replace(context, one_view=apart)) as session:
        if apart:
            record = OwnRecord(session, wiring.keyring, context.persons)
            read_without(record, _held_back(wiring, record))
        yield session


def is_own_care(words: str) -> bool:
    """Whether somebody's own words tell of care that a minor may have alone."""
    return bool(told_by(words) & own_care())


def told_apart(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """What a person said of their health, without what tells of such care."""
    return tuple(one for one in statements if not is_own_care(one.words))


class _LookedAt:
    """Which entries are held back, of the records that were looked at last; ids only, and never the entries."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[UUID | str, ...], frozenset[UUID]] = OrderedDict()
        self._lock = Lock()

    def get(self, name: tuple[UUID | str, ...]) -> frozenset[UUID] | None:
        with self._lock:
            found = self._known.get(name)
            if found is not None:
                self._known.move_to_end(name)
            return found

    def keep(self, name: tuple[UUID | str, ...], found: frozenset[UUID]) -> None:
        with self._lock:
            self._known[name] = found
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)


_LOOKED_AT = _LookedAt()


def _held_back(wiring: Wiring, record: OwnRecord) -> frozenset[UUID]:
    """The entries to hold back. A record is looked at whole once in each state that it has."""
    name: tuple[UUID | str, ...] = (*record.persons, state_of(record))
    found = _LOOKED_AT.get(name)
    if found is None:
        found = _look_at(record, {one.id: one.fhir_base_url for one in wiring.settings.providers})
        _LOOKED_AT.keep(name, found)
    return found


def _look_at(record: OwnRecord, bases: dict[str, str]) -> frozenset[UUID]:
    seen: list[tuple[UUID, Key, tuple[FileName, ...]]] = []

    def passing() -> Iterator[tuple[Key, Resource]]:
        for one in each_entry(record, bases):
            seen.append((one.id, one.key, one.files))
            yield one.key, one.resource

    told = sensitivities(passing())
    hidden = {entry for entry, key, _ in seen if key[1] != NEVER and _is_own_care(told[key])}
    if not hidden:
        return frozenset()
    shown = {file for entry, _, files in seen if entry not in hidden for file in files}
    return frozenset(hidden) | {entry for file, entry in file_entries(record).items() if file not in shown}


def _is_own_care(found: Sensitivity) -> bool:
    """Of such a kind, or restricted by the hospital for a reason that it does not say; none where no kind is kept."""
    kinds = own_care()
    return bool(found.classes & kinds) or (bool(kinds) and found.restricted and not found.classes)
