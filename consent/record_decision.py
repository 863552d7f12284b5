"""Record a decision: one verb, one transaction, at most five statements (decisions.md, Order and position).

The person's row is locked before anything else, so that no transaction id is taken earlier; then history is read,
the rule is asked, and decision, audit and the mark for the sequencer are added by one statement.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import text

from consent.asked import Asked, check_alive, check_asked, check_standing, first_result, subjects_to_record
from consent.audit import Audited, audit_values, by_actor, write_audit
from consent.decision import ALL_CATEGORIES, Answer, ByWhom, Choice, Decision, Subject
from consent.duo.limits import NO_BOUNDS, keep_limits, read_bounds
from consent.leaf import leaf_of
from consent.rows import decision_of, row_of
from consent.standing import Standing, standing
from database.context import Runs, as_persons
from database.keyring import KeyRing
from database.straight import Straight
from database.unit_of_work import Database
from vocabulary.errors import Conflict, NotFound, Refused
from vocabulary.time_ordered_id import RANDOM_BYTES, time_ordered_id

LOCK = text("SELECT id FROM person WHERE id = ANY (:persons) ORDER BY id FOR UPDATE")
_HISTORY = (
    "SELECT p.id AS locked, d.*, ARRAY(SELECT CASE WHEN l.person_id = p.id THEN l.other_person_id ELSE l.person_id END"
    " FROM (SELECT DISTINCT ON (person_id, other_person_id) * FROM person_link"
    "       WHERE p.id IN (person_id, other_person_id) ORDER BY person_id, other_person_id, id DESC) l WHERE l.linked)"
    " AS linked, ARRAY(SELECT f.decision_id FROM form_without_change f WHERE f.person_id = p.id AND f.form = :form)"
    " AS unchanged, p.died_on IS NOT NULL AS died"
    " FROM person p LEFT JOIN decision d ON d.person_id = p.id WHERE p.id = ANY (:persons)"
)
HISTORY = text(_HISTORY)
# For who acts for somebody: whether what they act on ended after they were let in (HIP-15), in the same statement.
HISTORY_ON_AUTHORITY = text(
    _HISTORY.replace(
        " FROM person p LEFT JOIN",
        ", EXISTS (SELECT FROM authority_step s WHERE s.authority_id = CAST(:authority AS uuid)"
        " AND s.step IN ('refused', 'ended')) AS over FROM person p LEFT JOIN",
    )
)
# A form that found its answer standing adds no decision; without its key on record it would count anew when it is
# sent again after a change from another device, and an old yes could lift a newer no (I5).
KEEP_FORM = text(
    "INSERT INTO form_without_change (person_id, form, decision_id, answered_at)"
    " VALUES (:person, :form, :decision, :now)"
)
# One constant statement whatever the number of rows: building it anew for each decision cost more than running it.
APPEND = text(
    "WITH made AS (INSERT INTO decision"
    " SELECT * FROM jsonb_populate_recordset(CAST(NULL AS decision), CAST(:decisions AS jsonb))),"
    " audited AS (INSERT INTO audit_event (person_id, recorded_at, event, action, outcome, actor_kind, actor_account,"
    " actor_reference, detail) SELECT person_id, recorded_at, event, action, outcome, actor_kind, actor_account,"
    " actor_reference, detail FROM jsonb_populate_recordset(CAST(NULL AS audit_event), CAST(:lines AS jsonb)))"
    " INSERT INTO unsequenced (decision_id, person_id, version, leaf) SELECT decision_id, person_id, version, leaf"
    " FROM jsonb_populate_recordset(CAST(NULL AS unsequenced), CAST(:marks AS jsonb)) ORDER BY person_id, version"
)
MAX_LINKED = 12


@dataclass(frozen=True)
class Recorded:
    """What came of it. `decisions`: the rows this form made, now or before; empty when the same stood already.

    `standing` is read back from the whole history, with the new rows. `governing` is the decision that now holds
    for the subject asked about; it is what the status page is about.
    """

    decisions: tuple[Decision, ...]
    standing: Standing
    repeated: bool
    persons: tuple[UUID, ...]
    governing: Decision | None = None


def record_decision(
    database: Database, ring: KeyRing, asked: Asked, now: datetime, *, production: bool = False
) -> Recorded:
    """Record what was asked for the person and everyone linked to them.

    Raises Refused, Invalid or Conflict when it may not be, NotFound without such a person, Unavailable when the
    database does not answer; in each case nothing is changed.
    """
    check_asked(asked, now, production=production)
    persons = tuple(sorted({asked.person, *asked.actor.persons}))
    for _ in range(4):
        with database.begin_straight(as_persons(*persons, account=asked.actor.account_id)) as straight:
            read = _lock_and_read(straight, persons, asked)
            if read.linked <= set(persons):
                return _append(straight, ring, asked, persons, read, now)
        persons = tuple(sorted({*persons, *read.linked}))
        if len(persons) > MAX_LINKED:
            break
    raise Conflict("too-many-linked-persons")


@dataclass(frozen=True)
class _Read:
    """`unchanged`: this form was answered before without a new decision; `stood` is the one that governed then.

    `died`: the death of the person, or of one linked to them, was confirmed. `over`: the authority that it is asked on
    was refused or ended.
    """

    history: tuple[Decision, ...]
    linked: frozenset[UUID]
    unchanged: bool
    stood: Decision | None
    died: bool
    over: bool


def _lock_and_read(straight: Straight, persons: tuple[UUID, ...], asked: Asked) -> _Read:
    locked = straight.rows(LOCK, {"persons": list(persons)})
    if (asked.person,) not in locked:
        raise NotFound("person")
    bound = {"persons": list(persons), "form": asked.idempotency_key}
    authority = asked.evidence.get("authority_id")
    statement = HISTORY_ON_AUTHORITY if authority else HISTORY
    rows = straight.mappings(statement, bound | ({"authority": authority} if authority else {}))
    history = tuple(decision_of(row) for row in rows if row["id"] is not None)
    answered = [stood for row in rows for stood in row["unchanged"]]
    return _Read(
        history,
        frozenset(other for row in rows for other in row["linked"]),
        bool(answered),
        next((decision for decision in history if decision.id in answered), None),
        any(row["died"] for row in rows),
        bool(authority) and any(row["over"] for row in rows),
    )


def _append(
    straight: Straight, ring: KeyRing, asked: Asked, persons: tuple[UUID, ...], read: _Read, now: datetime
) -> Recorded:
    before = first_result(asked, read.history)
    if before:
        return _result(before, read.history, asked, now, persons, repeated=True)
    if read.unchanged:
        return Recorded((), standing(read.history, now), True, persons, read.stood)
    check_alive(asked, died=read.died)
    if read.over:
        raise Refused("authority-ended")
    bounds = read_bounds(straight.session, ring, persons) if asked.donates else NO_BOUNDS
    check_standing(asked, read.history, now, bounds)
    made = []
    for person in persons:
        own = [decision for decision in read.history if decision.person_id == person]
        version = max((decision.version for decision in own), default=0)
        for subject in subjects_to_record(asked, own, now):
            version += 1
            made.append(decision_from(ring, asked, person, version, subject, now))
    if made:
        insert_decisions(straight, made, "decision.recorded")
    result = _result(tuple(made), [*read.history, *made], asked, now, persons, repeated=not made)
    if not made:
        stood = result.governing.id if result.governing else None
        bound = {"person": asked.person, "form": asked.idempotency_key, "decision": stood, "now": now}
        straight.execute(KEEP_FORM, bound)
        if not asked.narrowed:
            write_audit(straight.session, now, unchanged_line(asked))
    if asked.narrowed is not None:
        keep_limits(straight.session, ring, persons, asked.narrowed.choice, asked.idempotency_key, asked.actor, now)
    return result


def _result(
    decisions: tuple[Decision, ...],
    history: Sequence[Decision],
    asked: Asked,
    now: datetime,
    persons: tuple[UUID, ...],
    *,
    repeated: bool,
) -> Recorded:
    stands = standing(history, now)
    own = [decision for decision in decisions if decision.person_id == asked.person]
    governing = own[0] if own else stands.answered(asked.subject).decision if asked.subject else None
    return Recorded(decisions, stands, repeated, persons, governing)


def decision_from(ring: KeyRing, asked: Asked, person: UUID, version: int, subject: Subject, now: datetime) -> Decision:
    """The decision that `asked` makes for one person and subject; the rule has said that it may be made."""
    decision_id = time_ordered_id(now, secrets.token_bytes(RANDOM_BYTES))
    evidence = None
    if asked.evidence:
        plain = orjson.dumps(dict(asked.evidence), option=orjson.OPT_SORT_KEYS)
        evidence = ring.seal(plain, f"decision:evidence_sealed:{decision_id}")
    donates = subject.effort is not None and asked.answer is Answer.YES
    return Decision(
        id=decision_id,
        person_id=person,
        version=version,
        subject=subject,
        answer=asked.answer,
        by=ByWhom(asked.actor.kind, asked.actor.account_id, asked.actor.provider_id, asked.actor_reference),
        means=asked.means,
        language=asked.language,
        text_id=asked.text.id if asked.text else None,
        text_version=asked.text.version if asked.text else None,
        asked_at=asked.asked_at or now,
        recorded_at=now,
        salt=secrets.token_bytes(32),
        categories=asked.categories & ALL_CATEGORIES if donates else frozenset(),
        sensitive=asked.sensitive if donates else frozenset(),
        starts_at=asked.starts_at if donates else None,
        expires_at=asked.expires_at if donates else None,
        confirmed_by_person=not asked.by_care_team,
        reason=asked.reason,
        practice=asked.practice,
        idempotency_key=f"{asked.idempotency_key}/{subject.effort or subject.choice.value}",
        evidence_sealed=evidence,
    )


def insert_decisions(session: Runs, made: Sequence[Decision], event: str) -> None:
    """Add decisions, their audit lines and their marks for the sequencer by one statement.

    The caller holds the lock of every person concerned.
    """
    marks = [
        {
            "decision_id": decision.id,
            "person_id": decision.person_id,
            "version": decision.version,
            "leaf": leaf_of(decision),
        }
        for decision in made
    ]
    bound = {
        "decisions": _json([row_of(decision) for decision in made]),
        "lines": _json([_audit(decision, event) for decision in made]),
        "marks": _json(marks),
    }
    session.execute(APPEND, bound)


def _json(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as PostgreSQL reads them back; bytes in its hexadecimal form."""
    return orjson.dumps(rows, default=_hexadecimal).decode()


