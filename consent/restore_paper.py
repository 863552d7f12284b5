"""Decisions put back from their paper twins after a loss: the very rows, under their own ids and versions.

A store goes by the highest version it was told, so a decision that came back under a lower one would be obeyed by
nobody: rows come back as they were, each person's in the order of their versions, and never below one that stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.decision import Decision
from consent.leaf import leaf_of
from consent.paper_twin import Twin, read_twin
from consent.person_identity import Alias, add_alias
from consent.record_decision import HISTORY, LOCK, insert_decisions
from consent.rows import decision_of
from consent.tables import Person
from database.context import as_persons
from database.keyring import KeyRing
from database.unit_of_work import Database
from vocabulary.errors import Conflict, Invalid


@dataclass(frozen=True)
class Restored:
    """What came of one paper. `was_there`: the same row stood in the ledger, and nothing was added."""

    decision: Decision
    was_there: bool


def papers_in(texts: Iterable[str], public_keys: dict[str, bytes]) -> tuple[Twin, ...]:
    """The decisions of all codes that were scanned, of any number of papers and in any order; Invalid when one paper
    is not whole or not ours."""
    papers: dict[str, list[str]] = {}
    for text in texts:
        parts = text.strip().split(":", 3)
        if len(parts) != 4:
            raise Invalid("paper-unreadable")
        papers.setdefault(parts[2], []).append(text)
    if not papers:
        raise Invalid("paper-unreadable")
    return tuple(read_twin(scanned, public_keys) for scanned in papers.values())


def restore_from_paper(
    database: Database, ring: KeyRing, twins: Sequence[Twin], alias: Alias | None, by: str, now: datetime
) -> tuple[Restored, ...]:
    """Put the decisions of one person back, with the audit's line. Again, it adds nothing.

    `alias`: the name by which a hospital knows the person, which is on no paper; without it nobody finds the row by a
    sign-in. Invalid for papers of two persons; Conflict when the ledger says otherwise, when a newer version of the
    person stands already, or when the alias is another person's here.
    """
    decisions = sorted({twin.decision.id: twin.decision for twin in twins}.values(), key=lambda each: each.version)
    persons = {decision.person_id for decision in decisions}
    if len(persons) != 1:
        raise Invalid("papers-of-two-persons")
    (person,) = persons
    _make_person(database, person, decisions[-1].language, now)
    if alias is not None:
        add_alias(database, ring, person, alias, now)  # before the decisions, so that it repeats none of them
    try:
        with database.begin(as_persons(person)) as session:
            return _put_back(session, person, decisions, by, now)
    except IntegrityError:
        raise Conflict("practice-or-effort-unknown") from None


def _make_person(database: Database, person: UUID, language: str, now: datetime) -> None:
    with database.begin(as_persons(person)) as session:
        if session.scalar(select(Person.id).where(Person.id == person)) is None:
            session.execute(insert(Person).values(id=person, language=language, zone=None, created_at=now))


def _put_back(
    session: Session, person: UUID, decisions: Sequence[Decision], by: str, now: datetime
) -> tuple[Restored, ...]:
    session.execute(LOCK, {"persons": [person]})
    rows = session.execute(HISTORY, {"persons": [person], "form": ""}).mappings().all()
    stands = {row["id"]: decision_of(row) for row in rows if row["id"] is not None}  # type: ignore[arg-type]  # a row is read by its columns' names
    newest = max((decision.version for decision in stands.values()), default=0)
    found = []
    for decision in decisions:
        there = stands.get(decision.id)
        if there is not None and leaf_of(there) != leaf_of(decision):
            raise Conflict("ledger-says-otherwise")
        if there is None and decision.version <= newest:
            raise Conflict("newer-version-stands")
        found.append(Restored(decision, there is not None))
    made = [restored.decision for restored in found if not restored.was_there]
    if made:
        insert_decisions(session, made, "decision.recorded")
        versions = {"version": made[-1].version, "count": len(made)}
        write_audit(session, now, Audited(person, "decision.restored", "C", "system", None, by[:80], detail=versions))
    return tuple(found)
