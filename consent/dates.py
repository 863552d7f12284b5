"""A yes that begins or runs out on a date: which rows tell the stores of it, and when. Pure (CON-09, ADR 0008).

Where a person stands follows from their decisions and the time alone. A store hears only of what has a position, so
the feed adds a row by the clock when a date comes: the same subject, the next version, made by nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from consent.decision import CANCERLINQ, Answer, ByWhom, Decision, Means, Subject
from consent.efforts import SANDBOX_EFFORTS, Effort, effort_by_id
from consent.standing import standing
from vocabulary.actor import ActorKind


@dataclass(frozen=True)
class Due:
    """A date of `decision` has come: it begins, or has run out."""

    decision: Decision
    means: Means


def due(own_history: Sequence[Decision], now: datetime, efforts: tuple[Effort, ...] = SANDBOX_EFFORTS) -> list[Due]:
    """What one person's stores have to hear at `now` and were not told yet, by subject in the order of its versions.

    `own_history`: all of one person's rows, the clock's included. Adding `row_for` each result leaves nothing due.
    """
    subjects = {decision.subject: decision.version for decision in sorted(own_history, key=lambda d: d.version)}
    found = (_due(subject, own_history, now, efforts) for subject in sorted(subjects, key=lambda one: subjects[one]))
    return [item for item in found if item is not None]


def _due(subject: Subject, history: Sequence[Decision], now: datetime, efforts: tuple[Effort, ...]) -> Due | None:
    about = sorted((d for d in history if d.subject == subject), key=lambda d: (d.version, d.is_no))
    begun = [d for d in about if not d.by_the_clock and (d.is_no or d.starts_at is None or d.starts_at <= now)]
    told = [d for d in about if not d.is_deferred]
    if not begun or begun[-1].is_no:
        return None
    governs, last = begun[-1], told[-1] if told else None
    if governs.expires_at is not None and governs.expires_at <= now:
        ended = last is not None and not last.is_no
        return Due(governs, Means.EXPIRY) if ended else None
    if not governs.is_deferred or (last is not None and last.idempotency_key == key_of(governs, Means.BEGINNING)):
        return None
    return Due(governs, Means.BEGINNING) if _permits(subject, history, now, efforts) else None


def _permits(subject: Subject, history: Sequence[Decision], now: datetime, efforts: tuple[Effort, ...]) -> bool:
    """An effort fed by CancerLinQ is not told yes while the opt-out stands, nor before the person was asked again."""
    stands = standing(history, now)
    if subject == CANCERLINQ:
        return stands.cancerlinq.permits
    effort = effort_by_id(subject.effort or "", efforts)
    return effort is not None and stands.donation(effort).permits


def key_of(decision: Decision, means: Means) -> str:
    """Unique for each person: the same date gives one row, whoever looks and how often."""
    return f"{means.value}-{decision.id}"


def row_for(item: Due, decision_id: UUID, version: int, salt: bytes, now: datetime) -> Decision:
    """The row to add: a copy that begins now, or a no. It carries no evidence; what was signed is the person's row."""
    ends = item.means is Means.EXPIRY
    made = replace(
        item.decision,
        id=decision_id,
        version=version,
        answer=Answer.NO if ends else Answer.YES,
        by=ByWhom(ActorKind.SYSTEM),
        means=item.means,
        recorded_at=now,
        salt=salt,
        reason="expired" if ends else "begun",
        idempotency_key=key_of(item.decision, item.means),
        evidence_sealed=None,
    )
    if not ends:
        return made
    return replace(made, categories=frozenset(), sensitive=frozenset(), starts_at=None, expires_at=None)
