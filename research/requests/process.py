"""The life of a request for data, as the CENTRA process has it (X-07, X-09). Pure: events in, a standing out.

    submitted -> checked -> in review -> approved | denied | needs more information
    needs more information -> (answer) -> submitted
    approved -> agreement drafted -> signed and paid, in either order -> fulfilled
    withdrawn: at any time before the end

A request has no state of its own: `standing` computes it from the events, which are only added. What does not fit is
Conflict (409), and its `reason` is one of `WORDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from research.requests.clause import ClauseRef
from vocabulary.errors import Conflict

SMALLEST_COHORT = 11


class Stage(StrEnum):
    """Where a request is."""

    SUBMITTED = "submitted"
    CHECKED = "availability-checked"
    IN_REVIEW = "in-review"
    NEEDS_MORE = "needs-more-information"
    APPROVED = "approved"
    DRAFTED = "agreement-drafted"
    DENIED = "denied"
    FULFILLED = "fulfilled"
    WITHDRAWN = "withdrawn"


ENDED = frozenset({Stage.DENIED, Stage.FULFILLED, Stage.WITHDRAWN})


class Kind(StrEnum):
    """What can happen to a request."""

    SUBMITTED = "submitted"
    CHECKED = "checked"
    REVIEWED = "reviewed"
    DECIDED = "decided"
    ANSWERED = "answered"
    DRAFTED = "agreement-drafted"
    SIGNED = "agreement-signed"
    PAID = "payment-recorded"
    FULFILLED = "fulfilled"
    WITHDRAWN = "withdrawn"


class Outcome(StrEnum):
    """A decision is exactly one of these."""

    APPROVED = "approved"
    DENIED = "denied"
    NEEDS_MORE = "needs-more-information"


class Criterion(StrEnum):
    """What a reviewer looks at; approval needs a yes to each from everyone who reviewed."""

    MERIT = "scientific-merit"
    TEAM = "team-qualifications"
    MISSION = "mission-fit"
    FORM = "within-the-donors-form"


@dataclass(frozen=True)
class Event:
    """Something that happened. `detail` by kind: see the function of the kind below.

    `who`: the login, and in brackets the name that was typed beside it. Two names of one login are one (SEC-08).
    """

    kind: Kind
    who: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def login(self) -> str:
        """Who it was, whatever name they typed."""
        return self.who.partition(" (")[0]


@dataclass(frozen=True)
class Standing:
    """A request now. `accepted`: the clause its team accepted. `enough`: whether the last check found a cohort that may
    be released. `reviews`: by reviewer's login, whether all criteria were met, in this round. `asked_by`: the logins
    that submitted it or answered for its team. `cost` in cents."""

    stage: Stage
    accepted: ClauseRef | None = None
    enough: bool = False
    reviews: Mapping[str, bool] = field(default_factory=dict)
    asked_by: frozenset[str] = frozenset()
    agreement: str | None = None
    cost: int = 0
    signed: bool = False
    paid: bool = False


def standing(events: Iterable[Event]) -> Standing:
    """Where a request with this history stands; Conflict for a history that cannot have happened."""
    found: Standing | None = None
    for event in events:
        found = after(found, event)
    if found is None:
        raise Conflict("not-submitted")
    return found


def after(stands: Standing | None, event: Event) -> Standing:
    """The standing once `event` has happened; Conflict when it may not happen now."""
    if stands is None:
        if event.kind is not Kind.SUBMITTED:
            raise Conflict("not-submitted")
        return Standing(Stage.SUBMITTED, ClauseRef.of(event.detail["clause"]), asked_by=frozenset({event.login}))
    if stands.stage in ENDED:
        raise Conflict("request-has-ended")
    if event.kind is Kind.FULFILLED:
        return fulfilled(stands)
    if stands.stage not in FROM[event.kind]:
        raise Conflict("not-at-this-step")
    return _STEPS[event.kind](stands, event)


def fulfilled(stands: Standing) -> Standing:
    """Data leaves only once the agreement is signed and the payment recorded; asked before anything is built, too."""
    if stands.stage in ENDED:
        raise Conflict("request-has-ended")
    if stands.stage is not Stage.DRAFTED:
        raise Conflict("agreement-not-drafted")
    if not stands.signed:
        raise Conflict("agreement-not-signed")
    if not stands.paid:
        raise Conflict("payment-not-recorded")
    return replace(stands, stage=Stage.FULFILLED)


def _checked(stands: Standing, event: Event) -> Standing:
    """`enough`; `donors`: how many, or None for a number under 11."""
    return replace(stands, stage=Stage.CHECKED, enough=bool(event.detail["enough"]))


def _reviewed(stands: Standing, event: Event) -> Standing:
    """`met`: the criteria that the reviewer finds met. Reviewing again replaces one's own review.

    Nobody reviews or approves their own request (SEC-08).
    """
    if event.login in stands.asked_by:
        raise Conflict("own-request")
    if not stands.enough:
        raise Conflict("too-few-donors")
    whole = set(event.detail["met"]) == {each.value for each in Criterion}
    return replace(stands, stage=Stage.IN_REVIEW, reviews={**stands.reviews, event.login: whole})


def _decided(stands: Standing, event: Event) -> Standing:
    """`outcome`; for an approval `clause`, the one in force."""
    outcome = Outcome(event.detail["outcome"])
    if outcome is Outcome.NEEDS_MORE:
        return replace(stands, stage=Stage.NEEDS_MORE)
    if stands.stage is not Stage.IN_REVIEW and (outcome is Outcome.APPROVED or not _too_few(stands)):
        raise Conflict("not-reviewed")
    if outcome is Outcome.DENIED:
        return replace(stands, stage=Stage.DENIED)
    if event.login in stands.asked_by:
        raise Conflict("own-request")
    if not set(stands.reviews) - {event.login}:
        raise Conflict("only-your-own-review")
    in_force = ClauseRef.of(event.detail.get("clause"))
    if in_force is None or stands.accepted != in_force:
        raise Conflict("clause-not-accepted")
    if not all(stands.reviews.values()):
        raise Conflict("criteria-not-met")
    return replace(stands, stage=Stage.APPROVED)


def _too_few(stands: Standing) -> bool:
    return stands.stage is Stage.CHECKED and not stands.enough


def _answered(stands: Standing, event: Event) -> Standing:
    """The team's answer: `clause` as accepted now. Check and review begin anew."""
    asked_by = stands.asked_by | {event.login}
    return Standing(Stage.SUBMITTED, ClauseRef.of(event.detail["clause"]), asked_by=asked_by)


