"""What the pages about choices need, gathered once: history, standing, the stores concerned, the words shown."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy.orm import Session

from consent.around_choices import read_around
from consent.asked import Asked
from consent.audit import by_actor, write_audit
from consent.authorization import ConsentText, Texts, load_texts
from consent.coverage import KnownAs, StoreEffect, effects, stores_concerned, told_answer
from consent.decision import CANCERLINQ, Answer, Decision, Subject
from consent.duo.limits import NO_BOUNDS, Bounds, said_limits
from consent.duo.plain_choices import PlainChoice
from consent.effort_ends import ended_by
from consent.efforts import SANDBOX_EFFORTS, Effort, effort_by_id
from consent.history import Entry, read_history
from consent.record_decision import Recorded, record_decision
from consent.standing import Standing, standing
from consent.store_config import Basis, Store
from consent.would_change import preview
from database.context import as_persons
from patient_portal.edge.page_context import language_code
from patient_portal.family.on_behalf import on_behalf
from patient_portal.wiring import Wiring, now
from vocabulary.actor import Actor
from vocabulary.errors import NotFound
from vocabulary.phrase import Phrase

TEXTS: Texts = load_texts()


@dataclass(frozen=True)
class Choices:
    """Everything about one person's choices at one moment."""

    history: tuple[Entry, ...]
    standing: Standing
    known: KnownAs
    stores: tuple[Store, ...]
    clinics: tuple[str, ...]
    participates: bool
    bounds: Bounds = NO_BOUNDS
    all_efforts: tuple[Effort, ...] = SANDBOX_EFFORTS

    @property
    def limits(self) -> tuple[PlainChoice, ...]:
        """The kinds of research that the person leaves open."""
        return self.bounds.limits

    @property
    def decisions(self) -> list[Decision]:
        return [entry.decision for entry in self.history]

    @property
    def concerned(self) -> frozenset[str]:
        """Ids of the stores that hold, or by their feed would receive, this person."""
        return stores_concerned(self.stores, self.known)

    @property
    def efforts(self) -> tuple[Effort, ...]:
        """The research efforts this installation delivers to, or did until they ended."""
        served = {store.effort for store in self.stores if store.basis is Basis.DONATION}
        return tuple(effort for effort in self.all_efforts if effort.id in served)

    @property
    def registries(self) -> list[Store]:
        return [store for store in self.stores if store.basis is Basis.LAW and store.id in self.concerned]

    def stores_of(self, decision: Decision) -> tuple[Store, ...]:
        """The stores that `decision` is about; beside CancerLinQ's the registries, which are shown and never told."""
        of_cancerlinq = decision.subject == CANCERLINQ
        return tuple(
            store
            for store in self.stores
            if told_answer(store, decision) is not None or (of_cancerlinq and store.basis is Basis.LAW)
        )

    def shut_out(self, effort: Effort) -> list[Phrase]:
        """What the person chose that leaves this effort out, in their own plain words; empty when none does."""
        return said_limits(self.limits, effort.id, now().date())

    def entry(self, decision: UUID) -> Entry:
        """One of this person's decisions; NotFound for any other id."""
        for entry in self.history:
            if entry.decision.id == decision:
                return entry
        raise NotFound("decision")


def read_choices(session: Session, wiring: Wiring, persons: Sequence[UUID]) -> Choices:
    """Gather in one transaction that is in the persons' context."""
    settings = wiring.settings
    history = read_history(session, persons)
    states = {provider.id: provider.state for provider in settings.providers}
    around = read_around(session, wiring.keyring, persons, states)
    taking_part = {each.practice or f"{each.id}-main" for each in settings.providers if each.cancerlinq_participant}
    return Choices(
        history=history,
        standing=standing([entry.decision for entry in history], now()),
        known=_also_asked(around.known, history, settings.stores),
        stores=settings.stores,
        clinics=tuple(name for practice, name in around.practices.items() if practice in taking_part),
        participates=any(practice in taking_part for practice in around.practices),
        bounds=around.bounds,
        all_efforts=ended_by(SANDBOX_EFFORTS, around.ends),
    )


def _also_asked(known: KnownAs, history: Sequence[Entry], stores: Sequence[Store]) -> KnownAs:
    """A study that was answered is concerned from that moment on, before the feed has made its random code."""
    answered = {entry.decision.effort for entry in history if entry.decision.effort}
    asked = {store.id for store in stores if store.effort in answered}
    return replace(known, coded_in=known.coded_in | asked)


def choices_of(wiring: Wiring, actor: Actor) -> Choices:
    """The actor's own choices."""
    with wiring.database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        return read_choices(session, wiring, actor.persons)


def effort_or_not_found(choices: Choices, effort_id: str) -> Effort:
    """An effort that this installation serves."""
    effort = effort_by_id(effort_id, choices.efforts)
    if effort is None:
        raise NotFound("effort")
    return effort


def asked_by(actor: Actor, subject: Subject | None, answer: Answer, form: str, text: ConsentText | None) -> Asked:
    """What a patient's own form asks to have recorded."""
    assert actor.person is not None
    return Asked(
        actor=actor,
        person=actor.person,
        subject=subject,
        answer=answer,
        idempotency_key=form,
        language=language_code(),
        text=text,
    )


def what_would_change(choices: Choices, asked: Asked) -> tuple[StoreEffect, ...]:
    """The preview: what the real decision engine says would change in each store concerned, and what would not."""
    before, after = preview(choices.decisions, asked, now())
    return effects(before, after, choices.stores, choices.concerned, choices.efforts, choices.participates)


def record(wiring: Wiring, asked: Asked) -> Recorded:
    """Record a decision now."""
    asked = on_behalf(wiring, asked, now())
    return record_decision(wiring.database, wiring.keyring, asked, now(), production=wiring.settings.production)


def note_denied(wiring: Wiring, asked: Asked, why: str) -> None:
    """SEC-08: an answer that the rule refused stands in the audit; nothing else of it is kept."""
    subject = asked.subject
    detail = {"answer": asked.answer.value, "why": why}
    if subject is not None:
        detail |= {"choice": subject.choice.value} | ({"effort": subject.effort} if subject.effort else {})
    line = by_actor(asked.actor, "decision.denied", "C", outcome="4", detail=detail)
    with wiring.database.begin(as_persons(*asked.actor.persons, account=asked.actor.account_id)) as session:
        write_audit(session, now(), line)


def new_form() -> str:
    """A form's own key: sent twice, it gives the first result (I5)."""
    return secrets.token_urlsafe(24)
