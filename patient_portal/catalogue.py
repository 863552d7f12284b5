"""Keeps practices and consent texts in the database in step with configuration and files.

Stores and efforts are noted by the feed itself. Pages read configuration; later audits read these rows.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent.authorization import load_texts
from consent.person_identity import note_practices
from consent.tables import ConsentText
from database.context import as_nobody
from patient_portal.wiring import Wiring


def write_catalogue(wiring: Wiring, now: datetime) -> None:
    """Add what is new and update practices' names; texts are only ever added."""
    providers = wiring.settings.providers
    practices = {each.practice or f"{each.id}-main": (each.name, each.id) for each in providers}
    with wiring.database.begin(as_nobody()) as session:
        note_practices(session, practices)
        _add_texts(session, now)


def _add_texts(session: Session, now: datetime) -> None:
    for text in load_texts().all:
        row = {
            "id": text.id, "version": text.version, "language": text.language, "body": text.body,
            "sha256": bytes.fromhex(text.sha256), "reviewer": text.reviewer, "review_state": text.review,
            "major": text.major, "published_at": now,
        }  # fmt: skip
        session.execute(insert(ConsentText).values(row).on_conflict_do_nothing())