def _drafted(stands: Standing, event: Event) -> Standing:
    """`agreement`: the DUA's id; `cost`: the estimate in cents. A draft may be replaced until it is signed or paid."""
    if stands.signed or stands.paid:
        raise Conflict("agreement-in-use")
    return replace(stands, stage=Stage.DRAFTED, agreement=event.detail["agreement"], cost=event.detail["cost"])


def _signed(stands: Standing, event: Event) -> Standing:
    """`agreement`: the DUA that was signed, which is the one drafted last."""
    if stands.signed:
        raise Conflict("already-signed")
    if event.detail["agreement"] != stands.agreement:
        raise Conflict("another-agreement")
    return replace(stands, signed=True)


def _paid(stands: Standing, event: Event) -> Standing:
    """`amount` in cents: the whole estimate, or more."""
    if stands.paid:
        raise Conflict("already-paid")
    if event.detail["amount"] < stands.cost:
        raise Conflict("paid-too-little")
    return replace(stands, paid=True)


def _withdrawn(stands: Standing, _event: Event) -> Standing:
    return replace(stands, stage=Stage.WITHDRAWN)


# At which stages each thing may happen; nothing happens after the end.
FROM: Mapping[Kind, frozenset[Stage]] = {
    Kind.SUBMITTED: frozenset(),
    Kind.CHECKED: frozenset({Stage.SUBMITTED, Stage.CHECKED}),
    Kind.REVIEWED: frozenset({Stage.CHECKED, Stage.IN_REVIEW}),
    Kind.DECIDED: frozenset({Stage.SUBMITTED, Stage.CHECKED, Stage.IN_REVIEW}),
    Kind.ANSWERED: frozenset({Stage.NEEDS_MORE}),
    Kind.DRAFTED: frozenset({Stage.APPROVED, Stage.DRAFTED}),
    Kind.SIGNED: frozenset({Stage.DRAFTED}),
    Kind.PAID: frozenset({Stage.DRAFTED}),
    Kind.FULFILLED: frozenset({Stage.DRAFTED}),
    Kind.WITHDRAWN: frozenset(Stage) - ENDED,
}
_STEPS: Mapping[Kind, Callable[[Standing, Event], Standing]] = {
    Kind.CHECKED: _checked,
    Kind.REVIEWED: _reviewed,
    Kind.DECIDED: _decided,
    Kind.ANSWERED: _answered,
    Kind.DRAFTED: _drafted,
    Kind.SIGNED: _signed,
    Kind.PAID: _paid,
    Kind.WITHDRAWN: _withdrawn,
}
# Each reason in a sentence for whoever works with requests.
WORDS: Mapping[str, str] = {
    "not-submitted": "The request was never submitted.",
    "request-has-ended": "The request has ended: it was denied, fulfilled or withdrawn.",
    "not-at-this-step": "The request is not at this step.",
    "too-few-donors": "The last check found fewer than 11 donors, so there is nothing to review.",
    "not-reviewed": "Nobody has reviewed the request yet.",
    "own-request": "Whoever submitted a request, or answered for its team, neither reviews nor approves it.",
    "only-your-own-review": "Nobody but you has reviewed the request. Somebody else reviews it, or decides.",
    "clause-not-accepted": "The team has not accepted the clause against re-identification that is in force.",
    "criteria-not-met": "A reviewer found a criterion that is not met.",
    "agreement-not-drafted": "No data use agreement was drafted.",
    "agreement-in-use": "The agreement was signed or paid for, so another cannot take its place.",
    "another-agreement": "This is not the agreement that was drafted last.",
    "already-signed": "The agreement is signed already.",
    "already-paid": "The payment is recorded already.",
    "paid-too-little": "The payment is less than the estimate.",
    "agreement-not-signed": "The data use agreement is not signed.",
    "payment-not-recorded": "No payment is recorded.",
}
