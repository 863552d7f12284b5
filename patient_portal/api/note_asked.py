"""Who asked whether data may be used: a line a day for a person and question, one with counts for a batch (HIP-25).

A pipeline asks before each use, so lines by the question would grow with its work; a person wants to know who asked,
for what and on which days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

import orjson
from sqlalchemy import text

from consent.audit import Audited, audit_values, write_audit
from consent.decide.lines import Tally
from consent.feed.read_events import SUBJECT_SYSTEM
from consent.read_for_reader import find_by_name
from database.context import as_nobody, as_persons
from patient_portal.wiring import Wiring, now

_ONCE_A_DAY = text(
    "INSERT INTO audit_event (person_id, recorded_at, event, action, outcome, actor_kind, actor_reference, detail)"
    " SELECT :person_id, :recorded_at, :event, :action, :outcome, :actor_kind, :actor_reference, CAST(:said AS jsonb)"
    " WHERE NOT EXISTS (SELECT FROM audit_event a WHERE a.person_id = :person_id AND a.recorded_at >= :day"
    " AND a.event = :event AND a.actor_reference = :actor_reference AND a.detail = CAST(:said AS jsonb))"
)


@dataclass(frozen=True)
class Asking:
    """For which store, data class and purpose it was asked."""

    store: str
    category: str
    purpose: str

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> Asking:
        """From the words of a question that was understood."""
        return cls(asked["store"], asked["class"], asked["purpose"])

    @classmethod
    def of_body(cls, body: bytes) -> Asking:
        """From the body of one question that was understood."""
        return cls.of(orjson.loads(body))

    def as_detail(self) -> dict[str, object]:
        return {"store": self.store, "class": self.category, "purpose": self.purpose}


def note_question(wiring: Wiring, client: str, asked: Asking, names: Sequence[str], *, allowed: bool) -> None:
    """Add the line of a question about one person, unless it was asked today already; nothing about nobody."""
    settings, moment = wiring.settings, now()
    store = next(each for each in settings.stores if each.id == asked.store)
    issuers = [provider.id for provider in settings.providers]
    for name in names:
        system, bar, value = name.partition("|")
        if not bar:
            system, value = SUBJECT_SYSTEM, name
        named = find_by_name(wiring.database, wiring.keyring, store, issuers, system, value)
        if named is None:
            continue
        detail = asked.as_detail() | {"allowed": allowed}
        line = Audited(named.person, "decisions.asked", "R", "program", actor_reference=client, detail=detail)
        day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        bound = audit_values(line, moment) | {"day": day, "said": orjson.dumps(detail).decode()}
        with wiring.database.begin(as_persons(named.person)) as session:
            session.execute(_ONCE_A_DAY, bound)
        return


def note_batch(wiring: Wiring, client: str, asked: Asking, tally: Tally, *, kind: str = "program") -> None:
    """Add the one line of a batch: how many were asked about and how many allowed, and nobody by name."""
    detail = asked.as_detail() | {"count": tally.asked, "allowed": tally.allowed}
    line = Audited(None, "decisions.asked", "R", kind, actor_reference=client, detail=detail)
    with wiring.database.begin(as_nobody()) as session:
        write_audit(session, now(), line)
