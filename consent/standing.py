"""Where a person stands now, computed from what they decided. Pure: no clock, no database.

Rules (decisions.md §What a choice covers, §Order and position; CON-09, CON-10, X-01, X-05):

* The highest version decides, not arrival and not authored time. Duplicates change nothing.
* A no counts from the moment it is recorded and does not run out. A yes counts from `starts_at` until `expires_at`.
* Rows by the clock, which tell the stores that a yes began or ran out, are no decisions and count for nothing here.
* Linked persons: each is judged by their own versions, then a no of any of them wins.
* CancerLinQ is opt-out: with no answer a person whose practice takes part is in. A donation is opt-in.
* An effort marked `via_cancerlinq` is denied while the opt-out stands; after it is lifted the person is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from consent.decision import CANCERLINQ, Answer, DataCategory, Decision, SensitiveClass, Subject, donation_to
from consent.efforts import Effort


class Verdict(StrEnum):
    """The answer that holds now."""

    YES = "yes"
    NO = "no"
    NOT_ANSWERED = "not-answered"


class Why(StrEnum):
    """Why a verdict is what it is; the page turns it into a sentence."""

    DECIDED = "decided"
    NEVER_ASKED = "never-asked"
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    OPTED_OUT = "opted-out-of-cancerlinq"
    ASK_AGAIN = "ask-again"
    EFFORT_ENDED = "effort-has-ended"


@dataclass(frozen=True)
class ChoiceStanding:
    """The standing of one choice. `decision` is the one that governs, None when never asked.

    `categories` and `sensitive` are what a yes lets through; empty for anything but a yes.
    """

    verdict: Verdict
    why: Why
    decision: Decision | None = None
    categories: frozenset[DataCategory] = frozenset()
    sensitive: frozenset[SensitiveClass] = frozenset()

    @property
    def permits(self) -> bool:
        return self.verdict is Verdict.YES


NEVER_ASKED = ChoiceStanding(Verdict.NOT_ANSWERED, Why.NEVER_ASKED)


@dataclass(frozen=True)
class Standing:
    """All choices of one human being at one moment. Equal histories give equal standings."""

    cancerlinq: ChoiceStanding = NEVER_ASKED
    donations: Mapping[str, ChoiceStanding] = field(default_factory=dict)
    asked_since_lift: frozenset[str] = frozenset()
    ever_opted_out: bool = False

    @property
    def opted_out(self) -> bool:
        """True while a CancerLinQ opt-out stands, confirmed by the person or not (CON-11)."""
        return self.cancerlinq.verdict is Verdict.NO

    def in_cancerlinq(self, participates: bool) -> bool:
        """Whether the person's data may be in CancerLinQ; `participates`: does a practice of theirs take part?"""
        return participates and not self.opted_out

    def donation(self, effort: Effort) -> ChoiceStanding:
        """The donation to `effort`, after the one stated exception for efforts fed by CancerLinQ (X-05).

        A yes to an effort that has ended is in the history and carries nothing; a no goes on."""
        stands = self.donations.get(effort.id, NEVER_ASKED)
        if effort.ended is not None and stands.verdict is not Verdict.NO:
            return ChoiceStanding(Verdict.NOT_ANSWERED, Why.EFFORT_ENDED, stands.decision)
        if not effort.via_cancerlinq or stands.verdict is Verdict.NO:
            return stands
        if self.opted_out:
            return ChoiceStanding(Verdict.NO, Why.OPTED_OUT, stands.decision)
        if stands.permits and self.ever_opted_out and effort.id not in self.asked_since_lift:
            return ChoiceStanding(Verdict.NOT_ANSWERED, Why.ASK_AGAIN, stands.decision)
        return stands

    def answered(self, subject: Subject) -> ChoiceStanding:
        """What was answered to `subject`, before the exception for efforts fed by CancerLinQ."""
        if subject == CANCERLINQ:
            return self.cancerlinq
        return self.donations.get(subject.effort or "", NEVER_ASKED)


