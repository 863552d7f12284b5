"""Consent texts as the database keeps them: added once per version and language, never edited (LANG-02, P11-01)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent.authorization import ConsentText, Texts
from consent.decision import Decision
from consent.tables import ConsentText as KeptText
from consent.text_versions import differs, text_of_row
from vocabulary.config_file import ConfigError
from vocabulary.errors import Conflict, NotFound

_ALL = text("SELECT * FROM consent_text ORDER BY id, version, language")


def refuse_edited_texts(session: Session, texts: Iterable[ConsentText]) -> None:
    """ConfigError when a file differs from the version that people were shown under the same number."""
    kept = {(row["id"], row["version"], row["language"]): row for row in session.execute(_ALL).mappings()}
    newest: dict[str, int] = {}
    for text_id, version, _language in kept:
        newest[text_id] = max(version, newest.get(text_id, 0))
    for each in texts:
        row = kept.get((each.id, each.version, each.language))
        other = differs(each, row) if row is not None else None  # type: ignore[arg-type]  # a row is read by its columns' names
        if other is not None:
            raise ConfigError(
                f"consent text {each.id}, version {each.version}, language {each.language}",
                f"differs in its {other} from what the database keeps, and people may have signed that",
                f"Put the file back as it was, or give it version = {newest[each.id] + 1}: with major = false when it"
                " only says the same better, with major = true and `changes` when people must be asked again",
            )


def keep_texts(session: Session, texts: Iterable[ConsentText], now: datetime) -> None:
    """Add what is new; what is kept already must be the same. For the worker's login."""
    found = tuple(texts)
    refuse_edited_texts(session, found)
    for each in found:
        row = {
            "id": each.id, "version": each.version, "language": each.language, "body": each.body,
            "sha256": bytes.fromhex(each.sha256), "reviewer": each.reviewer, "review_state": each.review,
            "major": each.major, "published_at": now,
        }  # fmt: skip
        session.execute(insert(KeptText).values(row).on_conflict_do_nothing())


def kept_text(session: Session, text_id: str, version: int, language: str) -> ConsentText | None:
    """One kept version; None when it was never kept. Conflict when its words do not fit its hash."""
    row = session.scalars(
        select(KeptText).where(KeptText.id == text_id, KeptText.version == version, KeptText.language == language)
    ).one_or_none()
    return text_of_row({column.key: getattr(row, column.key) for column in KeptText.__table__.columns}) if row else None


def signed_text(session: Session, decision: Decision, evidence: Mapping[str, str], files: Texts) -> ConsentText:
    """The very words that were signed: from the kept row, never from what the files say today.

    `evidence` is the opened signature; its `text_sha256` was sealed with it, and so is part of the decision's leaf.
    A text that no row holds (no feed has started yet) is taken from its file only when it has that hash. NotFound for
    a decision that nobody signed; Conflict when the words are not those that were signed.
    """
    signed_sha256 = evidence.get("text_sha256")
    key = decision.text_id or "", decision.text_version or 0, decision.language
    found = kept_text(session, *key) or (files.exactly(*key) if signed_sha256 else None)
    if found is None or not found.authorizes or decision.is_no or not evidence.get("signed_name"):
        raise NotFound("signed-copy")
    if signed_sha256 is not None and found.sha256 != signed_sha256:
        raise Conflict("not-the-words-that-were-signed")
    return found
