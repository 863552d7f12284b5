"""What somebody asks to have recorded, and whether it may be: the pure half of recording a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from consent.authority.rules import Relation
from consent.authorization import ConsentText, check_can_activate
from consent.decision import CANCERLINQ, Answer, DataCategory, Decision, Means, SensitiveClass, Subject, donation_to
from consent.duo.limits import NO_BOUNDS, Bounds, shut_out
from consent.duo.plain_choices import PlainChoice, Scope
from consent.efforts import SANDBOX_EFFORTS, Effort, effort_by_id
from consent.standing import Verdict, standing
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import Conflict, Invalid, Refused

OPTED_OUT = "opted-out-of-cancerlinq"
DECIDES = frozenset({ActorKind.PATIENT, ActorKind.PROXY, ActorKind.CARE_TEAM, ActorKind.SYSTEM})
SHUT_OUT = "outside-the-chosen-kinds-of-research"
EFFORT_ENDED = "effort-has-ended"


@dataclass(frozen=True)
class Narrowed:
    """The kinds of research that shall be left open from now on; None for all of them."""

    choice: PlainChoice | None


@dataclass(frozen=True)
class Asked:
    """One press of a button, or one paper form.

    `subject` None means every research effort at once ("stop all research sharing"; only with `no`); with `narrowed`
    every effort that it shuts out.
    `idempotency_key` is the form's own: the same key gives the first result (I5). `evidence` is what proves it, such
    as `{"signed_name": …}` or `{"asked_by": …}`; it is sealed. `asked_at` None means now. `text` is what was shown.
    `actor_reference` is the hospital's reference of a care-team member. `starts_at`, `expires_at`: donations only.
    """

    actor: Actor
    person: UUID
    subject: Subject | None
    answer: Answer
    idempotency_key: str
    language: str
    means: Means = Means.WEB
    text: ConsentText | None = None
    categories: frozenset[DataCategory] = frozenset()
    sensitive: frozenset[SensitiveClass] = frozenset()
    asked_at: datetime | None = None
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    reason: str | None = None
    practice: str | None = None
    actor_reference: str | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    narrowed: Narrowed | None = None

    @property
    def by_care_team(self) -> bool:
        return self.actor.kind is ActorKind.CARE_TEAM

    @property
    def donates(self) -> bool:
        """A yes to a research effort."""
        return self.answer is Answer.YES and self.subject is not None and self.subject.effort is not None


def check_asked(
    asked: Asked, now: datetime, *, production: bool, efforts: tuple[Effort, ...] = SANDBOX_EFFORTS
) -> None:
    """Refused or Invalid when this may not be recorded at all, whatever the history says."""
    if asked.actor.kind is ActorKind.ANONYMOUS:
        raise Refused("nobody-acts")
    if asked.actor.kind not in DECIDES:
        raise Refused("may-not-decide")
    _check_form(asked, now)
    if asked.by_care_team:
        _check_care_team(asked)
    if asked.subject is None and asked.answer is Answer.YES:
        raise Invalid("all-efforts-at-once-only-to-stop")
    if asked.narrowed is not None:
        _check_narrowed(asked)
    if asked.subject is not None and asked.subject.effort is not None:
        effort = effort_by_id(asked.subject.effort, efforts)
        if effort is None:
            raise Invalid("unknown-effort")
        if asked.answer is Answer.YES:
            _check_donation(asked, effort, now, production=production)


def _check_form(asked: Asked, now: datetime) -> None:
    if not 8 <= len(asked.idempotency_key) <= 80 or not asked.idempotency_key.isascii():
        raise Invalid("idempotency-key")
    if asked.asked_at is not None and asked.asked_at > now:
        raise Invalid("asked-in-the-future", {"asked_at": "in-the-future"})
    if asked.reason is not None and len(asked.reason) > 500:
        raise Invalid("reason-too-long", {"reason": "too-long"})


def _check_care_team(asked: Asked) -> None:
    """SMART-65, X-04: the care team may opt a person out of CancerLinQ, with a reason, and nothing else."""
    if asked.subject != CANCERLINQ or asked.answer is not Answer.NO:
        raise Refused("care-team-opt-out-only")
    if not (asked.reason or "").strip():
        raise Invalid("reason-missing", {"reason": "missing"})


def _check_narrowed(asked: Asked) -> None:
    """DUO-04: only the person or who stands for them; "my kind of cancer" needs one."""
    if asked.actor.kind not in (ActorKind.PATIENT, ActorKind.PROXY):
        raise Refused("only-the-person-narrows")
    if asked.subject is not None or asked.answer is not Answer.NO:
        raise Invalid("narrowing-is-a-no")
    choice = asked.narrowed.choice if asked.narrowed else None
    if choice is not None and choice.scope is Scope.MY_CANCER and not choice.my_cancers:
        raise Invalid("kind-of-cancer-missing", {"my_cancers": "missing"})


def _check_donation(asked: Asked, effort: Effort, now: datetime, *, production: bool) -> None:
    """HIP-10, HIP-12: a complete text in the reader's own language, parts chosen, a name typed."""
    if asked.text is None or asked.text.id != effort.id or asked.text.language != asked.language:
        raise Invalid("text-in-this-language-missing")
    check_can_activate(asked.text, production=production)
    if not asked.categories or not asked.categories <= effort.offers:
        raise Invalid("categories", {"categories": "choose-at-least-one"})
    if not asked.evidence.get("signed_name", "").strip():
        raise Invalid("signature", {"signed_name": "missing"})
    if asked.actor.kind is ActorKind.PROXY and not asked.evidence.get("authority", "").strip():
        raise Invalid("authority", {"authority": "missing"})
    if asked.expires_at is not None and asked.expires_at <= now:
        raise Invalid("expires-in-the-past", {"expires_at": "in-the-past"})


