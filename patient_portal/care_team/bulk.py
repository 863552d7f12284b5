"""Many opt-outs from one list: looked at with the hospital, kept until they are confirmed, recorded all or none.

What is kept is sealed and is emptied when the list is done. The same file is the same list: sent again after a crash,
or by a colleague, it records nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import orjson
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from consent.audit_tables import StaffTask
from consent.authorization import ConsentText
from consent.coverage import PATIENT_ID, KnownAs, StoreEffect
from consent.person_identity import Alias
from consent.record_list import Listed, record_list
from consent.standing import standing
from consent.void_entry import Member
from database.context import Context, as_practice
from fhir_bridge.providers import Provider
from fhir_bridge.reading.shape import text
from patient_portal.care_team.chart import HOW, WHO_ASKED, OptOutForm, for_staff, opt_out, task_of
from patient_portal.care_team.hospital import Asking, on_teams_of, patients_by_number
from patient_portal.care_team.opt_out_list import BadRow, ListRow, match
from patient_portal.care_team.tables import OptOutList
from patient_portal.choices.choosing import Choices, what_would_change
from patient_portal.signing_in.aliases import add_aliases, aliases_in
from patient_portal.signing_in.hospital_patient import preferred_language
from patient_portal.wiring import Wiring
from vocabulary.actor import Actor
from vocabulary.errors import Conflict, NotFound, Unavailable
from vocabulary.resource import Resource

TRIES = 3
KEPT = timedelta(days=7)
"""How long a list waits to be confirmed, or for its letters to be printed."""


@dataclass(frozen=True)
class Made:
    """One opt-out that a list made, for its letter: whose, at the hospital and here."""

    patient: str = field(repr=False)
    person: UUID
    decision: UUID


@dataclass(frozen=True)
class KeptList:
    """A list as it stands: its rows until it is applied, what it made until the letters are on their way."""

    id: UUID
    count: int
    rows: tuple[ListRow, ...] = field(repr=False)
    made: tuple[Made, ...] = field(repr=False)
    recorded: int | None
    already_out: int | None
    made_at: datetime
    applied_at: datetime | None


def checked_with_hospital(
    asking: Asking, rows: Sequence[ListRow], now: datetime
) -> tuple[dict[int, Resource], list[BadRow]]:
    """Each row's patient, and the rows that fit none of the sender's own patients; a few requests for each fifty."""
    found = patients_by_number(asking, [row.record_number for row in rows])
    ids = sorted({text(one.get("id")) for patients in found.values() for one in patients})
    return match(rows, found, on_teams_of(asking, ids, now) if ids else set())


def keep_list(wiring: Wiring, member: Member, content: bytes, rows: Sequence[ListRow], now: datetime) -> UUID:
    """Keep a list that was looked at, until it is confirmed; the same file gives the same list."""
    mac, ring = wiring.keyring.content_mac(member.practice.encode() + b"\x00" + content), wiring.keyring
    found = uuid4()
    row = {
        "id": found, "account_id": member.account, "practice_id": member.practice, "file_mac": mac,
        "rows_sealed": ring.seal(orjson.dumps([asdict(one) for one in rows]), _place(found)), "row_count": len(rows),
        "made_at": now,
    }  # fmt: skip
    with wiring.database.begin(Context(account=member.account)) as session:
        session.execute(
            insert(OptOutList).values(row).on_conflict_do_nothing(index_elements=["account_id", "file_mac"])
        )
        kept = session.scalar(
            select(OptOutList.id).where(OptOutList.account_id == member.account, OptOutList.file_mac == mac)
        )
    assert kept is not None
    return kept


def kept_list(wiring: Wiring, member: Member, list_id: UUID) -> KeptList:
    """One of the member's own lists at this practice; NotFound for any other."""
    with wiring.database.begin(Context(account=member.account)) as session:
        return _opened(wiring, _row(session, member, list_id))


def own_lists(wiring: Wiring, member: Member) -> list[KeptList]:
    """The member's lists of this practice, newest first, a few."""
    with wiring.database.begin(Context(account=member.account)) as session:
        rows = session.scalars(
            select(OptOutList)
            .where(OptOutList.account_id == member.account, OptOutList.practice_id == member.practice)
            .order_by(OptOutList.made_at.desc())
            .limit(10)
        ).all()
        return [_opened(wiring, row) for row in rows]


def drop_list(wiring: Wiring, member: Member, list_id: UUID) -> None:
    """Throw away a list that was not applied."""
    with wiring.database.begin(Context(account=member.account)) as session:
        row = _row(session, member, list_id)
        if row.applied_at is not None:
            raise Conflict("list-is-applied")
        session.execute(delete(OptOutList).where(OptOutList.id == list_id))


def apply_list(
    wiring: Wiring,
    actor: Actor,
    member: Member,
    kept: KeptList,
    patients: Mapping[int, Resource],
    *,
    words: ConsentText,
    language: str,
    now: datetime,
) -> KeptList:
    """Record every row in one transaction; applied before, it is what it was. `patients` were asked for just now.

    When somebody signs in for the first time meanwhile, or a colleague's list has the same new person, it begins anew.
    """
    for _ in range(TRIES if kept.applied_at is None else 0):
        try:
            _apply(wiring, actor, member, kept, patients, words, language, now)
        except IntegrityError:
            continue  # somebody else made one of the people in between: read theirs
        return kept_list(wiring, member, kept.id)
    if kept.applied_at is None:
        raise Unavailable("list-contended", retry_after_seconds=5)
    return kept


