"""A yes that ends or begins on a date, all the way to the stores."""

from __future__ import annotations

import random
import threading
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from consent.dates import due, key_of, row_for
from consent.decision import Answer, Means, donation_to
from consent.effort_ends import end_effort
from consent.efforts import LIVING_WELL
from consent.feed import ends
from consent.feed.begin_and_end import EVER, Calendar
from consent.feed.ends import add_ends
from consent.feed.run import run_feed
from consent.history import read_history, read_standing
from consent.leaf import leaf_of
from consent.person_identity import link_persons
from consent.rows import FEED_COLUMNS, decision_of
from consent.standing import Verdict, Why
from consent.status import Progress
from database.context import as_nobody, as_persons, as_propagation
from database.unit_of_work import Database
from tests.parts.consent.conftest import World
from tests.parts.consent.people import patient, person
from tests.parts.consent.test_status import status
from tests.pure.consent.stores import EARLY_SIGNS_STORE, LIVING_WELL_STORE

DAY = 24 * 3600
GIVE = donation_to("living-well")


def calendar(world: World) -> Calendar:
    return Calendar(world.database.worker)


def ledger(world: World) -> list[Any]:
    with world.database.maintenance.engine.connect() as connection:
        statement = text("SELECT d.*, q.position FROM decision d LEFT JOIN position q ON q.decision_id = d.id")
        return sorted(connection.execute(statement), key=lambda row: (str(row.person_id), row.version))


def test_every_store_obeys_an_end(world: World) -> None:
    """CON-09: at its end a donation's store is told no, with version, position and receipt; the person decided none."""
    store = world.add(LIVING_WELL_STORE)
    rosa, ben = person(world.database, 1), person(world.database, 2)
    world.press(rosa, GIVE, Answer.YES, expires_at=world.clock() + timedelta(days=30))
    world.press(ben, GIVE, Answer.YES)
    world.drain("living-well")
    looks = calendar(world)
    assert looks.look(world.clock()) == 0
    world.clock.tick(30 * DAY)
    assert looks.look(world.clock()) == 1
    assert looks.look(world.clock()) == calendar(world).look(world.clock()) == 0
    world.drain("living-well")
    assert sorted(store.answers().values()) == ["no", "yes"]
    (row,) = [row for row in ledger(world) if row.means == "expiry"]
    assert (row.person_id, row.version, row.actor_kind, row.position) == (rosa, 2, "system", 2)
    assert status(world, rosa)["living-well"].progress is Progress.CONFIRMED
    assert status(world, rosa)["living-well"].answer is Answer.NO
    with world.database.web.begin(as_persons(rosa)) as session:
        stands = read_standing(session, [rosa], world.clock()).donation(LIVING_WELL)
        assert len(read_history(session, [rosa])) == 2
    assert (stands.verdict, stands.why) == (Verdict.NOT_ANSWERED, Why.EXPIRED)
    world.press(rosa, GIVE, Answer.YES)
    world.drain("living-well")
    assert sorted(store.answers().values()) == ["yes", "yes"], "given anew, it counts anew"


def test_not_told_before_it_begins(world: World) -> None:
    """CON-09: a yes for later has its place in the ledger at once, and the store hears of it on its day."""
    store = world.add(LIVING_WELL_STORE)
    rosa = person(world.database, 1)
    begins, ends = world.clock() + timedelta(days=2), world.clock() + timedelta(days=9)
    world.press(rosa, GIVE, Answer.YES, starts_at=begins, expires_at=ends)
    world.drain("living-well")
    assert store.effects == []
    assert "living-well" not in status(world, rosa), "it holds no code for her: nobody there"
    world.clock.tick(2 * DAY)
    assert calendar(world).look(world.clock()) == 1
    world.drain("living-well")
    world.clock.tick(7 * DAY)
    assert calendar(world).look(world.clock()) == 1
    world.drain("living-well")
    assert [(version, answer) for _, version, answer in store.effects] == [(2, "yes"), (3, "no")]


