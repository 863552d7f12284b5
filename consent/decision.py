"""One decision of one person, as it was made. Decisions are added, never changed (ADR: the ledger)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from vocabulary.actor import ActorKind


class Choice(StrEnum):
    """The two kinds of choice the ledger holds; texts and the hospital connection are kept elsewhere (X-01)."""

    CANCERLINQ = "cancerlinq"
    DONATION = "donation"


class Answer(StrEnum):
    """For CancerLinQ `no` is the opt-out and `yes` lifts it; for an effort `yes` donates and `no` withdraws."""

    YES = "yes"
    NO = "no"


class DataCategory(StrEnum):
    """The three kinds of information the CancerLinQ leaflet names (X-03)."""

    GENERAL = "general"
    CLINICAL = "clinical"
    THERAPY = "therapy"


class SensitiveClass(StrEnum):
    """Kinds of information that are off in every donation unless switched on one by one (CON-06)."""

    SUBSTANCE_USE = "substance-use"
    HIV = "hiv"
    MENTAL_HEALTH = "mental-health"
    REPRODUCTIVE = "reproductive"
    GENETIC = "genetic"
    VIOLENCE = "violence"


class Means(StrEnum):
    """How the decision reached us. `BEGINNING` and `EXPIRY`: nobody decided; the clock reached a date of a yes.

    `VOID`: two of a practice took back their own entry for the wrong person (`consent/void_entry.py`).
    """

    WEB = "web"
    CARE_TEAM = "care-team"
    PAPER = "paper"
    PHONE = "phone"
    BEGINNING = "beginning"
    EXPIRY = "expiry"
    VOID = "void"


ALL_CATEGORIES = frozenset(DataCategory)


@dataclass(frozen=True)
class Subject:
    """What a choice is about: CancerLinQ (`effort` is None) or one research effort."""

    choice: Choice
    effort: str | None = None

    def __post_init__(self) -> None:
        if (self.choice is Choice.DONATION) != (self.effort is not None):
            raise ValueError("a donation names its effort, and CancerLinQ names none")


CANCERLINQ = Subject(Choice.CANCERLINQ)


def donation_to(effort: str) -> Subject:
    """The choice whether to donate to `effort`."""
    return Subject(Choice.DONATION, effort)


@dataclass(frozen=True)
class ByWhom:
    """Who acted, and with what authority: kept with each decision (house rule 2, X-04, CON-12).

    `account_id` is the signed-in account; `reference` the opaque fhirUser of a care-team member, such as
    `Practitioner/7`, at `provider_id`.
    """

    kind: ActorKind
    account_id: UUID | None = None
    provider_id: str | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Decision:
    """A row of the ledger.

    `version` counts 1, 2, 3 … per person over all choices, given out under the person's lock; it alone orders one
    person's decisions and is FHIR `meta.versionId`. Times are aware and in UTC. `asked_at` is when the person said
    it (evidence only), `recorded_at` when it was stored. `expires_at` None means until changed. `salt` (32 random
    bytes) hides the row in its Merkle leaf. `text_id` and `text_version` name the exact words shown. What was signed
    or who asked on paper or by phone is in `evidence_sealed`, encrypted.
    """

    id: UUID
    person_id: UUID
    version: int
    subject: Subject
    answer: Answer
    by: ByWhom
    means: Means
    language: str
    text_id: str | None
    text_version: int | None
    asked_at: datetime
    recorded_at: datetime
    salt: bytes
    categories: frozenset[DataCategory] = frozenset()
    sensitive: frozenset[SensitiveClass] = frozenset()
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    confirmed_by_person: bool = True
    reason: str | None = None
    practice: str | None = None
    idempotency_key: str = ""
    evidence_sealed: bytes | None = None

    @property
    def choice(self) -> Choice:
        return self.subject.choice

    @property
    def effort(self) -> str | None:
        return self.subject.effort

    @property
    def is_no(self) -> bool:
        return self.answer is Answer.NO

    @property
    def by_the_clock(self) -> bool:
        """Whether this row only tells the stores that a yes began or ran out (ADR 0008). It is no decision: where a
        person stands follows from what they decided and the time."""
        return self.means in (Means.BEGINNING, Means.EXPIRY)

    @property
    def is_deferred(self) -> bool:
        """A yes for later: no store is told of it by this row, but when it begins."""
        return not self.is_no and self.starts_at is not None and self.starts_at > self.recorded_at
