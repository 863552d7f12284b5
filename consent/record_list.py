"""Record one no for many people at once: a list that a practice sends, all of it or nothing.

One transaction, a few statements for each hundred rows: people who are not known yet are made, everybody is locked in
one order, and the same rules as for a single decision say what each row makes. Whoever is out already keeps the first
date. A row's key names the file and the line, so that a list that is sent again records nothing a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session

from consent.asked import Asked, check_asked, first_result, subjects_to_record
from consent.audit import write_audit
from consent.decision import CANCERLINQ, Answer, Decision
from consent.person_identity import Alias, alias_index, alias_place
from consent.record_decision import HISTORY, LOCK, decision_from, insert_decisions, unchanged_line
from consent.rows import decision_of
from consent.standing import standing
from consent.tables import FormWithoutChange, Person, PersonAlias
from database.context import Context, widen
from database.keyring import KeyRing
from vocabulary.errors import Conflict, NotFound, Refused

Row = TypeVar("Row")
A_BATCH = 100
"""How many people one statement is about: the row security of each looks through the list of them."""


@dataclass(frozen=True)
class Listed:
    """One row. `aliases`: the names by which the person is known, the first of them by which they are found.

    `asked.person` and its actor's are filled in here.
    """

    aliases: tuple[Alias, ...] = field(repr=False)
    asked: Asked = field(repr=False)
    language: str | None = None


@dataclass(frozen=True)
class Applied:
    """What came of it: for each row its person; the decisions made; how many rows found their no standing.

    `unnamed`: names of people who were known before by another; they are added one by one (`add_alias`), for stores
    that know a new name have to be told again.
    """

    persons: tuple[UUID, ...]
    decisions: tuple[Decision, ...]
    already_out: int
    unnamed: tuple[tuple[UUID, Alias], ...] = field(default=(), repr=False)


def record_list(session: Session, ring: KeyRing, rows: Sequence[Listed], account: UUID, now: datetime) -> Applied:
    """Record the rows in the caller's transaction, which has to end without an error for any of them to count.

    Its context is changed on the way; `account` stays in it. Raises what a single decision would raise.
    """
    for row in rows:
        check_asked(row.asked, now, production=True)
        if row.asked.subject != CANCERLINQ or row.asked.answer is not Answer.NO:
            raise Refused("a-list-only-opts-out")
    persons, unnamed = _find_or_make(session, ring, rows, account, now)
    asked = [
        replace(row.asked, person=who, actor=replace(row.asked.actor, person=who, persons=(who,)))
        for row, who in zip(rows, persons, strict=True)
    ]
    histories, linked = _lock_and_read(session, persons, account)
    answered = _answered_before(session, asked, account)
    made, stood = _decide(ring, asked, histories, linked, answered, now)
    for batch in _batches(made):
        widen(session, Context(tuple({each.person_id for each in batch}), account))
        insert_decisions(session, batch, "decision.recorded")
    _keep_unchanged(session, stood, account, now)
    return Applied(tuple(persons), tuple(made), len(stood), unnamed)


def _find_or_make(
    session: Session, ring: KeyRing, rows: Sequence[Listed], account: UUID, now: datetime
) -> tuple[list[UUID], tuple[tuple[UUID, Alias], ...]]:
    """The person of each row, made now when nobody is known by its first alias, with their other names that are free;
    and the names that people who are known lack."""
    owners: dict[bytes, UUID] = {}
    for batch in _batches([alias_index(ring, alias) for row in rows for alias in row.aliases]):
        widen(session, Context(account=account, lookups=tuple(batch)))
        known = select(PersonAlias.value_index, PersonAlias.person_id).where(PersonAlias.value_index.in_(batch))
        owners |= {bytes(index): person for index, person in session.execute(known)}
    persons: list[UUID] = []
    new: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    unnamed: list[tuple[UUID, Alias]] = []
    for row in rows:
        person = owners.get(alias_index(ring, row.aliases[0]))
        if person is None:
            person = uuid4()
            new.append({"id": person, "language": row.language, "zone": None, "created_at": now})
            free = [alias for alias in row.aliases if alias_index(ring, alias) not in owners]
            names += [_alias_row(ring, person, alias, now) for alias in free]
            owners |= {alias_index(ring, alias): person for alias in free}
        else:
            unnamed += [(person, alias) for alias in row.aliases if alias_index(ring, alias) not in owners]
        persons.append(person)
    for made in _batches(new):
        ids = tuple(row["id"] for row in made)
        widen(session, Context(ids, account))
        session.execute(insert(Person), made)
        session.execute(insert(PersonAlias), [row for row in names if row["person_id"] in ids])
    return persons, tuple(unnamed)


def _alias_row(ring: KeyRing, person: UUID, alias: Alias, now: datetime) -> dict[str, Any]:
    alias_id = uuid4()
    return {
        "id": alias_id, "person_id": person, "issued_by": alias.issued_by, "practice_id": alias.at_practice,
        "system": alias.system, "value_index": alias_index(ring, alias),
        "value_sealed": ring.seal(alias.value.encode(), alias_place(alias_id)), "created_at": now,
    }  # fmt: skip


def _lock_and_read(
    session: Session, persons: Iterable[UUID], account: UUID
) -> tuple[dict[UUID, list[Decision]], dict[UUID, set[UUID]]]:
    """What everybody, and everybody linked to them, decided so far; all of them locked, in the order of their ids."""
    histories: dict[UUID, list[Decision]] = {}
    linked: dict[UUID, set[UUID]] = {}
    wanted = set(persons)
    while wanted:
        for batch in _batches(sorted(wanted)):
            widen(session, Context(tuple(batch), account))
            if len(session.scalars(LOCK, {"persons": batch}).all()) != len(batch):
                raise NotFound("person")
            for row in session.execute(HISTORY, {"persons": batch, "form": ""}).mappings():
                history = histories.setdefault(row["locked"], [])
                linked[row["locked"]] = set(row["linked"])
                if row["id"] is not None:
                    history.append(decision_of(row))  # type: ignore[arg-type]  # a row is read by its columns' names
        wanted = {other for others in linked.values() for other in others} - set(histories)
    return histories, linked


def _answered_before(session: Session, asked: Sequence[Asked], account: UUID) -> set[tuple[UUID, str]]:
    """Rows that were sent before and found their no standing: sent again after a change they record nothing (I5)."""
    found: set[tuple[UUID, str]] = set()
    for batch in _batches(asked):
        widen(session, Context(tuple({one.person for one in batch}), account))
        kept = select(FormWithoutChange.person_id, FormWithoutChange.form)
        mine = FormWithoutChange.form.in_([one.idempotency_key for one in batch])
        found |= {(person, form) for person, form in session.execute(kept.where(mine))}
    return found


def _decide(
    ring: KeyRing,
    asked: Sequence[Asked],
    histories: Mapping[UUID, list[Decision]],
    linked: Mapping[UUID, set[UUID]],
    answered: set[tuple[UUID, str]],
    now: datetime,
) -> tuple[list[Decision], list[tuple[Asked, Decision | None]]]:
    """The decisions that the rows make, and the rows that make none with what stands there."""
    made: list[Decision] = []
    stood: list[tuple[Asked, Decision | None]] = []
    for one in asked:
        before = len(made)
        repeated = first_result(one, histories[one.person]) or (one.person, one.idempotency_key) in answered
        for person in [] if repeated else sorted(_joined(one.person, linked)):
            own = histories[person]
            version = max((decision.version for decision in own), default=0)
            for number, subject in enumerate(subjects_to_record(one, own, now), start=1):
                decision = decision_from(ring, one, person, version + number, subject, now)
                made.append(decision)
                own.append(decision)
        if len(made) == before:
            stood.append((one, standing(histories[one.person], now).cancerlinq.decision))
    return made, stood


def _joined(person: UUID, linked: Mapping[UUID, set[UUID]]) -> set[UUID]:
    found, new = {person}, {person}
    while new:
        new = {other for each in new for other in linked.get(each, set())} - found
        found |= new
    if len(found) > A_BATCH:
        raise Conflict("too-many-linked-persons")
    return found


def _keep_unchanged(
    session: Session, stood: Sequence[tuple[Asked, Decision | None]], account: UUID, now: datetime
) -> None:
    for batch in _batches([(one, found) for one, found in stood if not _made_by(one, found)]):
        widen(session, Context(tuple({one.person for one, _ in batch}), account))
        rows = [
            {"person_id": one.person, "form": one.idempotency_key, "decision_id": found.id if found else None,
             "answered_at": now}
            for one, found in batch
        ]  # fmt: skip
        session.execute(pg_insert(FormWithoutChange).values(rows).on_conflict_do_nothing())
        write_audit(session, now, *[unchanged_line(one) for one, _ in batch])


def _made_by(asked: Asked, stands: Decision | None) -> bool:
    """Whether what stands was made by this very row, sent before."""
    return stands is not None and stands.idempotency_key.startswith(asked.idempotency_key + "/")


def _batches(rows: Sequence[Row]) -> Iterator[list[Row]]:
    return (list(rows[start : start + A_BATCH]) for start in range(0, len(rows), A_BATCH))
