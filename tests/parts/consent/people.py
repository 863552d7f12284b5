"""A person known to a hospital, and a press of a button, for tests on the real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from consent.asked import Asked
from consent.authorization import load_texts
from consent.decision import ALL_CATEGORIES, CANCERLINQ, Answer, Subject
from consent.person_identity import Alias, find_or_create_person
from tests.support.postgres import TestDatabase
from vocabulary.actor import Actor, ActorKind

RIVERSIDE = "urn:oid:2.16.840.1.113883.19.5"
LAKESIDE = "urn:oid:2.16.840.1.113883.19.6"
NOW = datetime.now(UTC).replace(microsecond=0)
TEXTS = load_texts()


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def mrn(number: int | str, hospital: str = "riverside") -> Alias:
    return Alias(hospital, RIVERSIDE if hospital == "riverside" else LAKESIDE, f"MRN-{number}")


def person(database: TestDatabase, number: int | str, hospital: str = "riverside") -> UUID:
    return find_or_create_person(database.web, database.keyring, mrn(number, hospital), NOW)


def patient(who: UUID, *others: UUID) -> Actor:
    return Actor(ActorKind.PATIENT, account_id=uuid4(), person=who, persons=(who, *others), provider_id="riverside")


def nurse(who: UUID) -> Actor:
    return Actor(ActorKind.CARE_TEAM, account_id=uuid4(), person=who, persons=(who,), provider_id="riverside")


def asked(who: UUID, subject: Subject | None = CANCERLINQ, answer: Answer = Answer.NO, **more: Any) -> Asked:
    """What a press of a button asks; a donation comes signed, with all parts."""
    values: dict[str, Any] = {"actor": patient(who), "idempotency_key": uuid4().hex, "language": "en"}
    if subject is not None and subject.effort is not None and answer is Answer.YES:
        values |= {
            "text": TEXTS.newest(subject.effort, "en"),
            "categories": ALL_CATEGORIES,
            "evidence": {"signed_name": "Rosa Example"},
        }
    return Asked(person=who, subject=subject, answer=answer, **{**values, **more})