def test_nothing_begins_for_an_effort_that_has_ended(world: World) -> None:
    """HIP-10: a yes for later whose day comes after the end of its effort is told to nobody."""
    store = world.add(LIVING_WELL_STORE)
    world.press(person(world.database, 1), GIVE, Answer.YES, starts_at=world.clock() + timedelta(days=3))
    with world.database.worker.begin(as_nobody()) as session:
        end_effort(session, LIVING_WELL, "ops", "The study is over", world.clock())
    world.clock.tick(4 * DAY)
    assert calendar(world).look(world.clock()) == 0
    world.drain("living-well")
    assert store.answers() == {}


def test_a_later_yes_never_overtakes_a_no(world: World) -> None:
    """X-05, CON-10: refused or opted out before its day, a yes for later is never told; nor the lift's way back."""
    direct, via = world.add(LIVING_WELL_STORE), world.add(EARLY_SIGNS_STORE)
    rosa, ben = person(world.database, 1), person(world.database, 2)
    begins = world.clock() + timedelta(days=2)
    for who in (rosa, ben):
        world.press(who, GIVE, Answer.YES, starts_at=begins)
        world.press(who, donation_to("early-signs"), Answer.YES, starts_at=begins)
    world.press(rosa, GIVE)
    world.press(rosa)
    world.clock.tick(2 * DAY)
    assert calendar(world).look(world.clock()) == 2, "Ben's two"
    world.press(rosa, answer=Answer.YES)
    assert calendar(world).look(world.clock()) == 0
    for name in ("living-well", "early-signs"):
        world.drain(name)
    assert [answer for _, _, answer in direct.effects + via.effects] == ["yes", "yes"]


def test_an_end_is_not_carried_to_a_linked_person(world: World) -> None:
    """X-01: nobody refused; linking after an end carries no no to the other person."""
    rosa, there = person(world.database, 1), person(world.database, 2, "lakeside")
    world.press(rosa, GIVE, Answer.YES, expires_at=world.clock() + timedelta(days=1))
    world.press(there, GIVE, Answer.YES)
    world.clock.tick(DAY)
    assert calendar(world).look(world.clock()) == 1
    link_persons(world.database.web, world.database.keyring, patient(rosa, there), rosa, there, world.clock())
    assert [row.answer for row in ledger(world) if row.person_id == there] == ["yes"]


def test_the_set_of_ends_is_the_rule_s(world: World) -> None:
    """CON-09, decisions (Merkle leaf): for 25 people's random histories the statement adds what the rule says of each
    end, no more, with the leaf that an auditor computes from the row."""
    chance, people = random.Random(11), [person(world.database, number) for number in range(25)]
    for _ in range(3):
        for who in people:
            begins, ends = (world.clock() + timedelta(days=chance.choice(days)) for days in ((0, 1, 5), (6, 8, 40)))
            dates = {"expires_at": chance.choice([None, ends, ends]), "starts_at": chance.choice([None, begins])}
            answer = chance.choice([Answer.YES, Answer.YES, Answer.NO])
            subject = donation_to(chance.choice(["living-well", "early-signs"]))
            world.press(who, subject, answer, **(dates if answer is Answer.YES else {}))
        world.clock.tick(2 * DAY)
        calendar(world).look(world.clock())
    world.clock.tick(9 * DAY)
    with world.database.worker.begin(as_propagation()) as session:
        rows = session.execute(text(f"SELECT {FEED_COLUMNS} FROM decision ORDER BY version")).all()
    histories = {who: [decision_of(row._asdict()) for row in rows if row.person_id == who] for who in people}
    items = {who: due(own, world.clock()) for who, own in histories.items()}
    said = {
        (who, item.decision.subject.effort, key_of(item.decision, item.means))
        for who, found in items.items()
        for item in found
        if item.means is Means.EXPIRY
    }
    assert len(said) > 5
    assert add_ends(world.database.worker, EVER, world.clock()) == len(said)
    made = [row for row in ledger(world) if row.recorded_at == world.clock()]
    assert {(row.person_id, row.effort_id, row.idempotency_key) for row in made} == said
    ids = {row.id for row in made}
    with world.database.maintenance.engine.connect() as connection:
        marks = {row.decision_id: row.leaf for row in connection.execute(text("SELECT * FROM unsequenced"))}
    for row in made:
        item = next(one for one in items[row.person_id] if key_of(one.decision, one.means) == row.idempotency_key)
        decision = decision_of(row._asdict())
        assert decision == row_for(item, row.id, row.version, row.salt, world.clock())
        assert marks[row.id] == leaf_of(decision)
        assert (row.id.version, len(row.salt)) == (7, 32)
        assert row.version > max(one.version for one in histories[row.person_id])
    assert len(ids) == len(made) == len({row.salt for row in made})
    assert add_ends(world.database.worker, EVER, world.clock()) == 0
    for forbidden in ("UPDATE person SET created_at = now()", _A_YES):  # of the role itself: an end, and nothing else
        with (
            pytest.raises(ProgrammingError, match="row-level security"),
            world.database.worker.begin(as_propagation()) as session,
        ):
            session.execute(text(forbidden))


