"""A decision to test with, all of it given but what the test is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from consent.decision import ALL_CATEGORIES, CANCERLINQ, Answer, ByWhom, Decision, Means, Subject
from vocabulary.actor import ActorKind

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NOW = T0 + timedelta(days=10)
ROSA, ROSA_AT_LAKESIDE = UUID(int=1), UUID(int=2)


def decided(
    version: int,
    subject: Subject = CANCERLINQ,
    answer: Answer = Answer.NO,
    person: UUID = ROSA,
    by: ActorKind = ActorKind.PATIENT,
    **more: object,
) -> Decision:
    given_categories = ALL_CATEGORIES if subject.effort and answer is Answer.YES else frozenset()
    decision = Decision(
        id=UUID(int=(person.int * 1_000_000 + version * 10 + (answer is Answer.NO)) % 2**128),
        person_id=person,
        version=version,
        subject=subject,
        answer=answer,
        by=ByWhom(by),
        means=Means.WEB,
        language="en",
        text_id="cancerlinq",
        text_version=1,
        asked_at=T0,
        recorded_at=T0 + timedelta(minutes=version),
        salt=b"s" * 32,
        categories=given_categories,
    )
    return replace(decision, **more)  # type: ignore[arg-type]  # changes are fields by name