def standing(history: Iterable[Decision], now: datetime) -> Standing:
    """Where the person (and the persons linked to them) stand at `now`.

    `history`: all decisions of all linked persons, in any order, duplicates allowed. `now`: aware.
    """
    people = _by_person(history)
    subjects = {decision.subject for decisions in people.values() for decision in decisions}
    cancerlinq = _union([_one(decisions, CANCERLINQ, now) for decisions in people.values()])
    donations = {
        subject.effort: _union([_one(decisions, subject, now) for decisions in people.values()])
        for subject in subjects
        if subject.effort is not None
    }
    return Standing(
        cancerlinq=cancerlinq,
        donations=dict(sorted(donations.items())),
        asked_since_lift=frozenset(name for name in donations if _asked_since_lift(people, name, now)),
        ever_opted_out=any(d.is_no for ds in people.values() for d in ds if d.subject == CANCERLINQ),
    )


def _by_person(history: Iterable[Decision]) -> dict[UUID, list[Decision]]:
    """Each person's decisions by rising version; of two rows that claim one version the no comes last and wins."""
    people: dict[UUID, list[Decision]] = {}
    for decision in history:
        if not decision.by_the_clock:
            people.setdefault(decision.person_id, []).append(decision)
    for decisions in people.values():
        decisions.sort(key=lambda d: (d.version, d.is_no, str(d.id)))
    return dict(sorted(people.items(), key=lambda item: str(item[0])))


def _one(decisions: list[Decision], subject: Subject, now: datetime) -> ChoiceStanding:
    about = [d for d in decisions if d.subject == subject]
    if not about:
        return NEVER_ASKED
    begun = [d for d in about if d.is_no or d.starts_at is None or d.starts_at <= now]
    if not begun:
        return ChoiceStanding(Verdict.NOT_ANSWERED, Why.NOT_YET, about[-1])
    newest = begun[-1]
    if newest.is_no:
        return ChoiceStanding(Verdict.NO, Why.DECIDED, newest)
    if newest.expires_at is not None and newest.expires_at <= now:
        # A lift that ran out must not let the earlier opt-out be forgotten: for CancerLinQ it counts as a no.
        verdict = Verdict.NO if subject == CANCERLINQ else Verdict.NOT_ANSWERED
        return ChoiceStanding(verdict, Why.EXPIRED, newest)
    return ChoiceStanding(Verdict.YES, Why.DECIDED, newest, newest.categories, newest.sensitive)


def _union(stands: list[ChoiceStanding]) -> ChoiceStanding:
    """Deny wins; two yeses let through only what both let through."""
    for verdict in (Verdict.NO, Verdict.YES):
        of_kind = [s for s in stands if s.verdict is verdict]
        if not of_kind:
            continue
        newest = max(of_kind, key=lambda s: _when(s))
        if verdict is Verdict.NO:
            return newest
        return ChoiceStanding(
            Verdict.YES,
            Why.DECIDED,
            newest.decision,
            frozenset.intersection(*[s.categories for s in of_kind]),
            frozenset.intersection(*[s.sensitive for s in of_kind]),
        )
    answered = [s for s in stands if s.decision is not None]
    return max(answered, key=lambda s: _when(s)) if answered else NEVER_ASKED


def _when(stands: ChoiceStanding) -> tuple[datetime, int, str]:
    decision = stands.decision
    assert decision is not None, "only what was answered has a decision"
    return decision.recorded_at, decision.version, str(decision.id)


def _asked_since_lift(people: Mapping[UUID, list[Decision]], effort: str, now: datetime) -> bool:
    """Whether every linked person with a yes to `effort` gave it after their last opt-out was lifted."""
    for decisions in people.values():
        given = _one(decisions, donation_to(effort), now)
        if not given.permits or given.decision is None:
            continue
        opt_outs = [d.version for d in decisions if d.subject == CANCERLINQ and d.is_no]
        if not opt_outs:
            continue
        lifts = [
            d.version
            for d in decisions
            if d.subject == CANCERLINQ and d.answer is Answer.YES and d.version > max(opt_outs)
        ]
        if not lifts or given.decision.version < min(lifts):
            return False
    return True
