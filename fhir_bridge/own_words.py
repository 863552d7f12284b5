"""What a person set and said themselves, sealed, beside the record and never part of what a hospital sent.

Nothing here is read by what builds donations, so nothing of it leaves with one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import JSON, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from database.person_encryption import PersonCipher
from fhir_bridge.person_ciphers import cipher_for_new_content
from fhir_bridge.reading.delicate import CHOOSABLE, Delicate
from fhir_bridge.record import OwnRecord, StoredEntry
from fhir_bridge.tables import OwnStatement, ReadingChoice
from vocabulary.errors import Invalid, NotFound

LONGEST = 1000
MOST = 200

ROWS = """
    SELECT NULL::uuid AS id, c.person_id, c.sealed, c.changed_at AS at, k.wrapped
    FROM reading_choice c JOIN person_key k USING (person_id) WHERE c.person_id = ANY (:persons)
    UNION ALL
    SELECT s.id, s.person_id, s.sealed, s.said_at, k.wrapped
    FROM own_statement s JOIN person_key k USING (person_id) WHERE s.person_id = ANY (:persons) AND :statements
"""


_CHOICES = text(
    "SELECT coalesce(json_agg(json_build_array(c.person_id, encode(c.sealed, 'hex'), encode(k.wrapped, 'hex'))), '[]')"
    " AS kept FROM reading_choice c JOIN person_key k USING (person_id) WHERE c.person_id = ANY (:persons)"
).columns(kept=JSON)


@dataclass(frozen=True)
class Statement:
    """One thing a person said: about what (`topic`), in their words, of which day (as they wrote it), and when said.

    `corrects`: it says that something in the hospital's data is not right.
    """

    id: UUID
    topic: str
    words: str
    day: str
    corrects: bool
    said_at: datetime


@dataclass(frozen=True)
class OwnWords:
    """`later`: what the person would rather open with their doctor; `statements` newest first."""

    later: frozenset[Delicate]
    statements: tuple[Statement, ...]


def own_words(record: OwnRecord, *, statements: bool = False) -> OwnWords:
    """What the record's owner set, and with `statements` what they said: one query."""
    found = record.session.execute(text(ROWS), {"persons": list(record.persons), "statements": statements})
    return own_words_from(record, found)


def own_words_from(record: OwnRecord, rows: Iterable[Any]) -> OwnWords:
    """The same from rows of `ROWS` that were read already, in any order."""
    later: set[Delicate] = set()
    said: list[Statement] = []
    for row in sorted(rows, key=lambda one: one.at, reverse=True):
        cipher = record.cipher(row.person_id, row.wrapped)
        if row.id is None:
            later |= _chosen(cipher, row.person_id, row.sealed)
        else:
            kept = orjson.loads(cipher.open(row.sealed, _place("own_statement", row.id)))
            said.append(Statement(row.id, kept["topic"], kept["words"], kept["day"], kept["corrects"], row.at))
    return OwnWords(frozenset(later), tuple(said))


def entry_with_choice(record: OwnRecord, entry: UUID) -> tuple[StoredEntry, frozenset[Delicate]]:
    """One entry as `OwnRecord.entry`, and what its owner would rather open with their doctor: one query."""
    row = record.row_of(entry, _CHOICES.bindparams(persons=list(record.persons)).scalar_subquery().label("kept"))
    later: set[Delicate] = set()
    for person, sealed, wrapped in row.kept:
        cipher = record.cipher(UUID(person), bytes.fromhex(wrapped) if wrapped else None)
        later |= _chosen(cipher, UUID(person), bytes.fromhex(sealed))
    return record.opened(row), frozenset(later)


def keep_choice(record: OwnRecord, later: Collection[Delicate], now: datetime) -> None:
    """Keep what opens behind a question, for each person of the record; it replaces what was set before."""
    content = orjson.dumps({"later": sorted(one.value for one in later if one in CHOOSABLE)})
    for person in record.persons:
        cipher = cipher_for_new_content(record.session, record.ring, person, now)
        row = {"sealed": cipher.seal(content, _place("reading_choice", person)), "changed_at": now}
        statement = insert(ReadingChoice).values(row | {"person_id": person})
        record.session.execute(statement.on_conflict_do_update(index_elements=["person_id"], set_=row))


def say(record: OwnRecord, topic: str, words: str, day: str, *, corrects: bool, now: datetime) -> None:
    """Keep one statement with the record's first person. Invalid without words and past MOST."""
    words, day = words.strip(), day.strip()[:40]
    if not words or len(words) > LONGEST:
        raise Invalid("words")
    person, identity = record.persons[0], uuid4()
    count = select(func.count()).select_from(OwnStatement).where(OwnStatement.person_id == person)
    if (record.session.scalar(count) or 0) >= MOST:
        raise Invalid("too-many")
    cipher = cipher_for_new_content(record.session, record.ring, person, now)
    content = orjson.dumps({"topic": topic, "words": words, "day": day, "corrects": corrects})
    sealed = cipher.seal(content, _place("own_statement", identity))
    record.session.add(OwnStatement(id=identity, person_id=person, sealed=sealed, said_at=now))


def take_back(record: OwnRecord, statement: UUID) -> None:
    """Remove one statement; NotFound when it is not theirs."""
    own = delete(OwnStatement).where(OwnStatement.id == statement, OwnStatement.person_id.in_(record.persons))
    if record.session.execute(own.returning(OwnStatement.id)).scalar() is None:
        raise NotFound("statement")


def _chosen(cipher: PersonCipher, person: UUID, sealed: bytes) -> set[Delicate]:
    kept = orjson.loads(cipher.open(sealed, _place("reading_choice", person)))
    return {one for one in CHOOSABLE if one.value in kept["later"]}


def _place(table: str, identity: UUID) -> str:
    return f"{table}:sealed:{identity}"
