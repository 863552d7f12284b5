"""Between the ledger's rows and the values that the rules speak of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from consent.decision import (
    Answer,
    ByWhom,
    Choice,
    DataCategory,
    Decision,
    Means,
    SensitiveClass,
    Subject,
)
from vocabulary.actor import ActorKind


def decision_of(row: Mapping[str, Any]) -> Decision:
    """The decision in a row of `decision`; what a role may not read may be absent and is then left blank (the
    release role sees who, what, when and on which text, but not by which account or means)."""
    return Decision(
        id=row["id"],
        person_id=row["person_id"],
        version=row["version"],
        subject=Subject(Choice(row["choice"]), row["effort_id"]),
        answer=Answer(row["answer"]),
        by=ByWhom(
            ActorKind(row["actor_kind"]), row.get("actor_account"), row.get("provider_id"), row.get("actor_reference")
        ),
        means=Means(row.get("means", Means.WEB)),
        language=row.get("language", ""),
        text_id=row["text_id"],
        text_version=row["text_version"],
        asked_at=row["asked_at"],
        recorded_at=row["recorded_at"],
        salt=row.get("salt", b""),
        categories=frozenset(DataCategory(name) for name in row["categories"]),
        sensitive=frozenset(SensitiveClass(name) for name in row["sensitive"]),
        starts_at=row["starts_at"],
        expires_at=row["expires_at"],
        confirmed_by_person=row["confirmed_by_person"],
        reason=row.get("reason"),
        practice=row["practice_id"],
        idempotency_key=row.get("idempotency_key", ""),
        evidence_sealed=row.get("evidence_sealed"),
    )


def row_of(decision: Decision) -> dict[str, Any]:
    """The row of `decision` to insert."""
    return {
        "id": decision.id,
        "person_id": decision.person_id,
        "version": decision.version,
        "choice": decision.choice.value,
        "effort_id": decision.effort,
        "answer": decision.answer.value,
        "categories": sorted(item.value for item in decision.categories),
        "sensitive": sorted(item.value for item in decision.sensitive),
        "actor_kind": decision.by.kind.value,
        "actor_account": decision.by.account_id,
        "actor_reference": decision.by.reference,
        "means": decision.means.value,
        "language": decision.language,
        "text_id": decision.text_id,
        "text_version": decision.text_version,
        "practice_id": decision.practice,
        "provider_id": decision.by.provider_id,
        "reason": decision.reason,
        "evidence_sealed": decision.evidence_sealed,
        "confirmed_by_person": decision.confirmed_by_person,
        "asked_at": decision.asked_at,
        "recorded_at": decision.recorded_at,
        "starts_at": decision.starts_at,
        "expires_at": decision.expires_at,
        "idempotency_key": decision.idempotency_key,
        "salt": decision.salt,
    }


# What the propagation role may read of a decision: all but the sealed evidence.
FEED_COLUMNS = (
    "id, person_id, version, choice, effort_id, answer, categories, sensitive, actor_kind, actor_account, "
    "actor_reference, means, language, text_id, text_version, practice_id, provider_id, reason, "
    "confirmed_by_person, asked_at, recorded_at, starts_at, expires_at, idempotency_key, salt"
)