def check_alive(asked: Asked, *, died: bool) -> None:
    """HIP-16: after a confirmed death what was decided goes on holding, and only who acts for the estate gives anew."""
    by_estate = asked.actor.kind is ActorKind.PROXY and asked.evidence.get("authority") == Relation.ESTATE.value
    if died and asked.answer is Answer.YES and not by_estate:
        raise Refused("person-has-died")


def check_standing(
    asked: Asked,
    history: Sequence[Decision],
    now: datetime,
    bounds: Bounds = NO_BOUNDS,
    efforts: tuple[Effort, ...] = SANDBOX_EFFORTS,
) -> None:
    """Conflict when a yes cannot be given as things stand; `history` is that of the person and everyone linked to them.

    An effort fed by CancerLinQ is refused while the CancerLinQ opt-out stands, whoever gave that and by whichever
    door the yes comes: no donation is written, and after the opt-out is lifted the person is asked again. An effort
    of a kind that the person shut out is refused until they leave that kind open again: deny wins. One that has ended
    asks nobody any more.
    """
    if not asked.donates or asked.subject is None or asked.subject.effort is None:
        return
    effort = effort_by_id(asked.subject.effort, efforts)
    if asked.subject.effort in bounds.ended:
        raise Conflict(EFFORT_ENDED)
    if effort is not None and effort.via_cancerlinq and standing(history, now).opted_out:
        raise Conflict(OPTED_OUT)
    if shut_out(bounds.limits, asked.subject.effort, now.date()):
        raise Conflict(SHUT_OUT)


def first_result(asked: Asked, history: Sequence[Decision]) -> tuple[Decision, ...]:
    """What this very form recorded before; empty when it is new."""
    prefix = asked.idempotency_key + "/"
    return tuple(decision for decision in history if decision.idempotency_key.startswith(prefix))


def subjects_to_record(
    asked: Asked, own_history: Sequence[Decision], now: datetime, efforts: tuple[Effort, ...] = SANDBOX_EFFORTS
) -> tuple[Subject, ...]:
    """For which subjects this person needs a new row: none where the same already stands.

    A care team's second opt-out keeps the first one's date; the person's own confirms it with a row of its own.
    """
    stands = standing(own_history, now)
    if asked.subject is None:
        given = (name for name, choice in stands.donations.items() if choice.verdict is not Verdict.NO)
        return tuple(donation_to(name) for name in given if _is_meant(asked, name, now))
    about = [d for d in own_history if d.subject == asked.subject and not d.by_the_clock]
    newest = max(about, key=lambda d: d.version, default=None)
    if newest is None or newest.answer is not asked.answer:
        return (asked.subject,)
    confirms = not newest.confirmed_by_person and not asked.by_care_team
    if confirms or asked.answer is Answer.NO:
        return (asked.subject,) if confirms else ()
    return () if _same_yes(asked, newest, own_history, now, efforts) else (asked.subject,)


def _is_meant(asked: Asked, effort: str, now: datetime) -> bool:
    """Whether a no without a subject is about this effort: all of them, or those shut out."""
    if asked.narrowed is None:
        return True
    return asked.narrowed.choice is not None and bool(shut_out([asked.narrowed.choice], effort, now.date()))


def _same_yes(
    asked: Asked, newest: Decision, own_history: Sequence[Decision], now: datetime, efforts: tuple[Effort, ...]
) -> bool:
    if asked.subject == CANCERLINQ:
        return True
    effort = effort_by_id(newest.effort or "", efforts)
    return (
        effort is not None
        and standing(own_history, now).donation(effort).permits
        and (newest.categories, newest.sensitive) == (asked.categories, asked.sensitive)
        and (newest.starts_at, newest.expires_at) == (asked.starts_at, asked.expires_at)
        and asked.text is not None
        and (newest.text_id, newest.text_version, newest.language)
        == (asked.text.id, asked.text.version, asked.text.language)
    )
