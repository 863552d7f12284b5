"""Who is meant: persons, the names that hospitals have for them, and the links a person makes between their own.

Decisions hang on `person`, not on an account: a care team makes a person for someone who never signed in, and the
first sign-in with that alias finds them (decisions.md, Who is who).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.decision import Decision
from consent.duo.limits import read_bounds
from consent.joining import carried, made_by_joining
from consent.record_decision import HISTORY, LOCK, insert_decisions
from consent.rows import decision_of
from consent.tables import Person, PersonAlias, PersonLink, Practice
from database.context import as_persons, knowing
from database.keyring import KeyRing
from database.unit_of_work import Database
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import Conflict, NotFound, Refused


@dataclass(frozen=True)
class Alias:
    """One name: the provider that issued it, the practice where it counts, identifier system and value (MRN)."""

    issued_by: str
    system: str
    value: str
    practice: str | None = None

    @property
    def at_practice(self) -> str:
        """A hospital without named practices has one, called after it."""
        return self.practice or f"{self.issued_by}-main"


def alias_index(ring: KeyRing, alias: Alias) -> bytes:
    """The keyed index under which the alias is found; nothing can be read from it."""
    return ring.blind_index("alias", f"{alias.issued_by}|{alias.system}|{alias.value}")


def find_or_create_person(
    database: Database, ring: KeyRing, alias: Alias, now: datetime, *, language: str | None = None
) -> UUID:
    """The person known by `alias`, made now when nobody is. Two callers at once get the same person."""
    index = alias_index(ring, alias)
    for _ in range(3):
        found = find_person(database, ring, alias)
        if found is not None:
            return found
        person = uuid4()
        try:
            with database.begin(knowing(index, persons=(person,))) as session:
                session.execute(insert(Person).values(id=person, language=language, zone=None, created_at=now))
                _insert_alias(session, ring, person, alias, now)
            return person
        except IntegrityError:
            continue  # another caller made it in between: read theirs
    raise Conflict("alias-contended")


def find_person(database: Database, ring: KeyRing, alias: Alias) -> UUID | None:
    """The person known by `alias`, or None."""
    index = alias_index(ring, alias)
    with database.begin(knowing(index)) as session:
        return session.scalar(select(PersonAlias.person_id).where(PersonAlias.value_index == index))


def add_alias(database: Database, ring: KeyRing, person: UUID, alias: Alias, now: datetime) -> None:
    """Add another name to `person`; Conflict when it is another person's (then they are linked by the person only).

    Stores that know the new name are told again of what stands, for they were not told under it before.
    """
    index = alias_index(ring, alias)
    try:
        with database.begin(knowing(index, persons=(person,))) as session:
            session.execute(LOCK, {"persons": [person]})
            owner = session.scalar(select(PersonAlias.person_id).where(PersonAlias.value_index == index))
            if owner == person:
                return
            if owner is not None:
                raise Conflict("alias-of-another-person")
            _insert_alias(session, ring, person, alias, now)
            mark = f"alias-{index.hex()[:24]}"
            made = carried(_read_history(session, (person,)), (person,), now, mark=mark, again=True)
            if made:
                insert_decisions(session, made, "decision.carried")
    except IntegrityError:
        raise Conflict("alias-of-another-person") from None


def _insert_alias(session: Session, ring: KeyRing, person: UUID, alias: Alias, now: datetime) -> None:
    alias_id = uuid4()
    session.execute(
        insert(PersonAlias).values(
            id=alias_id,
            person_id=person,
            issued_by=alias.issued_by,
            practice_id=alias.at_practice,
            system=alias.system,
            value_index=alias_index(ring, alias),
            value_sealed=ring.seal(alias.value.encode(), alias_place(alias_id)),
            created_at=now,
        )
    )


def alias_place(alias_id: UUID) -> str:
    """What an alias's ciphertext is bound to."""
    return f"person_alias:value_sealed:{alias_id}"


def linked_persons(database: Database, person: UUID) -> tuple[UUID, ...]:
    """`person` and everyone linked to them now, in order; for `Actor.persons`."""
    known: set[UUID] = {person}
    while True:
        with database.begin(as_persons(*known)) as session:
            rows = session.execute(HISTORY, {"persons": sorted(known), "form": ""}).mappings().all()
        found = known | {other for row in rows for other in row["linked"]}
        if found == known:
            return tuple(sorted(known))
        known = found


def link_persons(database: Database, ring: KeyRing, actor: Actor, one: UUID, other: UUID, now: datetime) -> None:
    """Join two of the actor's own persons. A no of either is carried to the other, and a yes of either ends that the
    other's kinds of research leave out: deny wins (CON-10, ADR 0012)."""
    _write_link(database, actor, one, other, now, joined_with=ring)


def unlink_persons(database: Database, actor: Actor, one: UUID, other: UUID, now: datetime) -> None:
    """Part them again. What was carried stays, on the safe side, until the person changes it."""
    _write_link(database, actor, one, other, now)


def _write_link(
    database: Database, actor: Actor, one: UUID, other: UUID, now: datetime, *, joined_with: KeyRing | None = None
) -> None:
    """With the key ring, which opens the kinds of research that each chose, they are joined; without it parted."""
    linked = joined_with is not None
    if actor.kind is not ActorKind.PATIENT or actor.account_id is None or one == other:
        raise Refused("only-the-person-links")
    first, second = sorted((one, other))
    everyone = tuple(sorted({*linked_persons(database, one), *linked_persons(database, other)}))
    with database.begin(as_persons(*everyone, account=actor.account_id)) as session:
        locked = set(session.scalars(LOCK, {"persons": list(everyone)}))
        if not {one, other} <= locked:
            raise NotFound("person")
        values = {"person_id": first, "other_person_id": second, "linked": linked, "made_at": now}
        session.execute(insert(PersonLink).values(**values, made_by_account=actor.account_id))
        event = "person.linked" if linked else "person.unlinked"
        lines = [Audited(who, event, "C", actor.kind.value, actor.account_id) for who in (first, second)]
        write_audit(session, now, *lines)
        if joined_with is not None:
            limits = read_bounds(session, joined_with, everyone).limits
            made = made_by_joining(_read_history(session, everyone), limits, everyone, now)
            if made:
                insert_decisions(session, made, "decision.carried")


def _read_history(session: Session, persons: Sequence[UUID]) -> list[Decision]:
    rows = session.execute(HISTORY, {"persons": list(persons), "form": ""}).mappings().all()
    return [decision_of(row) for row in rows if row["id"] is not None]  # type: ignore[arg-type]  # a row is read by its columns' names


def note_practices(session: Session, practices: Mapping[str, tuple[str, str]]) -> None:
    """Keep the list of practices in step with configuration: id -> (name, provider id). For the worker's login."""
    statement = text(
        "INSERT INTO practice (id, name, provider_id) VALUES (:id, :name, :provider)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, provider_id = excluded.provider_id"
    )
    for practice, (name, provider) in practices.items():
        session.execute(statement, {"id": practice, "name": name, "provider": provider})


def practice_names(session: Session, practices: Iterable[str]) -> dict[str, str]:
    """The names of these practices; for "which clinics does this cover"."""
    rows = session.execute(select(Practice.id, Practice.name).where(Practice.id.in_(list(practices))))
    return {practice: name for practice, name in rows}