def _hexadecimal(value: object) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    raise TypeError(type(value).__name__)


def _audit(decision: Decision, event: str) -> dict[str, object]:
    detail = {
        "choice": decision.choice.value,
        "effort": decision.effort,
        "answer": decision.answer.value,
        "version": decision.version,
    }
    if event == "decision.recorded":
        detail["means"] = decision.means.value
    line = Audited(
        decision.person_id,
        event,
        "C",
        decision.by.kind.value,
        decision.by.account_id,
        decision.by.reference,
        detail=detail,
    )
    return audit_values(line, decision.recorded_at)


def unchanged_line(asked: Asked) -> Audited:
    """The line for an answer that stood already, such as "stop all" with nothing to stop: it was given all the same."""
    subject = asked.subject
    detail = {
        "choice": subject.choice.value if subject else Choice.DONATION.value,
        "effort": subject.effort if subject else None,
        "answer": asked.answer.value,
    }
    more = {"person": asked.person, "detail": detail, "actor_reference": asked.actor_reference}
    return by_actor(asked.actor, "decision.unchanged", "E", **more)


def read_evidence(ring: KeyRing, decision: Decision) -> dict[str, str]:
    """What was signed or who asked, opened for a receipt or an auditor; empty where there is none."""
    if decision.evidence_sealed is None:
        return {}
    plain = ring.open(decision.evidence_sealed, f"decision:evidence_sealed:{decision.id}")
    return {str(name): str(value) for name, value in orjson.loads(plain).items()}
