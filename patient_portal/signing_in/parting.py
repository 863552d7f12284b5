"""Records of two hospitals that a person joined, and parting them again (decisions, Who is who)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from consent.person_identity import linked_persons, unlink_persons
from consent.tables import PersonAlias
from database.context import Context, as_persons
from fhir_bridge.tables import Connection
from patient_portal.signing_in.web_session import end_all_of_account
from patient_portal.wiring import Wiring
from vocabulary.actor import Actor
from vocabulary.errors import NotFound

_LINKS = text(
    "SELECT person_id, other_person_id, made_at FROM (SELECT DISTINCT ON (person_id, other_person_id) *"
    " FROM person_link WHERE person_id = ANY (:persons) AND other_person_id = ANY (:persons)"
    " ORDER BY person_id, other_person_id, id DESC) newest WHERE linked"
)


@dataclass(frozen=True)
class Joined:
    """One record that is joined to the one now open: the hospitals that know it, and since when it is joined."""

    person: UUID
    hospitals: tuple[str, ...]
    since: datetime | None


def joined_records(session: Session, actor: Actor, names: Mapping[str, str]) -> list[Joined]:
    """The others of the actor's own persons, in their context; `names` of the providers by id."""
    others = [person for person in actor.persons if person != actor.person]
    aliases = session.execute(
        select(PersonAlias.person_id, PersonAlias.issued_by).where(PersonAlias.person_id.in_(others)).distinct()
    ).all()
    since: dict[UUID, datetime] = {}
    for one, other, made_at in _links(session, actor.persons):
        for person in (one, other):
            since[person] = max(made_at, since.get(person, made_at))
    return [
        Joined(each, tuple(sorted(names.get(by, by) for person, by in aliases if person == each)), since.get(each))
        for each in others
    ]


def part(wiring: Wiring, actor: Actor, other: UUID, now: datetime) -> tuple[UUID, ...]:
    """Part `other` from every record it is joined to; returns who the actor is from now on. NotFound when it is not
    joined to theirs.

    What was carried over stays on the safe side. Every session that could see both ends: of this account, and of each
    account that signed in for any of them.
    """
    if actor.person is None or other == actor.person or other not in actor.persons:
        raise NotFound("person")
    with wiring.database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        pairs = [(one, two) for one, two, _ in _links(session, actor.persons) if other in (one, two)]
        accounts = _accounts(session, actor.persons)
    for one, two in pairs:
        unlink_persons(wiring.database, actor, one, two, now)
    for account in sorted(accounts):
        with wiring.database.begin(Context(account=account)) as session:
            end_all_of_account(session, account, now)
    return linked_persons(wiring.database, actor.person)


def _links(session: Session, persons: Sequence[UUID]) -> list[tuple[UUID, UUID, datetime]]:
    rows = session.execute(_LINKS, {"persons": list(persons)})
    return [(row.person_id, row.other_person_id, row.made_at) for row in rows]


def _accounts(session: Session, persons: Collection[UUID]) -> set[UUID]:
    return set(session.scalars(select(Connection.account_id).where(Connection.person_id.in_(list(persons))).distinct()))