_A_YES = (
    "INSERT INTO decision SELECT gen_random_uuid(), person_id, 99, choice, effort_id, 'yes', categories, sensitive,"
    " 'system', actor_account, actor_reference, 'expiry', language, text_id, text_version, practice_id, provider_id,"
    " reason, NULL, confirmed_by_person, asked_at, recorded_at, starts_at, expires_at, 'x', salt FROM decision LIMIT 1"
)


def test_many_at_once_and_against_the_person(world: World) -> None:
    """Decisions (Order and position): several processes look while people press; one row a date, versions dense."""
    ends = world.clock() + timedelta(days=1)
    people = [person(world.database, number) for number in range(8)]
    for who in people:
        world.press(who, GIVE, Answer.YES, expires_at=ends)
    world.clock.tick(DAY)
    threads = [threading.Thread(target=lambda: calendar(world).look(world.clock())) for _ in range(3)]
    threads += [threading.Thread(target=lambda who=who: world.press(who, GIVE)) for who in people[:4]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calendar(world).look(world.clock())
    by_person: dict[Any, list[Any]] = {}
    for row in ledger(world):
        by_person.setdefault(row.person_id, []).append(row)
    for who, rows in by_person.items():
        assert [row.version for row in rows] == list(range(1, len(rows) + 1))
        assert sum(row.means == "expiry" for row in rows) <= 1
        assert rows[-1].answer == "no", who
    assert all(len(by_person[who]) == 2 for who in people[4:])


def test_more_than_one_page_of_persons(world: World, monkeypatch: Any) -> None:
    """Threats (growth): the look goes on page by page, whatever it finds on each; no transaction is of more people."""
    monkeypatch.setattr("consent.feed.ends.AT_ONCE", 2)
    monkeypatch.setattr("consent.feed.begin_and_end.AT_ONCE", 2)
    end, together = ends._end, []

    def watched(database: Database, persons: Any, now: datetime) -> int:
        together.append(len(persons))
        return end(database, persons, now)

    monkeypatch.setattr(ends, "_end", watched)
    for number in range(5):
        who, tomorrow = person(world.database, number), world.clock() + timedelta(days=1)
        world.press(who, GIVE, Answer.YES, expires_at=tomorrow)
        world.press(who, donation_to("early-signs"), Answer.YES, starts_at=tomorrow)
    world.clock.tick(DAY)
    assert calendar(world).look(world.clock()) == 10
    assert sorted(together) == [1, 2, 2]


def test_the_feed_process_looks_by_itself(world: World) -> None:
    """CON-09: nobody has to press anything; the running feed tells the store."""
    store = world.add(LIVING_WELL_STORE)
    rosa = person(world.database, 1)
    world.press(rosa, GIVE, Answer.YES, expires_at=world.clock() + timedelta(days=1))
    world.drain("living-well")
    world.clock.tick(DAY)
    stop = threading.Event()
    arguments = (world.database.worker, world.database.keyring, list(world.stores.values()), world.http(), stop)
    thread = threading.Thread(target=run_feed, args=arguments, kwargs={"clock": world.clock})
    thread.start()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and "no" not in store.answers().values():
        time.sleep(0.05)
    stop.set()
    thread.join(10)
    assert list(store.answers().values()) == ["no"]
