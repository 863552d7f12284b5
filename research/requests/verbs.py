"""What people do with a request: each one transaction, which reads the history, asks `process` and adds one event.

`who` is the login of whoever acts, with the name they gave in brackets (`process.Event`). Every one of them raises
NotFound for an unknown request and Conflict for what does not fit where it stands. All run as the worker's login and
reach no person's rows, but `check`, which counts.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID, uuid4

from database.context import as_nobody, as_release
from database.unit_of_work import Database
from research.requests.asked_for import AskedFor
from research.requests.clause import NO_REIDENTIFICATION
from research.requests.cohort import availability
from research.requests.datasets import dataset, hold_to_form
from research.requests.process import SMALLEST_COHORT, Criterion, Event, Kind, Outcome, Standing, after
from research.requests.rows import add_event, add_request, read_request
from vocabulary.errors import Invalid


def submit(database: Database, asked: AskedFor, who: str, now: datetime) -> UUID:
    """Keep a new request; its id."""
    made = uuid4()
    with database.begin(as_nobody()) as session:
        add_request(session, made, asked, who, now)
    return made


def answer(database: Database, request_id: UUID, asked: AskedFor, who: str, now: datetime) -> Standing:
    """The team's answer to needs-more-information: the whole request, written anew. It asks for the same dataset."""
    detail = {"clause": asked.clause.as_json() if asked.clause else None, "content": dict(asked.content)}
    with database.begin(as_nobody()) as session:
        request = read_request(session, request_id)
        if asked.dataset != request.dataset:
            raise Invalid("request", {"dataset": f"must stay {request.dataset}; for another, submit a new request"})
        return add_event(session, request, Event(Kind.ANSWERED, who, detail), now)


def check(database: Database, request_id: UUID, who: str, now: datetime) -> int | None:
    """Count the donors whose data could go into this request now; None for a number under 11, which is not kept."""
    with database.begin(as_release()) as session:
        request = read_request(session, request_id)
        after(request.stands, Event(Kind.CHECKED, who, {"enough": False}))  # nothing is counted that cannot be noted
        found = availability(session, dataset(request.dataset), request.asked_for.parts, now)
        shown = found if found >= SMALLEST_COHORT else None
        add_event(session, request, Event(Kind.CHECKED, who, {"enough": shown is not None, "donors": shown}), now)
    return shown


def review(
    database: Database, request_id: UUID, who: str, met: Collection[Criterion], why: str, now: datetime
) -> Standing:
    """One reviewer's finding: the criteria that are met. Reviewing again replaces one's own."""
    event = Event(Kind.REVIEWED, who, {"met": sorted(each.value for each in met), "why": why})
    return _add(database, request_id, event, now)


def decide(database: Database, request_id: UUID, who: str, outcome: Outcome, why: str, now: datetime) -> Standing:
    """Approve, deny or ask for more. An approval names the clause in force, which the team has accepted (X-09)."""
    detail = {"outcome": outcome.value, "why": why}
    if outcome is not Outcome.APPROVED:
        return _add(database, request_id, Event(Kind.DECIDED, who, detail), now)
    with database.begin(as_nobody()) as session:
        request = read_request(session, request_id)
        hold_to_form(dataset(request.dataset), request.asked_for.purpose, now.date())
        event = Event(Kind.DECIDED, who, {**detail, "clause": NO_REIDENTIFICATION.as_json()})
        return add_event(session, request, event, now)


def draft_agreement(
    database: Database, request_id: UUID, who: str, agreement: str, cost: int, now: datetime
) -> Standing:
    """Note the data use agreement that was drafted, by its id, and the estimated cost in cents."""
    if cost < 0:
        raise Invalid("agreement", {"cost": "must not be negative"})
    return _add(database, request_id, Event(Kind.DRAFTED, who, {"agreement": agreement, "cost": cost}), now)


def sign_agreement(
    database: Database, request_id: UUID, who: str, agreement: str, signatory: str, now: datetime
) -> Standing:
    """Note that the agreement drafted last is signed, and by whom for the team."""
    detail = {"agreement": agreement, "signatory": signatory}
    return _add(database, request_id, Event(Kind.SIGNED, who, detail), now)


def pay(database: Database, request_id: UUID, who: str, amount: int, reference: str, now: datetime) -> Standing:
    """Note a payment in cents, which covers the estimate."""
    return _add(database, request_id, Event(Kind.PAID, who, {"amount": amount, "reference": reference}), now)


def withdraw(database: Database, request_id: UUID, who: str, why: str, now: datetime) -> Standing:
    """End a request that has not ended."""
    return _add(database, request_id, Event(Kind.WITHDRAWN, who, {"why": why}), now)


def _add(database: Database, request_id: UUID, event: Event, now: datetime) -> Standing:
    with database.begin(as_nobody()) as session:
        return add_event(session, read_request(session, request_id), event, now)
