"""What the person sees of each store, and receipts that come later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text

from consent.around_choices import read_around
from consent.decision import Answer, donation_to
from consent.history import read_history
from consent.late_receipts import accept_late_receipts
from consent.person_identity import add_alias, link_persons
from consent.status import Progress, StoreStatus, all_confirmed, read_status
from consent.wire_signature import sign
from database.context import as_persons
from database.unit_of_work import count_statements
from tests.parts.consent.conftest import World
from tests.parts.consent.people import mrn, patient, person
from tests.parts.consent.receiver import Receiver
from tests.pure.consent.stores import DISCOVERY, EARLY_SIGNS_STORE, OLD_SECRET, REGISTRY, SECRET
from vocabulary.errors import Invalid, NotFound, Refused

STATES = {"riverside": "MA", "lakeside": "NY"}


def status(world: World, *persons: UUID) -> dict[str, StoreStatus]:
    stores = list(world.stores.values())
    with world.database.web.begin(as_persons(*persons)) as session:
        known = read_around(session, world.database.keyring, persons, STATES).known
        rows = read_status(session, read_history(session, persons), stores, known, world.clock())
    return {row.store_id: row for row in rows}


def test_from_waiting_to_confirmed(world: World, platform: Receiver) -> None:
    """I7, SUB-08: recorded, then told and confirmed with what the store signed; late is "not confirmed"."""
    rosa = person(world.database, 1)
    assert status(world, rosa)["cancerlinq"].progress is Progress.NOTHING_TO_TELL
    world.press(rosa)
    row = status(world, rosa)["cancerlinq"]
    assert (row.progress, row.told_at, row.overdue) == (Progress.WAITING, None, False)
    world.clock.tick(15 * 60 + 1)
    row = status(world, rosa)["cancerlinq"]
    assert (row.progress, row.overdue) == (Progress.NOT_CONFIRMED, True)
    world.drain("cancerlinq")
    row = status(world, rosa)["cancerlinq"]
    assert (row.progress, row.confirmed_at, row.reference) == (Progress.CONFIRMED, world.clock(), "REF-1")
    assert str(row.did) == "It says that it removed 7 entries about you."
    assert not row.overdue


def test_only_own_stores_and_the_registry(world: World, platform: Receiver) -> None:
    """X-06, HIP-30: the state's registry is shown and marked as law; another state's is not; no store twice."""
    world.add(REGISTRY)
    rosa, ben = person(world.database, 1), person(world.database, 2, "lakeside")
    world.press(rosa)
    rows = status(world, rosa)
    assert rows["registry"].progress is Progress.BY_LAW
    assert list(rows)[-1] == "registry"
    assert "registry" not in status(world, ben)


def test_accepted_then_confirmed_later(world: World) -> None:
    """Wire (later receipts): a promise is not a confirmation; the store's own later receipt is; twice is once."""
    discovery = world.add(DISCOVERY)
    discovery.state = "accepted"
    rosa = person(world.database, 1)
    world.press(rosa)
    world.drain("discovery")
    row = status(world, rosa)["discovery"]
    assert row.progress is Progress.ACCEPTED
    assert "next build" in str(row.did)
    assert "cannot be called back" in str(row.cannot_undo[0])
    assert not all_confirmed([row])
    body = late([{"event": 1, "version": 1, "state": "applied", "removed": 0, "keeps": "suppression-key"}])
    assert post(world, "discovery", body) == 1
    assert post(world, "discovery", body) == 0
    row = status(world, rosa)["discovery"]
    assert row.progress is Progress.CONFIRMED
    assert all_confirmed([row])


def late(receipts: list[dict[str, Any]], store: str = "discovery") -> bytes:
    return orjson.dumps({"store": store, "receipts": receipts})


def post(world: World, store: str, body: bytes, secret: str = SECRET) -> int:
    headers = sign([secret], "late-1", body, world.clock())
    stores: Sequence[Any] = list(world.stores.values())
    return accept_late_receipts(world.database.web, stores, store, headers, body, world.clock())


