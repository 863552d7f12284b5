"""A request and its events, read and added. Of two who act on one request at once, the second is told so (409)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from research.requests.asked_for import AskedFor, parsed
from research.requests.process import Event, Kind, Standing, after, standing
from research.requests.tables import DataRequest, RequestEvent
from vocabulary.errors import Conflict, NotFound


@dataclass(frozen=True)
class Noted:
    """An event as it was kept, with its number and time."""

    number: int
    event: Event
    at: datetime


@dataclass(frozen=True)
class Request:
    """A request with its history. `content` is what its team asks for now: the newest answer counts."""

    id: UUID
    dataset: str
    content: dict[str, Any]
    submitted_at: datetime
    history: tuple[Noted, ...]

    @property
    def stands(self) -> Standing:
        return standing(noted.event for noted in self.history)

    @property
    def asked_for(self) -> AskedFor:
        """The content as values, as of the day of the request."""
        return parsed(self.content, self.submitted_at.date())


def add_request(session: Session, request_id: UUID, asked: AskedFor, who: str, now: datetime) -> None:
    """Keep a new request and its first event."""
    session.add(DataRequest(id=request_id, dataset=asked.dataset, content=dict(asked.content), submitted_at=now))
    session.flush()
    first = Event(Kind.SUBMITTED, who, {"clause": asked.clause.as_json() if asked.clause else None})
    after(None, first)
    _insert(session, request_id, 1, first, now)


def add_event(session: Session, request: Request, event: Event, now: datetime) -> Standing:
    """Keep what happened, if it may happen now; Conflict else, and when somebody was quicker."""
    stands = after(request.stands, event)
    _insert(session, request.id, len(request.history) + 1, event, now)
    return stands


def _insert(session: Session, request_id: UUID, number: int, event: Event, now: datetime) -> None:
    row = {
        "request_id": request_id, "number": number, "kind": event.kind.value, "who": event.who, "at": now,
        "detail": dict(event.detail),
    }  # fmt: skip
    kept = insert(RequestEvent).values(row).on_conflict_do_nothing().returning(RequestEvent.number)
    if session.scalar(kept) is None:
        raise Conflict("changed-meanwhile")


def read_request(session: Session, request_id: UUID) -> Request:
    """The request with its whole history; NotFound when there is none."""
    row = session.get(DataRequest, request_id)
    if row is None:
        raise NotFound("request")
    return _whole(row, _events(session, [request_id]))


def read_requests(session: Session, limit: int = 200) -> list[Request]:
    """The newest requests with their histories, newest first; two queries."""
    newest = select(DataRequest).order_by(DataRequest.submitted_at.desc(), DataRequest.id).limit(limit)
    found = session.scalars(newest).all()
    events = _events(session, [row.id for row in found])
    return [_whole(row, [event for event in events if event.request_id == row.id]) for row in found]


def _events(session: Session, requests: Sequence[UUID]) -> Sequence[RequestEvent]:
    wanted = select(RequestEvent).where(RequestEvent.request_id.in_(requests))
    return session.scalars(wanted.order_by(RequestEvent.request_id, RequestEvent.number)).all()


def _whole(row: DataRequest, events: Sequence[RequestEvent]) -> Request:
    history = tuple(Noted(one.number, Event(Kind(one.kind), one.who, one.detail), one.at) for one in events)
    answers = [noted.event.detail["content"] for noted in history if noted.event.kind is Kind.ANSWERED]
    return Request(row.id, row.dataset, answers[-1] if answers else row.content, row.submitted_at, history)
