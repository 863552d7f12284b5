"""A person's decisions as FHIR Consents with their history (CON-07, CON-08). Pure.

Each decision is a Consent of its own: `active` from the version that made it, and `inactive` from the version of the
decision that took its place. So no Consent is ever made active again, and `_history` tells the truth of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from consent.coverage import told_answer
from consent.decision import Answer, Choice, Decision, Subject, donation_to
from consent.store_config import Store


@dataclass(frozen=True)
class ConsentVersion:
    """One version of one Consent: `version` is its `meta.versionId`. `subject` and `answer` as the reader is told."""

    decision: Decision
    version: int
    status: str
    updated: datetime
    subject: Subject
    answer: Answer


def consent_versions(decisions: Iterable[Decision], store: Store | None) -> dict[UUID, tuple[ConsentVersion, ...]]:
    """Every Consent of one person with its versions, oldest first; for `store` only what it is told of.

    `store` None: an auditor, who sees each decision as it was made.
    """
    told = [each for each in (_told(decision, store) for decision in decisions) if each is not None]
    told.sort(key=lambda each: each.version)
    found: dict[UUID, tuple[ConsentVersion, ...]] = {}
    newest: dict[Subject, ConsentVersion] = {}
    for each in told:
        before = newest.get(each.subject)
        if before is not None:
            found[before.decision.id] = (before, _ended(before, each))
        found[each.decision.id] = (each,)
        newest[each.subject] = each
    return found


def _told(decision: Decision, store: Store | None) -> ConsentVersion | None:
    subject, answer = decision.subject, decision.answer
    if store is not None:
        heard = told_answer(store, decision)
        if heard is None:
            return None
        subject, answer = _subject(store, decision), heard
    return ConsentVersion(decision, decision.version, "active", decision.recorded_at, subject, answer)


def _subject(store: Store, decision: Decision) -> Subject:
    """For the store of an effort fed by CancerLinQ an opt-out is a no to that effort."""
    if store.effort is not None and decision.choice is Choice.CANCERLINQ:
        return donation_to(store.effort)
    return decision.subject


def _ended(before: ConsentVersion, after: ConsentVersion) -> ConsentVersion:
    return ConsentVersion(before.decision, after.version, "inactive", after.updated, before.subject, before.answer)


def newest_versions(found: dict[UUID, tuple[ConsentVersion, ...]]) -> Sequence[ConsentVersion]:
    """The newest version of each Consent, the one last changed first."""
    return sorted(
        (versions[-1] for versions in found.values()),
        key=lambda each: (each.version, each.decision.version),
        reverse=True,
    )
