"""Take back an opt-out entered for the wrong person: who made it asks, a second person of the practice agrees.

Nothing is changed or removed. The entry stays in the ledger, and a new decision names it in its key, which the Merkle
leaf covers: `void-<id of the entry>`. It lets the person's data flow as before the entry, is marked "to be confirmed",
and every rule about who may answer for a person stays as it was: once the person themself has said anything about
CancerLinQ since, staff can take back nothing (decisions.md; X-05: only the person lifts).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.decision import CANCERLINQ, Answer, ByWhom, Decision, Means
from consent.record_decision import HISTORY, LOCK, insert_decisions
from consent.rows import decision_of
from consent.void_tables import EntryVoid
from database.context import as_persons
from database.keyring import KeyRing
from database.unit_of_work import Database
from vocabulary.actor import ActorKind
from vocabulary.errors import Conflict, Invalid, NotFound, Refused
from vocabulary.time_ordered_id import RANDOM_BYTES, time_ordered_id

CARRIED = "carried-over"
MAX_REASON = 500


@dataclass(frozen=True)
class Member:
    """A member of staff who acts: the account, the hospital's own reference of them, hospital and practice."""

    account: UUID
    reference: str
    provider: str
    practice: str


@dataclass(frozen=True)
class Pending:
    """A request to take an entry back, as the second person reads it. `mine`: of the one who looks."""

    decision_id: UUID
    asked_by: str
    asked_at: datetime
    reason: str
    mine: bool


def check_may_ask(history: Sequence[Decision], entry: UUID, by: Member) -> Decision:
    """The entry, if `by` may ask to take it back; Refused, Conflict or NotFound else. Pure.

    `history`: all decisions of the person. Only one's own entry, only while the person has not confirmed it and nobody
    but this service, which repeats an answer under a new record number, has said anything about CancerLinQ since. One
    who was out before is left out: taking the entry back must not lift what they had said.
    """
    found = next((decision for decision in history if decision.id == entry), None)
    if found is None:
        raise NotFound("decision")
    if found.by.kind is not ActorKind.CARE_TEAM or found.subject != CANCERLINQ or found.answer is not Answer.NO:
        raise Refused("not-an-entry-of-staff")
    if (found.by.provider_id, found.by.reference) != (by.provider, by.reference):
        raise Refused("not-your-own-entry")
    about = [d for d in history if d.subject == CANCERLINQ and not d.by_the_clock]
    before = max((d for d in about if d.version < found.version), key=lambda d: d.version, default=None)
    if before is not None and before.is_no:
        raise Conflict("was-out-before")
    since = [d for d in about if d.version > found.version]
    said = [d for d in since if not (d.by.kind is ActorKind.SYSTEM and d.reason == CARRIED)]
    if found.confirmed_by_person or said:
        raise Conflict("somebody-has-answered-since")
    return found


def check_may_agree(history: Sequence[Decision], entry: UUID, asked: Member, second: Member) -> Decision:
    """The entry, if `second` may agree to what `asked` asks: another person of the same practice. Pure."""
    if second.account == asked.account or second.reference == asked.reference:
        raise Refused("needs-a-second-person")
    if (second.provider, second.practice) != (asked.provider, asked.practice):
        raise Refused("not-of-this-practice")
    return check_may_ask(history, entry, asked)


def void_of(entry: Decision, second: Member, version: int, now: datetime) -> Decision:
    """The decision that takes `entry` back, without its evidence. It says on which words the entry was made."""
    return Decision(
        id=time_ordered_id(now, secrets.token_bytes(RANDOM_BYTES)),
        person_id=entry.person_id,
        version=version,
        subject=CANCERLINQ,
        answer=Answer.YES,
        by=ByWhom(ActorKind.CARE_TEAM, second.account, second.provider, second.reference),
        means=Means.VOID,
        language=entry.language,
        text_id=entry.text_id,
        text_version=entry.text_version,
        asked_at=now,
        recorded_at=now,
        salt=secrets.token_bytes(32),
        confirmed_by_person=False,
        practice=second.practice,
        idempotency_key=key_of(entry.id),
    )


