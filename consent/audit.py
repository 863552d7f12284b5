"""Who did what to whose choices or record: the audit's rows, and their FHIR form (CON-13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from consent.audit_tables import AuditEventRow
from vocabulary.actor import Actor
from vocabulary.resource import Resource

# Every event the audit knows, with the keys its detail may carry; any other is refused (no identity, no illness).
EVENTS: Mapping[str, frozenset[str]] = {
    "decision.recorded": frozenset({"choice", "effort", "answer", "version", "means"}),
    "decision.denied": frozenset({"choice", "effort", "answer", "why"}),
    "decision.carried": frozenset({"choice", "effort", "answer", "version"}),
    "decision.voided": frozenset({"choice", "effort", "answer", "version"}),
    "decision.void-asked": frozenset({"version"}),
    "decision.restored": frozenset({"version", "count"}),
    "decision.unchanged": frozenset({"choice", "effort", "answer"}),
    "texts.on": frozenset({"means"}),
    "texts.off": frozenset({"means"}),
    "number.confirmed": frozenset({"means"}),
    "number.removed": frozenset({"means"}),
    "mails.on": frozenset({"means"}),
    "mails.off": frozenset({"means"}),
    "letters.on": frozenset({"means"}),
    "letters.off": frozenset({"means"}),
    "address.confirmed": frozenset({"means"}),
    "address.removed": frozenset({"means"}),
    "topics.changed": frozenset({"means"}),
    "research.limits": frozenset(),
    "choices.read": frozenset({"provider"}),
    "choices.read-by-program": frozenset({"type"}),
    "patients.listed": frozenset({"provider", "what", "count"}),
    "record.read": frozenset({"type"}),
    "record.downloaded": frozenset({"format"}),
    "record.brought-in": frozenset({"provider", "state"}),
    "record.wrong-person": frozenset({"provider", "count"}),
    "record.disconnected": frozenset({"provider"}),
    "record.erased": frozenset(),
    "receipt.downloaded": frozenset(),
    "paper.downloaded": frozenset({"paper"}),
    "uses.downloaded": frozenset({"format"}),
    "access.asked": frozenset(),
    "access.noted": frozenset({"what"}),
    "file.added": frozenset(),
    "file.downloaded": frozenset(),
    "file.deleted": frozenset(),
    "decisions.asked": frozenset({"store", "class", "purpose", "allowed", "count"}),
    "person.linked": frozenset(),
    "person.unlinked": frozenset(),
    "donation.sent": frozenset({"effort", "manifest", "count"}),
    "authority.stated": frozenset({"relation"}),
    "authority.confirmed": frozenset({"relation"}),
    "authority.refused": frozenset({"relation"}),
    "authority.ended": frozenset({"relation"}),
    "representative.came": frozenset({"provider"}),
    "helper.invited": frozenset(),
    "helper.ended": frozenset(),
    "helper.came": frozenset(),
    "helper.filled-in": frozenset({"effort"}),
    "death.reported": frozenset(),
    "death.confirmed": frozenset(),
    "death.mistaken": frozenset(),
    "sign-in": frozenset({"provider", "factor"}),
    "sign-out": frozenset(),
    "staff-task.opened": frozenset({"kind"}),
    "staff-task.read": frozenset({"kind", "case"}),
    "staff-task.changed": frozenset({"what", "case", "outcome"}),
    "staff.searched": frozenset({"provider"}),
    "staff.page-opened": frozenset({"case"}),
    "staff.letter": frozenset({"paper"}),
    "staff.member": frozenset({"what"}),
    "staff.two-persons": frozenset({"what", "store", "answer", "count"}),
    "store.paused": frozenset({"store"}),
    "effort.ended": frozenset({"effort", "why"}),
    "store.resumed": frozenset({"store"}),
    "store.replayed": frozenset({"store", "first", "last", "count"}),
    "store.backfilled": frozenset({"store", "last", "why"}),
    "store.compared": frozenset({"store", "why"}),
}
ACTIONS = ("C", "R", "U", "D", "E")
OUTCOMES = ("0", "4", "8", "12")


@dataclass(frozen=True)
class Audited:
    """One line to write. `action` C R U D E; `outcome` 0 success, 4 refused, 8 failed, 12 major failure."""

    person: UUID | None
    event: str
    action: str
    actor_kind: str
    actor_account: UUID | None = None
    actor_reference: str | None = None
    outcome: str = "0"
    detail: Mapping[str, Any] | None = None


def audit_values(line: Audited, now: datetime) -> dict[str, Any]:
    """The row to insert; ValueError for an event, key, action or outcome that is not declared."""
    detail = dict(line.detail or {})
    if line.event not in EVENTS or set(detail) - EVENTS[line.event]:
        raise ValueError(f"undeclared audit event or key: {line.event}")
    if line.action not in ACTIONS or line.outcome not in OUTCOMES:
        raise ValueError("undeclared action or outcome")
    return {
        "person_id": line.person,
        "recorded_at": now,
        "event": line.event,
        "action": line.action,
        "outcome": line.outcome,
        "actor_kind": line.actor_kind,
        "actor_account": line.actor_account,
        "actor_reference": line.actor_reference,
        "detail": detail,
    }


def by_actor(actor: Actor, event: str, action: str, **more: Any) -> Audited:
    """A line by `actor` about the person whose record is open."""
    return Audited(more.pop("person", actor.person), event, action, actor.kind.value, actor.account_id, **more)


def write_audit(session: Session, now: datetime, *lines: Audited) -> None:
    """Add lines inside the caller's transaction: an audit in a second transaction could be lost."""
    if lines:
        session.execute(insert(AuditEventRow).values([audit_values(line, now) for line in lines]))


def read_audit(session: Session, persons: Sequence[UUID], limit: int = 200) -> Sequence[AuditEventRow]:
    """The newest lines about these persons, newest first: the plain list "who acted on my choices"."""
    rows = select(AuditEventRow).where(AuditEventRow.person_id.in_(persons))
    return session.scalars(rows.order_by(AuditEventRow.recorded_at.desc(), AuditEventRow.id.desc()).limit(limit)).all()


def as_audit_event(row: AuditEventRow) -> Resource:
    """The line as a FHIR R4 AuditEvent (CON-13)."""
    person = {"identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{row.person_id}"}, "type": "Patient"}
    who = row.actor_reference or str(row.actor_account or row.actor_kind)
    return {
        "resourceType": "AuditEvent",
        "id": str(row.id),
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
        "subtype": [{"system": "https://patient-portal.example/fhir/CodeSystem/audit-event", "code": row.event}],
        "action": row.action,
        "recorded": row.recorded_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": row.outcome,
        "purposeOfEvent": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "PATRQT"}]}
        ],
        "agent": [
            {
                "type": {"text": row.actor_kind},
                "who": {"identifier": {"value": who}},
                "requestor": row.actor_kind != "system",
            }
        ],
        "source": {"observer": {"display": "patient portal"}},
        "entity": [{"what": person}] if row.person_id else [],
    }
