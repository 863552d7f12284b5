"""Keeps practices and consent texts in the database in step with configuration and files.

Stores and efforts are noted by the feed itself. Pages read configuration; later audits read these rows.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy.exc import ProgrammingError

from consent.authorization import load_texts
from consent.kept_texts import keep_texts, refuse_edited_texts
from consent.person_identity import note_practices
from database.context import as_nobody
from database.unit_of_work import Database
from patient_portal.settings import Settings
from patient_portal.wiring import Wiring
from vocabulary.errors import Unavailable

log = structlog.get_logger()


def write_catalogue(wiring: Wiring, now: datetime) -> None:
    """Add what is new and update practices' names; texts are only ever added, and an edited one is a ConfigError."""
    providers = wiring.settings.providers
    practices = {each.practice or f"{each.id}-main": (each.name, each.id) for each in providers}
    with wiring.database.begin(as_nobody()) as session:
        note_practices(session, practices)
        keep_texts(session, load_texts().all, now)


def refuse_texts_edited_since(settings: Settings) -> None:
    """ConfigError before a page is served from a text that was edited under the number people signed.

    A database that does not answer yet, or has no tables yet, keeps nobody from starting: the feed asks again.
    """
    database = Database(settings.database_url, pool_size=1, application_name="portal-check")
    try:
        with database.begin(as_nobody()) as session:
            refuse_edited_texts(session, load_texts().all)
    except (Unavailable, ProgrammingError) as error:
        log.warning("texts.not-compared", error=type(error).__name__)
    finally:
        database.close()
