"""The build of a request's files: consent is asked at the moment of the build, never taken from the approval (X-08).

Each donor is asked again when their record is read, and all of them once more in the transaction that lets the files
appear: who revoked meanwhile is left out. That transaction also notes the fulfilment and, for each donor, that data
left. Until it is done the lines are in a file without a name, so that whatever ends the build leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from uuid import UUID

import orjson
import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.decision import DataCategory
from consent.donors import Donor
from consent.efforts import Effort, Holds
from consent.history import read_history
from database.context import as_nobody, as_persons, as_release
from database.keyring import KeyRing
from database.unit_of_work import Database
from fhir_bridge.person_ciphers import cipher_of
from research.delivery_rows import subject_at
from research.permission import NoPermit, permit_for
from research.record_pin import is_being_retrieved, pin_record, pinned_sources
from research.requests.cohort import Group, cohort, people
from research.requests.datasets import dataset, hold_to_form
from research.requests.manifest import MANIFEST, Included, Release, lines_for, write_release
from research.requests.process import SMALLEST_COHORT, Event, Kind, fulfilled
from research.requests.rows import Request, add_event, read_request
from research.selection import Chosen
from vocabulary.actor import ActorKind
from vocabulary.errors import Conflict

log = structlog.get_logger()
_HEARD = text("SELECT max(position) + 1 FROM position")
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:request, 0))")
WORDS = {
    "cohort-too-small": "Fewer than 11 people could be in the file now, so it is not made.",
    "changed-meanwhile": "Somebody else acted on this request just now. Look at it again.",
    "folder-is-in-use": "The folder of this request holds something else. Move it away first.",
}


@dataclass(frozen=True)
class Builder:
    """What a build needs. `database`: the worker's login. `folder`: where each request gets a folder of its own."""

    database: Database
    ring: KeyRing
    folder: Path
    clock: Callable[[], datetime]
    code_version: str


@dataclass(frozen=True)
class Fulfilled:
    """Where the files are, and their manifest."""

    folder: Path
    manifest: dict[str, Any]


@dataclass(frozen=True)
class _Part:
    """One donor's lines: where they stand in the nameless file, and the yes they were chosen by."""

    donor: Donor
    group: Group
    chosen: Chosen
    included: Included
    offset: int
    size: int

    def read(self, lines: BinaryIO) -> Included:
        lines.seek(self.offset)
        return replace(self.included, lines=lines.read(self.size).split(b"\n"))


def fulfil(builder: Builder, request_id: UUID, who: str) -> Fulfilled:
    """Make the files of a request whose agreement is signed and whose payment is recorded.

    Conflict, and no file, before that; when fewer than 11 people are left; and when somebody was quicker.
    """
    with builder.database.begin(as_nobody()) as session:
        request = read_request(session, request_id)
        fulfilled(request.stands)
        effort, asked = dataset(request.dataset), request.asked_for
        hold_to_form(effort, asked.purpose, builder.clock().date())
    with builder.database.begin(as_release()) as session:
        found = cohort(session, effort, asked.parts, builder.clock())
    _refuse_few(people(group for _, group in found.values()))
    with tempfile.TemporaryFile() as lines:
        parts = [
            part
            for donor, group in found.values()
            if (part := _part_of(builder, request.id, asked.parts, effort, donor, group, lines)) is not None
        ]
        made = _let_out(builder, request_id, effort, who, parts, lines)
    log.info("request.fulfilled", request=str(request_id), count=made.manifest["subjects"])
    return made


def _refuse_few(count: int) -> None:
    if count < SMALLEST_COHORT:
        raise Conflict("cohort-too-small")


def _part_of(
    builder: Builder,
    request_id: UUID,
    wanted: frozenset[DataCategory],
    effort: Effort,
    donor: Donor,
    group: Group,
    lines: BinaryIO,
) -> _Part | None:
    """One donor's lines, written to the nameless file; None when nothing of them may leave now, or half of their record
    would."""
    now = builder.clock()
    with builder.database.begin(as_persons(*sorted(group))) as session:
        history = [entry.decision for entry in read_history(session, sorted(group))]
        permit = permit_for(history, donor.person, effort, now)
        if isinstance(permit, NoPermit) or is_being_retrieved(session, donor.person, now):
            return None
        parts = permit.chosen.categories & wanted
        chosen = Chosen(parts, permit.chosen.sensitive, Holds.DE_IDENTIFIED)
        pinned = pin_record(session, donor.person)
        if not parts or not pinned.versions:
            return None
        sources = tuple(pinned_sources(session, cipher_of(session, builder.ring, donor.person), pinned))
        subject = subject_at(session, f"request/{request_id}", donor.person, now)
    made = lines_for(sources, chosen, request_id.bytes, subject, now.year)
    if not made:
        return None
    offset, content = lines.tell(), b"\n".join(made)
    lines.write(content)
    return _Part(donor, group, chosen, Included(subject, permit.version, made[:0]), offset, len(content))


