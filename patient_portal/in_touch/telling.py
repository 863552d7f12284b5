"""What a person is told that follows from sign-in and from their record: composed here, where the rooms meet."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from database.context import as_persons
from notifications.tell import Told, tell_in
from patient_portal.in_touch.texting import texting_of
from patient_portal.wiring import Wiring

_NEW_ACCOUNT = text(
    "SELECT 1 FROM connection WHERE id = :connection AND created_at >= :now AND EXISTS"
    " (SELECT FROM connection o WHERE o.person_id = :person AND o.account_id <> connection.account_id)"
)
_NEW_VERSIONS = text(
    "WITH seen AS (SELECT m.retrieval_id = :retrieval AS this, max(v) AS newest FROM retrieval_manifest m,"
    " unnest(m.version_ids) AS v WHERE m.person_id = :person GROUP BY 1)"
    " SELECT max(newest) FILTER (WHERE this) > max(newest) FILTER (WHERE NOT this) FROM seen"
)


def tell_of_new_sign_in(session: Session, wiring: Wiring, person: UUID, connection: UUID, now: datetime) -> Told | None:
    """Tell the person, once, that an account that was not theirs so far signed in to their record.

    In the transaction of the sign-in. Nothing is told of a first account: there is nobody yet to be told.
    """
    about = {"person": person, "connection": connection, "now": now}
    if session.scalar(_NEW_ACCOUNT, about) is None:
        return None
    return tell_in(session, texting_of(wiring), person, "security", f"signed-in:{connection}", now)


def tell_of_new_entries(wiring: Wiring, person: UUID, retrieval: UUID, now: datetime) -> Told | None:
    """Tell, where the person wants it, that a fetch brought something that none before it had; once for each fetch.

    Nothing is told of the first fetch: all of it is new.
    """
    with wiring.database.begin(as_persons(person)) as session:
        if not session.scalar(_NEW_VERSIONS, {"person": person, "retrieval": retrieval}):
            return None
        return tell_in(session, texting_of(wiring), person, "new-records", str(retrieval), now)
