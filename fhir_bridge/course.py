"""Where a retrieval begins: at the beginning, where a killed run left it, or with what changed since an earlier one.

Only changes are asked for (FHIR-16) where the hospital can tell, everything of the type was had before, and all of it
was asked for within the last week: `_lastUpdated` can miss what a hospital changed without saying so, and never shows
what it no longer has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from database.context import as_persons
from database.unit_of_work import Database
from fhir_bridge.keep_outcomes import COMPLETE, Said, notices_place
from fhir_bridge.keep_record import FILE_KIND, Keeper, version_place
from fhir_bridge.retrieve.beside import FILE_TYPE
from fhir_bridge.retrieve.chain import Mark
from fhir_bridge.retrieve.offered import NOTHING, Offered
from fhir_bridge.retrieve.page import Received
from fhir_bridge.retrieve.references import FileLink
from fhir_bridge.retrieve.run import Before
from fhir_bridge.retrieve.states import Dropped, Notice, State
from fhir_bridge.tables import RecordEntry, ResourceVersion, Retrieval, RetrievalSearch, RetrievalType

FINISHED = "finished"
WHOLE_EVERY = timedelta(days=7)
CLOCKS_DIFFER = timedelta(minutes=10)


@dataclass(frozen=True)
class Course:
    """`since`: by type, the moment after which changes are asked for, and what was `said` of the type then.

    `marks`: how far each search of this retrieval came already.
    """

    keeper: Keeper
    since: dict[str, str] = field(default_factory=dict)
    said: dict[str, Said] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)

    def before(self, database: Database, offered: Offered | None) -> Before:
        """What the retrieval is told before its first question."""
        if not self.marks:
            return Before(offered, since=self.since)
        with database.begin(as_persons(self.keeper.cipher.person)) as session:
            files = _files(session, self.keeper)

        def has_file(link: FileLink) -> bool:
            return self.keeper.fhir_index(FILE_TYPE, link.url) in files

        return Before(offered, self.marks, _had(database, self.keeper), has_file, self.since)


def course_of(session: Session, keeper: Keeper, row: Retrieval) -> Course:
    """Where the retrieval in `row` begins."""
    sealed = session.scalars(select(RetrievalSearch.sealed).where(RetrievalSearch.retrieval_id == row.id))
    marks = [_mark_of(orjson.loads(keeper.opened_mark(one))) for one in sealed]
    earlier = session.scalars(
        select(Retrieval)
        .where(
            Retrieval.connection_id == row.connection_id,
            Retrieval.state == FINISHED,
            Retrieval.started_at < row.started_at,
        )
        .order_by(Retrieval.started_at.desc())
        .limit(30)
    ).all()
    whole_at = next((one.started_at for one in earlier if one.whole), None)
    if whole_at is None or row.started_at - whole_at >= WHOLE_EVERY:
        return Course(keeper, marks={one.query: one for one in marks})
    return Course(keeper, *_changes(session, keeper, earlier[0]), {one.query: one for one in marks})


def _changes(session: Session, keeper: Keeper, newest: Retrieval) -> tuple[dict[str, str], dict[str, Said]]:
    """The types that were had wholly at the newest fetch, each with its moment, and what was said of them."""
    moment = (newest.started_at - CLOCKS_DIFFER).isoformat(timespec="seconds")
    rows = session.scalars(select(RetrievalType).where(RetrievalType.retrieval_id == newest.id)).all()
    had = {one.type: one for one in rows if State(one.state) in COMPLETE}
    if FILE_TYPE not in had and any(one.type == FILE_TYPE for one in rows):
        for names_files in ("DocumentReference", "DiagnosticReport"):
            had.pop(names_files, None)  # a file that could not be had is asked for again with the entry that names it
    said = {kind: _said(keeper, one) for kind, one in had.items() if one.notices_sealed is not None}
    return dict.fromkeys(had, moment), said


class OfferedMemory:
    """What servers said that they offer, by base address: public, the same for everyone, asked again after an hour."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[datetime, Offered]] = {}
        self._lock = Lock()

    def of(self, base: str, now: datetime) -> Offered | None:
        with self._lock:
            at, offered = self._known.get(base, (now - timedelta(days=1), NOTHING))
            return offered if timedelta() <= now - at < timedelta(hours=1) else None

    def note(self, base: str, offered: Offered, now: datetime) -> None:
        """Remember, unless it said nothing: then it is asked again."""
        with self._lock:
            if offered != NOTHING and (base not in self._known or self._known[base][1] is not offered):
                self._known[base] = (now, offered)


def _said(keeper: Keeper, row: RetrievalType) -> Said:
    kept = orjson.loads(keeper.cipher.open(row.notices_sealed or b"", notices_place(row.retrieval_id, row.type)))
    return Said(kept["notices"], [one for one in kept["dropped"] if one[2] != "vanished"])


def _mark_of(kept: dict[str, Any]) -> Mark:
    found = kept | {
        "notices": tuple(Notice(**one) for one in kept["notices"]),
        "dropped": tuple(Dropped(**one) for one in kept["dropped"]),
    }
    return Mark(**found)


def _had(database: Database, keeper: Keeper) -> Iterator[Received]:
    """What an earlier run of this retrieval has kept, one at a time."""
    own = RecordEntry.person_id == keeper.cipher.person, RecordEntry.retrieval_id == keeper.retrieval
    with database.begin(as_persons(keeper.cipher.person)) as session:
        rows = session.execute(
            select(RecordEntry.type, RecordEntry.fhir_id_index, ResourceVersion.content_sealed)
            .join(ResourceVersion, ResourceVersion.id == RecordEntry.version_id)
            .where(*own, RecordEntry.kind != FILE_KIND)
            .execution_options(yield_per=500)
        )
        for kind, index, sealed in rows:
            raw = keeper.cipher.open(sealed, version_place(kind, index))
            resource = orjson.loads(raw)
            yield Received(kind, str(resource.get("id")), resource, raw)


def _files(session: Session, keeper: Keeper) -> set[bytes]:
    return set(
        session.scalars(
            select(RecordEntry.fhir_id_index).where(
                RecordEntry.person_id == keeper.cipher.person,
                RecordEntry.retrieval_id == keeper.retrieval,
                RecordEntry.kind == FILE_KIND,
            )
        )
    )