def key_of(entry: UUID) -> str:
    """The key of the decision that takes this entry back: it names it, and there is one for each entry."""
    return f"void-{entry}/{CANCERLINQ.choice.value}"


def ask_void(
    database: Database, ring: KeyRing, person: UUID, entry: UUID, reason: str, by: Member, now: datetime
) -> None:
    """Ask to take one's own entry back. Nothing changes until a second person agrees; asked twice, it is asked once."""
    words = reason.strip()
    if not words or len(words) > MAX_REASON:
        raise Invalid("reason", {"reason": "missing" if not words else "too-long"})
    with database.begin(as_persons(person, account=by.account)) as session:
        found = check_may_ask(_locked_history(session, person), entry, by)
        row = {
            "decision_id": entry, "person_id": person, "practice_id": by.practice, "provider_id": by.provider,
            "asked_account": by.account, "asked_by": by.reference, "asked_at": now,
            "reason_sealed": ring.seal(words.encode(), _place(entry)),
        }  # fmt: skip
        new = insert(EntryVoid).values(row).on_conflict_do_nothing(index_elements=["decision_id"])
        if session.scalar(new.returning(EntryVoid.decision_id)) is not None:
            write_audit(session, now, _line(person, "decision.void-asked", by, {"version": found.version}))


def agree_void(database: Database, ring: KeyRing, person: UUID, entry: UUID, by: Member, now: datetime) -> Decision:
    """Take the entry back, as the second person: the decision that does it, now or the first time this was said."""
    with database.begin(as_persons(person, account=by.account)) as session:
        history = _locked_history(session, person)
        row = session.scalar(select(EntryVoid).where(EntryVoid.decision_id == entry, EntryVoid.person_id == person))
        if row is None:
            raise NotFound("entry-void")
        if row.void_id is not None:
            return next(decision for decision in history if decision.id == row.void_id)
        asked = Member(row.asked_account, row.asked_by, row.provider_id, row.practice_id)
        found = check_may_agree(history, entry, asked, by)
        made = void_of(found, by, max(decision.version for decision in history) + 1, now)
        reason = ring.open(row.reason_sealed, _place(entry)).decode()
        made = _with_evidence(ring, made, found, asked, reason)
        insert_decisions(session, [made], "decision.voided")
        agreed = {"agreed_account": by.account, "agreed_by": by.reference, "agreed_at": now, "void_id": made.id}
        session.execute(update(EntryVoid).where(EntryVoid.decision_id == entry).values(agreed))
        return made


def pending_void(session: Session, ring: KeyRing, person: UUID, by: Member) -> Pending | None:
    """The request about this person that waits for a second of `by`'s practice, if there is one."""
    row = session.scalars(
        select(EntryVoid)
        .where(EntryVoid.person_id == person, EntryVoid.void_id.is_(None), EntryVoid.practice_id == by.practice)
        .order_by(EntryVoid.asked_at.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    reason = ring.open(row.reason_sealed, _place(row.decision_id)).decode()
    return Pending(row.decision_id, row.asked_by, row.asked_at, reason, row.asked_account == by.account)


def _with_evidence(ring: KeyRing, made: Decision, entry: Decision, asked: Member, reason: str) -> Decision:
    plain = {"agreed_by": made.by.reference, "asked_by": asked.reference, "voids": str(entry.id)}
    sealed = ring.seal(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS), f"decision:evidence_sealed:{made.id}")
    return replace(made, reason=reason, evidence_sealed=sealed)


def _locked_history(session: Session, person: UUID) -> list[Decision]:
    if not session.scalars(LOCK, {"persons": [person]}).all():
        raise NotFound("person")
    rows = session.execute(HISTORY, {"persons": [person], "form": ""}).mappings().all()
    return [decision_of(row) for row in rows if row["id"] is not None]  # type: ignore[arg-type]  # a row is read by its columns' names


def _line(person: UUID, event: str, by: Member, detail: dict[str, object]) -> Audited:
    return Audited(person, event, "E", ActorKind.CARE_TEAM.value, by.account, by.reference, detail=detail)


def _place(entry: UUID) -> str:
    return f"entry_void:reason_sealed:{entry}"