def _apply(
    wiring: Wiring, actor: Actor, member: Member, kept: KeptList, patients: Mapping[int, Resource],
    words: ConsentText, language: str, now: datetime,
) -> None:  # fmt: skip
    with wiring.database.begin(Context(account=member.account)) as session:
        row = _row(session, member, kept.id, lock=True)
        if row.applied_at is not None:
            return
        key = f"list-{row.file_mac.hex()[:32]}"
        listed = [
            _listed(wiring, actor, member, one, patients[one.line], key, words, language, now) for one in kept.rows
        ]
        applied = record_list(session, wiring.keyring, listed, member.account, now)
        patient_of = dict(zip(applied.persons, (text(patients[one.line].get("id")) for one in kept.rows), strict=True))
        made = [
            {"patient": patient_of[each.person_id], "person": str(each.person_id), "decision": str(each.id)}
            for each in applied.decisions
            if each.person_id in patient_of
        ]
        done = {
            "rows_sealed": wiring.keyring.seal(orjson.dumps(made), _place(kept.id)), "recorded": len(made),
            "already_out": applied.already_out, "applied_at": now,
        }  # fmt: skip
        session.execute(update(OptOutList).where(OptOutList.id == kept.id).values(done))
    for person, alias in applied.unnamed:
        add_aliases(wiring, person, [alias], now)


def would_change(
    wiring: Wiring, actor: Actor, member: Member, patients: Sequence[Resource], words: ConsentText, language: str,
    now: datetime,
) -> tuple[StoreEffect, ...]:  # fmt: skip
    """What would happen store by store to a patient of this list who is in today: for every store that knows one of
    them. By the same rules that record it; nothing is stored."""
    provider, nobody = wiring.provider(member.provider), UUID(int=0)
    named = [alias for one in patients for alias in (_first_alias(provider, one), *aliases_in(one, provider))]
    known = KnownAs(
        frozenset((alias.at_practice, alias.system) for alias in named),
        frozenset({provider.state} if provider.state else ()),
    )
    choices = for_staff(
        Choices((), standing([], now), known, wiring.settings.stores, (), provider.cancerlinq_participant)
    )
    asking = Actor(actor.kind, actor.account_id, nobody, (nobody,), None, provider.id)
    form = OptOutForm(WHO_ASKED[0], next(iter(HOW)), "", "", "preview-of-a-list")
    asked = opt_out(
        asking, form, practice=member.practice, staff=member.reference, text=words, language=language, now=now
    )  # fmt: skip
    return what_would_change(choices, asked)


def letters_waiting(wiring: Wiring, member: Member, kept: KeptList) -> list[Made]:
    """Of what the list made, those whom only a letter can tell, and for whom nobody has said that it is posted."""
    tasks = {task_of(one.decision): one for one in kept.made}
    with wiring.database.begin(as_practice(member.practice, member.account)) as session:
        waiting = select(StaffTask.id).where(StaffTask.id.in_(tasks), StaffTask.closed_at.is_(None))
        return [tasks[task] for task in session.scalars(waiting)]


def letters_posted(wiring: Wiring, member: Member, kept: KeptList, posted: Sequence[Made], now: datetime) -> int:
    """These letters of the list are on their way: their tasks are done. With the last of them the list forgets whom it
    was about."""
    tasks = [task_of(one.decision) for one in posted]
    with wiring.database.begin(as_practice(member.practice, member.account)) as session:
        told = update(StaffTask).where(StaffTask.id.in_(tasks), StaffTask.closed_at.is_(None)).values(closed_at=now)
        closed = len(session.scalars(told.returning(StaffTask.id)).all())
        left = select(StaffTask.id).where(
            StaffTask.id.in_([task_of(one.decision) for one in kept.made]), StaffTask.closed_at.is_(None)
        )
        if session.scalar(left.limit(1)) is None:
            session.execute(update(OptOutList).where(OptOutList.id == kept.id).values(rows_sealed=None))
    return closed


def forget_old(session: Session, now: datetime) -> None:
    """Delete lists that nobody confirmed in time; run by a worker in the propagation role."""
    session.execute(delete(OptOutList).where(OptOutList.made_at < now - KEPT, OptOutList.applied_at.is_(None)))


def _listed(
    wiring: Wiring, actor: Actor, member: Member, row: ListRow, patient: Resource, key: str, words: ConsentText,
    language: str, now: datetime,
) -> Listed:  # fmt: skip
    provider = wiring.provider(member.provider)
    own = preferred_language(patient, wiring.settings.languages)
    first = _first_alias(provider, patient)
    nobody = UUID(int=0)  # filled in when the person is found or made
    asked = opt_out(
        Actor(actor.kind, actor.account_id, nobody, (nobody,), None, provider.id), row.form(key),
        practice=member.practice, staff=member.reference, text=words, language=language, now=now,
    )  # fmt: skip
    return Listed((first, *aliases_in(patient, provider)), asked, own)


def _first_alias(provider: Provider, patient: Resource) -> Alias:
    return Alias(provider.id, PATIENT_ID, text(patient.get("id")), provider.practice)


def _row(session: Session, member: Member, list_id: UUID, *, lock: bool = False) -> OptOutList:
    query = select(OptOutList).where(
        OptOutList.id == list_id, OptOutList.account_id == member.account, OptOutList.practice_id == member.practice
    )
    row = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("list")
    return row


def _opened(wiring: Wiring, row: OptOutList) -> KeptList:
    plain = orjson.loads(wiring.keyring.open(row.rows_sealed, _place(row.id))) if row.rows_sealed else []
    rows = () if row.applied_at else tuple(ListRow(**one) for one in plain)
    made = [Made(one["patient"], UUID(one["person"]), UUID(one["decision"])) for one in plain] if row.applied_at else []
    return KeptList(
        row.id, row.row_count, rows, tuple(made), row.recorded, row.already_out, row.made_at, row.applied_at
    )


def _place(list_id: UUID) -> str:
    return f"opt_out_list:rows:{list_id}"