@pytest.mark.parametrize(
    ("store", "body", "secret", "error"),
    [
        ("nowhere", late([{"event": 1, "version": 1, "state": "applied"}]), SECRET, NotFound),
        ("discovery", late([{"event": 1, "version": 1, "state": "applied"}]), OLD_SECRET, Refused),
        ("discovery", late([{"event": 1, "version": 1, "state": "applied"}], "tempus"), SECRET, Refused),
        ("discovery", late([{"event": 9, "version": 1, "state": "applied"}]), SECRET, Invalid),
        ("discovery", b"garbage", SECRET, Refused),
        ("discovery", late([{"event": 2, "version": 1, "state": "applied"}]), SECRET, Invalid),
    ],
    ids=["unknown-store", "forged", "misaddressed", "never-told", "garbage", "older-version"],
)
def test_forged_late_receipts(world: World, store: str, body: bytes, secret: str, error: type[Exception]) -> None:
    """SUB-08, SUB-11: forged, misaddressed, unknown, or of an older version than was told: refused with a typed error
    and no change of state."""
    world.add(DISCOVERY).state = "accepted"
    rosa = person(world.database, 1)
    for answer in (Answer.YES, Answer.NO):
        world.press(rosa, answer=answer)
    world.drain("discovery")
    with pytest.raises(error):
        post(world, store, body, secret)
    assert status(world, rosa)["discovery"].progress is Progress.ACCEPTED


def test_parked_and_unplaced_are_with_staff(world: World, platform: Receiver) -> None:
    """Decisions: what a store could not place, or would not take, is said to be with staff."""
    rosa, ben = person(world.database, 1), person(world.database, 2)
    platform.misbehave = lambda _, events, good: (500, {}, b"") if any(e.value == "MRN-1" for e in events) else None
    world.press(rosa)
    world.press(ben)
    world.drain("cancerlinq")
    assert status(world, rosa)["cancerlinq"].progress is Progress.WITH_STAFF
    assert status(world, ben)["cancerlinq"].progress is Progress.CONFIRMED
    platform.misbehave = None
    world.clock.tick(600)
    world.drain("cancerlinq")
    assert status(world, rosa)["cancerlinq"].progress is Progress.CONFIRMED


def test_effort_fed_by_cancerlinq_confirms_the_opt_out(world: World, platform: Receiver) -> None:
    """X-05: the status of an opt-out shows the effort it ended, too."""
    world.add(EARLY_SIGNS_STORE)
    rosa = person(world.database, 1)
    world.press(rosa, donation_to("early-signs"), Answer.YES)
    world.drain("early-signs")
    assert status(world, rosa)["early-signs"].answer is Answer.YES
    world.press(rosa)
    world.drain("early-signs")
    row = status(world, rosa)["early-signs"]
    assert (row.answer, row.progress) == (Answer.NO, Progress.CONFIRMED)
    assert "may be kept" in str(row.cannot_undo[0])


def test_new_names_are_told(world: World, platform: Receiver) -> None:
    """CON-10, decisions (who is who): an opt-out reaches the store under a name learnt later, and linked persons'."""
    rosa, there = person(world.database, 1), person(world.database, 2, "lakeside")
    world.press(rosa)
    world.drain("cancerlinq")
    add_alias(world.database.web, world.database.keyring, rosa, mrn("new"), world.clock())
    link_persons(world.database.web, world.database.keyring, patient(rosa, there), rosa, there, world.clock())
    world.drain("cancerlinq")
    assert platform.answers() == {"MRN-1": "no", "MRN-new": "no", "MRN-2": "no"}
    assert status(world, rosa, there)["cancerlinq"].progress is Progress.CONFIRMED


def test_one_query_for_all_stores(world: World, platform: Receiver, curator: Receiver) -> None:
    """G6.2: history, names and status of all stores: four short queries, however many stores."""
    rosa = person(world.database, 1)
    world.press(rosa)
    for store in world.stores:
        world.drain(store)
    sent: list[str] = []
    count_statements(world.database.web.engine, sent)
    assert set(status(world, rosa)) == {"cancerlinq", "tempus"}
    assert len(sent) <= 5, sent


def test_receipts_name_nobody(world: World, platform: Receiver) -> None:
    """House rule 6: the feed's own tables, which every login reads, hold numbers and codes only."""
    world.press(person(world.database, 1))
    world.drain("cancerlinq")
    with world.database.maintenance.engine.connect() as connection:
        for table in ("store_batch", "receipt", "store_cursor"):
            assert "MRN" not in str(connection.execute(text(f"SELECT * FROM {table}")).all())
