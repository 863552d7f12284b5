"""How many people asked for their record, received it, understood and donated: in numbers, small ones hidden.

Counted by sets across persons, once an hour, and kept as numbers beside the operator's other counts; the page reads
only those. A number below `SMALLEST_SHOWN` could point at somebody, so it is said to be small and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent.operations import Operations
from database.context import as_propagation
from database.unit_of_work import Database
from patient_portal.tables import FaqReply
from vocabulary.errors import Invalid
from vocabulary.phrase import Phrase, phrase

SMALLEST_SHOWN = 11
EVERY = timedelta(hours=1)
ASKED, RECEIVED, DONATED = "people:asked", "people:received", "people:donated"
PEOPLE: dict[str, Phrase] = {
    ASKED: phrase("Asked a clinic by letter"),
    RECEIVED: phrase("Received a record after a letter"),
    DONATED: phrase("Share with a study now"),
}

_COUNT = text(
    "INSERT INTO standing_count (name, value, oldest_at, looked_at)"
    " SELECT name, value, NULL, :now FROM ("
    " SELECT 'people:asked' AS name, count(DISTINCT person_id) AS value FROM access_event WHERE kind = 'asked'"
    " UNION ALL SELECT 'people:received', count(DISTINCT person_id) FROM access_event WHERE kind IN ('part', 'came')"
    " UNION ALL SELECT 'people:donated', count(DISTINCT person_id) FROM ("
    "  SELECT DISTINCT ON (person_id, effort_id) person_id, answer FROM decision WHERE effort_id IS NOT NULL"
    "  ORDER BY person_id, effort_id, version DESC) newest WHERE answer = 'yes'"
    " UNION ALL SELECT 'reply:' || question || ':' || answer, sum(count)::bigint FROM faq_reply GROUP BY 1) counted"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value, looked_at = excluded.looked_at"
)
_NEWEST = text("SELECT looked_at FROM standing_count WHERE name = 'people:asked'")


@dataclass(frozen=True)
class Question:
    """One short question after the FAQ; `right` is the answer that shows it was understood, if there is one."""

    id: str
    words: Phrase
    answers: Mapping[str, Phrase]
    right: str | None = None


QUESTIONS = (
    Question(
        "care",
        phrase("If you say no to CancerLinQ, does your care change?"),
        {
            "same": phrase("No, it stays the same"),
            "changes": phrase("Yes, it changes"),
            "unsure": phrase("I am not sure"),
        },
        right="same",
    ),
    Question(
        "clear",
        phrase("Do you know enough now to choose?"),
        {"yes": phrase("Yes"), "partly": phrase("In part"), "no": phrase("No, I have more questions")},
    ),
)


def count_reached(database: Database, now: datetime) -> bool:
    """Count anew when the last count is an hour old; whether it counted. `database` is the worker's login."""
    with database.begin(as_propagation()) as session:
        last = session.scalar(_NEWEST)
        if last is not None and now - last < EVERY:
            return False
        session.execute(_COUNT, {"now": now})
        return True


def keep_reply(session: Session, question: str, answer: str, on: date) -> None:
    """Count one answer in its month. Invalid for a question or answer that was not asked."""
    if not any(each.id == question and answer in each.answers for each in QUESTIONS):
        raise Invalid("faq-reply")
    row = {"month": on.replace(day=1), "question": question, "answer": answer, "count": 1}
    added = insert(FaqReply).values(row)
    more = {"count": FaqReply.count + 1}
    session.execute(added.on_conflict_do_update(index_elements=["month", "question", "answer"], set_=more))


def shown(operations: Operations, name: str) -> int | None:
    """A number to show; None when it is too small, nothing included."""
    value = operations.count(name)
    return value if value >= SMALLEST_SHOWN else None
