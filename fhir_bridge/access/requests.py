"""A person's letters and what became of them: written, read, added to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid4

import orjson
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.keyring import KeyRing
from database.person_encryption import PersonCipher
from fhir_bridge.access.clock import Event, EventKind, Standing, standing
from fhir_bridge.access.letter import Letter, as_kept, from_kept
from fhir_bridge.access.tables import AccessEvent, AccessRequest
from fhir_bridge.person_ciphers import cipher_for_new_content, cipher_of
from vocabulary.errors import Conflict, NotFound

MOST_LETTERS = 200
MOST_EVENTS = 100


@dataclass(frozen=True)
class Noted:
    """An event and when the person noted it."""

    event: Event
    at: datetime


@dataclass(frozen=True)
class OwnRequest:
    """One letter of a person with its history, oldest first."""

    id: UUID
    person: UUID
    letter: Letter
    written_at: datetime
    history: tuple[Noted, ...]

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(noted.event for noted in self.history)

    def stands(self, today: date) -> Standing:
        return standing(self.events, today)


def write_letter(session: Session, ring: KeyRing, person: UUID, letter: Letter, form: str, now: datetime) -> UUID:
    """Keep a letter; the id of the one that the same form made before, if it did. Conflict when there are too many."""
    kept = select(AccessRequest.id).where(AccessRequest.person_id == person)
    if known := session.scalar(kept.where(AccessRequest.form == form)):
        return known
    if len(session.scalars(kept.limit(MOST_LETTERS)).all()) >= MOST_LETTERS:
        raise Conflict("too-many-letters")
    cipher, request = cipher_for_new_content(session, ring, person, now), uuid4()
    sealed = cipher.seal(orjson.dumps(as_kept(letter)), _place(request))
    row = {"id": request, "person_id": person, "form": form, "sealed": sealed, "written_at": now}
    session.execute(insert(AccessRequest).values(row).on_conflict_do_nothing(index_elements=["person_id", "form"]))
    return session.scalars(kept.where(AccessRequest.form == form)).one()


def note(
    session: Session, ring: KeyRing, request: OwnRequest, event: Event, form: str, now: datetime
) -> bool:  # fmt: skip
    """Add what happened; whether it was new. Conflict when the history is longer than any true one."""
    if len(request.history) >= MOST_EVENTS:
        raise Conflict("too-many-events")
    cipher = cipher_of(session, ring, request.person)
    sealed = cipher.seal(event.reason.encode(), _reason_place(request.id, form)) if event.reason else None
    row = {
        "request_id": request.id, "person_id": request.person, "form": form, "kind": event.kind.value,
        "on_date": event.on, "until_date": event.until, "reason_sealed": sealed, "noted_at": now,
    }  # fmt: skip
    added = insert(AccessEvent).values(row).on_conflict_do_nothing(index_elements=["request_id", "form"])
    return session.scalar(added.returning(AccessEvent.id)) is not None


def own_requests(session: Session, ring: KeyRing, persons: Sequence[UUID]) -> list[OwnRequest]:
    """Every letter of these (linked) persons, newest first; two queries."""
    rows = session.scalars(
        select(AccessRequest)
        .where(AccessRequest.person_id.in_(persons))
        .order_by(AccessRequest.written_at.desc(), AccessRequest.id)
    ).all()
    return _with_history(session, ring, rows)


def own_request(session: Session, ring: KeyRing, persons: Sequence[UUID], request: UUID) -> OwnRequest:
    """One letter with its history; NotFound for another's."""
    rows = session.scalars(
        select(AccessRequest).where(AccessRequest.id == request, AccessRequest.person_id.in_(persons))
    ).all()
    if not rows:
        raise NotFound("access-request")
    return _with_history(session, ring, rows)[0]


def _with_history(session: Session, ring: KeyRing, rows: Sequence[AccessRequest]) -> list[OwnRequest]:
    ciphers = {person: cipher_of(session, ring, person) for person in {row.person_id for row in rows}}
    history: dict[UUID, list[Noted]] = {row.id: [] for row in rows}
    noted = select(AccessEvent).where(AccessEvent.request_id.in_(history)).order_by(AccessEvent.id)
    for one in session.scalars(noted) if rows else ():
        history[one.request_id].append(Noted(_event(ciphers[one.person_id], one), one.noted_at))
    return [
        OwnRequest(
            row.id,
            row.person_id,
            from_kept(orjson.loads(ciphers[row.person_id].open(row.sealed, _place(row.id)))),
            row.written_at,
            tuple(history[row.id]),
        )
        for row in rows
    ]


def _event(cipher: PersonCipher, row: AccessEvent) -> Event:
    place = _reason_place(row.request_id, row.form)
    reason = cipher.open(row.reason_sealed, place).decode() if row.reason_sealed else ""
    return Event(EventKind(row.kind), row.on_date, row.until_date, reason)


def _place(request: UUID) -> str:
    return f"access_request:sealed:{request}"


def _reason_place(request: UUID, form: str) -> str:
    return f"access_event:reason_sealed:{request}:{form}"
