"""Who saw or used a person's data: the audit's lines that say so and what stores signed, as one list (HIP-25).

Newest first, paged by a key and not by a number, so that a new line moves nothing. Choices themselves are in the
history (`history.py`); this is what others did, and what the person took away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select, text, tuple_
from sqlalchemy.orm import Session

from consent.audit_tables import AuditEventRow
from consent.kept_receipts import ONE_RECEIPT


class By(StrEnum):
    """Who it was; the filter of the page."""

    FAMILY = "family"
    CARE_TEAM = "care-team"
    STAFF = "staff"
    RESEARCH = "research"
    STORE = "store"
    PROGRAM = "program"
    PERSON = "person"


EVENTS: Mapping[str, By | None] = {
    "choices.read": None,
    "record.read": None,
    "representative.came": By.FAMILY,
    "helper.came": By.FAMILY,
    "helper.filled-in": By.FAMILY,
    "choices.read-by-program": By.PROGRAM,
    "decisions.asked": By.PROGRAM,
    "donation.sent": By.RESEARCH,
    "staff-task.read": By.STAFF,
    "staff.page-opened": By.STAFF,
    "staff.letter": By.STAFF,
    "record.downloaded": None,
    "receipt.downloaded": None,
    "paper.downloaded": None,
    "uses.downloaded": None,
    "file.downloaded": None,
}
"""The audit's events that are uses; None: whoever the line says."""
_BY_ACTOR: Mapping[str, By] = {
    "care-team": By.CARE_TEAM, "staff": By.STAFF, "lead": By.STAFF, "program": By.PROGRAM,
    "proxy": By.FAMILY, "helper": By.FAMILY,
}  # fmt: skip
_RECEIPTS = text(
    "SELECT r.id, r.store_id, r.received_at, q.position, CASE WHEN r.event_number IS NULL"  # noqa: S608 - constants
    f"   THEN {ONE_RECEIPT} ELSE r.detail END AS detail"
    " FROM position q CROSS JOIN store s"
    " JOIN LATERAL (SELECT x.* FROM store_batch x WHERE x.store_id = s.id AND x.purpose = 'stream'"
    "   AND x.first_position <= q.position ORDER BY x.first_position DESC LIMIT 1) b ON b.last_position >= q.position"
    " JOIN LATERAL (SELECT i - 1 AS place FROM unnest(b.positions) WITH ORDINALITY AS p(position, i)"
    "   WHERE p.position = q.position) at ON true"
    " JOIN receipt r ON r.batch_id = b.id AND (r.event_number IS NULL OR r.event_number = b.first_event + at.place)"
    " WHERE q.person_id = ANY (:persons) ORDER BY r.received_at DESC, r.id DESC"
)


@dataclass(frozen=True)
class Use:
    """One line. `event` is the audit's, or `store.signed`; `who` names a member of staff, a program or a store.

    `position` of a receipt is that of the decision it is about. `id` is unique among the lines of one source.
    """

    at: datetime
    by: By
    event: str
    who: str
    detail: Mapping[str, Any]
    refused: bool
    id: int
    position: int | None = None
    row: AuditEventRow | None = None

    @property
    def key(self) -> tuple[datetime, bool, int]:
        """Its place in the list; of one moment the audit's lines come after what stores signed."""
        return self.at, self.position is not None, self.id


@dataclass(frozen=True)
class After:
    """Where a page begins: after the line with this key."""

    at: datetime
    signed: bool
    id: int

    @classmethod
    def read(cls, text: str) -> After | None:
        """From an address; None when it is not one of ours."""
        at, _, rest = text.partition("~")
        kind, number = rest[:1], rest[1:]
        if kind not in ("a", "s") or not (number.isascii() and number.isdigit() and len(number) < 19):
            return None
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            return None
        return cls(moment, kind == "s", int(number)) if moment.tzinfo is not None else None

    @classmethod
    def of(cls, use: Use) -> str:
        return f"{use.at.isoformat()}~{'s' if use.position is not None else 'a'}{use.id}"


def read_uses(
    session: Session, persons: Sequence[UUID], by: By | None, after: After | None, many: int
) -> tuple[Use, ...]:
    """At most `many` lines of these (linked) persons, newest first, after a place; in their context."""
    found = [] if by is By.STORE else _audited(session, persons, by, after, many)
    if by in (None, By.STORE):
        found += _signed(session, persons)
    place = (after.at, after.signed, after.id) if after else None
    return tuple(sorted((u for u in found if place is None or u.key < place), key=lambda u: u.key, reverse=True)[:many])


def _audited(session: Session, persons: Sequence[UUID], by: By | None, after: After | None, many: int) -> list[Use]:
    query = select(AuditEventRow).where(AuditEventRow.person_id.in_(persons), AuditEventRow.event.in_(list(EVENTS)))
    if by is not None:
        said = AuditEventRow.event.in_([event for event, kind in EVENTS.items() if kind is by])
        whoever = AuditEventRow.event.in_([event for event, kind in EVENTS.items() if kind is None])
        kinds = [kind for kind, found in _BY_ACTOR.items() if found is by]
        theirs = (
            AuditEventRow.actor_kind.not_in(list(_BY_ACTOR))
            if by is By.PERSON
            else (AuditEventRow.actor_kind.in_(kinds))
        )
        query = query.where(or_(said, and_(whoever, theirs)))
    if after is not None:
        order = tuple_(AuditEventRow.recorded_at, AuditEventRow.id)
        query = query.where(
            AuditEventRow.recorded_at <= after.at if after.signed else order < tuple_(after.at, after.id)
        )
    rows = session.scalars(query.order_by(AuditEventRow.recorded_at.desc(), AuditEventRow.id.desc()).limit(many))
    return [_of_line(row) for row in rows]


def _of_line(row: AuditEventRow) -> Use:
    by = EVENTS[row.event] or _BY_ACTOR.get(row.actor_kind, By.PERSON)
    return Use(
        row.recorded_at, by, row.event, row.actor_reference or "", row.detail, row.outcome != "0", row.id, row=row
    )


def _signed(session: Session, persons: Sequence[UUID]) -> list[Use]:
    """Every receipt about a decision of theirs: few, for decisions are. What a store signed twice counts when it was
    first said."""
    said: dict[tuple[str, int, str], Use] = {}
    for row in session.execute(_RECEIPTS, {"persons": list(persons)}):
        detail = row.detail or {}
        words = repr(sorted((name, value) for name, value in detail.items() if name != "at"))
        said[row.store_id, row.position, words] = Use(
            row.received_at, By.STORE, "store.signed", row.store_id, detail, False, row.id, row.position
        )
    return list(said.values())