def _let_out(
    builder: Builder, request_id: UUID, effort: Effort, who: str, parts: list[_Part], lines: BinaryIO
) -> Fulfilled:
    """Ask everybody once more, and let the files appear in the transaction that says so."""
    now = builder.clock()
    place = _Place(builder.folder / str(request_id))
    with _nothing_left(place), builder.database.begin(as_release()) as session:
        session.execute(_ONE_AT_A_TIME, {"request": str(request_id)})
        request = read_request(session, request_id)
        fulfilled(request.stands)
        heard = int(session.scalar(_HEARD) or 0)  # asked first: a no that is counted here is known to what follows
        standing = cohort(session, effort, request.asked_for.parts, now)
        kept = sorted((part for part in parts if _still(part, standing)), key=lambda part: part.included.subject)
        _refuse_few(people(part.group for part in kept))
        release = _release(builder, request, heard, now)
        manifest = write_release(place.begin(), release, (partial(one.read, lines) for one in kept))
        _note(session, request, who, manifest, kept, now)
        place.appear()
    return Fulfilled(place.place, manifest)


def _still(part: _Part, standing: dict[UUID, tuple[Donor, Group]]) -> bool:
    """Whether nothing was decided since the lines were chosen that could take any of them away."""
    donor, group = standing.get(part.donor.person, (None, None))
    if donor is None or group != part.group or donor.version != part.donor.version:
        return False
    return part.chosen.categories <= donor.stands.categories and part.chosen.sensitive <= donor.stands.sensitive


def _release(builder: Builder, request: Request, heard: int, now: datetime) -> Release:
    stands = request.stands
    assert stands.agreement is not None, "drafted before it was signed"
    assert stands.accepted is not None, "accepted before it was approved"
    return Release(
        request=str(request.id),
        dataset=request.dataset,
        parts=request.asked_for.parts,
        agreement=stands.agreement,
        clause=stands.accepted,
        code_version=builder.code_version,
        built_at=now.astimezone(UTC).isoformat(timespec="seconds"),
        ledger_position=heard,
    )


def _note(
    session: Session, request: Request, who: str, manifest: dict[str, Any], kept: list[_Part], now: datetime
) -> None:
    """The end of the request, and for each donor the line that their own page shows."""
    digest = hashlib.sha256(orjson.dumps(manifest, option=orjson.OPT_INDENT_2)).hexdigest()
    detail = {
        "manifest_sha256": digest,
        "people": people(one.group for one in kept),
        "rows": sum(one["rows"] for one in manifest["files"]),
    }
    add_event(session, request, Event(Kind.FULFILLED, who, detail), now)
    rows = {one["subject"]: one["rows"] for one in manifest["consents"]}
    about = {"effort": request.dataset, "manifest": str(request.id)}
    write_audit(
        session,
        now,
        *(
            Audited(part.donor.person, "donation.sent", "E", ActorKind.SYSTEM.value,
                    detail={**about, "count": rows[part.included.subject]})
            for part in kept
        ),
    )  # fmt: skip


@dataclass
class _Place:
    """A request's folder: its files grow out of sight beside it and appear at one step."""

    place: Path
    begun: bool = False
    appeared: bool = False

    @property
    def half(self) -> Path:
        return self.place.with_name(f".{self.place.name}.part")

    def begin(self) -> Path:
        """An empty folder to write in; what an earlier build that died left there is removed."""
        if self.place.exists() and not (self.place / MANIFEST).is_file():
            raise Conflict("folder-is-in-use")
        shutil.rmtree(self.half, ignore_errors=True)
        self.half.mkdir(mode=0o700, parents=True)
        self.begun = True
        return self.half

    def appear(self) -> None:
        # Files of a build whose commit never came: the request says that it is not fulfilled.
        shutil.rmtree(self.place, ignore_errors=True)
        self.half.rename(self.place)
        self.appeared = True

    def clear(self) -> None:
        """Take away what this build made, and nothing of another's."""
        if self.begun:
            shutil.rmtree(self.half, ignore_errors=True)
        if self.appeared:
            shutil.rmtree(self.place, ignore_errors=True)


@contextmanager
def _nothing_left(place: _Place) -> Iterator[None]:
    """Whatever goes wrong inside, the commit too, takes the files away again."""
    try:
        yield
    except BaseException:
        place.clear()
        raise
