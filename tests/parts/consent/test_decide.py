"""Decisions for data pipelines on the real ledger: fresh to the last commit, and no when in doubt."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text

from consent.decide.columns import Question
from consent.decide.decider import Answer, Decider, Sifted
from consent.decide.snapshot import Installation
from consent.decision import CANCERLINQ, DataCategory, SensitiveClass, donation_to
from consent.decision import Answer as Said
from consent.may_use import Purpose, Reason
from consent.person_identity import Alias, add_alias, link_persons, unlink_persons
from database.unit_of_work import count_statements, sqlalchemy_url
from tests.parts.consent.conftest import World
from tests.parts.consent.people import LAKESIDE, RIVERSIDE, patient, person
from tests.pure.consent.stores import ALL_STORES

HERE = Installation(frozenset({"riverside-main", "lakeside-main"}), {"riverside": "MA", "lakeside": "NY"})
CLINICAL, RESEARCH, OPERATIONS = DataCategory.CLINICAL, Purpose.RESEARCH, Purpose.OPERATIONS
LIVING_WELL = Question("living-well", CLINICAL, RESEARCH)
EARLY_SIGNS = Question("early-signs", CLINICAL, RESEARCH)
PLATFORM = Question("cancerlinq", CLINICAL, OPERATIONS)
DONATE, VIA = donation_to("living-well"), donation_to("early-signs")


@pytest.fixture
def decider(world: World) -> Iterator[Decider]:
    made = Decider(world.database.worker, world.database.keyring, ALL_STORES, HERE, world.clock)
    yield made
    made.close()


def coded(world: World, who: UUID, store: str = "living-well") -> bytes:
    """A random code for a person at a store, as the feed makes one."""
    engine = create_engine(sqlalchemy_url(world.database.superuser_url))
    code = f"{store}-{who.hex[:12]}"
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO store_subject (store_id, person_id, subject, created_at) VALUES (:s, :p, :c, now())"),
            {"s": store, "p": who, "c": code},
        )
    engine.dispose()
    return code.encode()


def token(number: int, system: str = RIVERSIDE) -> bytes:
    return f"{system}|MRN-{number}".encode()


def test_a_commit_counts_before_it_has_a_place(world: World, decider: Decider) -> None:
    """G4.4, CON-10: a withdrawal that no sequencer has seen denies the very next question; positions move after."""
    rosa = person(world.database, 1)
    code = coded(world, rosa)
    assert decider.decide(LIVING_WELL, code) == Answer(False, Reason.NO_DONATION, 0)
    world.press(rosa, DONATE, Said.YES)
    assert decider.decide(LIVING_WELL, code) == Answer(True, Reason.DONATED, 0)
    world.press(rosa, DONATE, Said.NO)
    assert decider.decide(LIVING_WELL, code) == Answer(False, Reason.NO_DONATION, 0)
    world.sequence()
    assert decider.decide(LIVING_WELL, code) == Answer(False, Reason.NO_DONATION, 2)
    world.press(rosa, DONATE, Said.YES)
    world.sequence()
    assert decider.decide(LIVING_WELL, code) == Answer(True, Reason.DONATED, 3)


def test_names_a_store_knows(world: World, decider: Decider) -> None:
    """X-05, X-06: asked by record number where the store knows that; nobody's name, another's system: no."""
    rosa, _ben = person(world.database, 1), person(world.database, 2)
    assert decider.decide(PLATFORM, token(1)).reason is Reason.NOT_OPTED_OUT
    world.press(rosa)
    assert decider.decide(PLATFORM, token(1)).reason is Reason.OPTED_OUT
    assert decider.decide(PLATFORM, token(2)).allowed
    for name in (token(3), token(2, LAKESIDE), b"MRN-2", b"", b"|", b"\xff\xfe|\x00", b"a|b|c"):
        assert decider.decide(PLATFORM, name) == Answer(False, Reason.NOT_CONCERNED, 0)
    law = Question("registry", CLINICAL, Purpose.PUBLIC_HEALTH)
    assert decider.decide(law, token(1)).reason is Reason.LAW
    assert decider.decide(Question("cancerlinq", CLINICAL, RESEARCH), token(2)).reason is Reason.OTHER_PURPOSE
    assert decider.decide(Question("nowhere", CLINICAL, RESEARCH), token(2)).reason is Reason.UNKNOWN
    add_alias(world.database.web, world.database.keyring, rosa, Alias("lakeside", LAKESIDE, "L-9"), world.clock())
    assert decider.decide(PLATFORM, f"{LAKESIDE}|L-9".encode()).reason is Reason.OPTED_OUT


def test_time_alone(world: World, decider: Decider) -> None:
    """CON-09: a yes begins and ends by the clock, without anything being written."""
    rosa = person(world.database, 1)
    code, now = coded(world, rosa), world.clock()
    begins, ends = now + timedelta(hours=1), now + timedelta(hours=3)
    world.press(rosa, DONATE, Said.YES, starts_at=begins, expires_at=ends)
    assert not decider.decide(LIVING_WELL, code).allowed
    world.clock.tick(3600)
    assert decider.decide(LIVING_WELL, code).allowed
    world.clock.tick(7199)
    assert decider.decide(LIVING_WELL, code).allowed
    world.clock.tick(1)
    assert not decider.decide(LIVING_WELL, code).allowed


def test_links_count_at_once(world: World, decider: Decider) -> None:
    """CON-10: a link narrows without any new decision, and from its commit; parting widens again."""
    rosa, there = person(world.database, 1), person(world.database, 1, "lakeside")
    code = coded(world, rosa)
    world.press(rosa, DONATE, Said.YES)
    world.press(there, DONATE, Said.YES, categories=frozenset({DataCategory.THERAPY}))
    assert decider.decide(LIVING_WELL, code).allowed
    link_persons(world.database.web, world.database.keyring, patient(rosa, there), rosa, there, world.clock())
    assert decider.decide(LIVING_WELL, code).reason is Reason.NOT_CHOSEN
    unlink_persons(world.database.web, patient(rosa, there), rosa, there, world.clock())
    assert decider.decide(LIVING_WELL, code).allowed


def test_sensitive_kinds_and_the_way_through_cancerlinq(world: World, decider: Decider) -> None:
    """CON-06, X-05: off unless switched on; an opt-out stops an effort fed by CancerLinQ, and it is asked again."""
    rosa = person(world.database, 1)
    code, via = coded(world, rosa), coded(world, rosa, "early-signs")
    genetic = Question("living-well", CLINICAL, RESEARCH, frozenset({SensitiveClass.GENETIC}))
    world.press(rosa, DONATE, Said.YES)
    world.press(rosa, VIA, Said.YES)
    assert decider.decide(genetic, code).reason is Reason.SENSITIVE
    assert decider.decide(EARLY_SIGNS, via).allowed
    world.press(rosa)
    assert decider.decide(EARLY_SIGNS, via).reason is Reason.OPTED_OUT
    assert decider.decide(LIVING_WELL, code).allowed
    world.press(rosa, CANCERLINQ, Said.YES)
    assert decider.decide(EARLY_SIGNS, via).reason is Reason.NO_DONATION
    world.press(rosa, DONATE, Said.YES, sensitive=frozenset({SensitiveClass.GENETIC}))
    assert decider.decide(genetic, code).allowed


def test_what_cannot_be_checked_is_denied(world: World, decider: Decider) -> None:
    """CON-10, G4.4: no connection, no yes, but for the law's report (X-06); it recovers by itself."""
    rosa = person(world.database, 1)
    code = coded(world, rosa)
    world.press(rosa, DONATE, Said.YES)
    assert decider.decide(LIVING_WELL, code).allowed
    url, world.database.worker.url = world.database.worker.url, "postgresql://127.0.0.1:1/nowhere"
    decider.close()
    assert decider.decide(LIVING_WELL, code).reason is Reason.NOT_CHECKED
    assert not decider.decide(PLATFORM, token(1)).allowed
    world.database.worker.url = url
    assert decider.decide(LIVING_WELL, code).allowed
    assert decider.permitted(LIVING_WELL)[1]


def test_a_ledger_that_went_back_is_read_anew(world: World, decider: Decider) -> None:
    """CON-10: after a restore to an earlier time nothing that was remembered permits."""
    rosa = person(world.database, 1)
    code = coded(world, rosa)
    world.press(rosa, DONATE, Said.YES)
    world.sequence()
    assert decider.decide(LIVING_WELL, code) == Answer(True, Reason.DONATED, 1)
    engine = create_engine(sqlalchemy_url(world.database.superuser_url))
    with engine.begin() as connection:
        for table in ("position", "decision"):
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            connection.execute(text(f"DELETE FROM {table}"))
    engine.dispose()
    assert decider.decide(LIVING_WELL, code) == Answer(False, Reason.NO_DONATION, 0)


def test_one_statement_for_a_call_or_batch(world: World, decider: Decider) -> None:
    """G4.4: a batch costs one look at the ledger when something was committed since the last, else none; of the
    database's own connections none."""
    codes = [coded(world, person(world.database, number)) for number in range(5)]
    decider.decide_many(LIVING_WELL, codes)
    pooled: list[str] = []
    count_statements(world.database.worker.engine, pooled)
    looks: list[str] = []
    rows = decider._view._rows
    decider._view._rows = lambda query, bound=None: (looks.append(query), rows(query, bound))[1]  # type: ignore[method-assign,func-returns-value]  # counts the looks on their way
    answers = decider.decide_many(LIVING_WELL, [*codes, b"nobody"] * 100)
    assert [answer.reason for answer in answers.permissions[:6]] == [Reason.NO_DONATION] * 5 + [Reason.NOT_CONCERNED]
    assert (len(looks), pooled) == (0, []), "nothing was committed since the last look"
    world.press(person(world.database, 9), DONATE, Said.YES)
    decider.decide_many(LIVING_WELL, codes)
    assert (len(looks), pooled) == (1, [])


def test_a_filter_follows_every_change(world: World, decider: Decider) -> None:
    """G4.2, G4.4: the kept names of who is allowed follow a withdrawal, a new yes, a date and a new code at once."""
    rosa, ben = person(world.database, 1), person(world.database, 2)
    codes = [coded(world, rosa), coded(world, ben)]
    assert [decider.sift(LIVING_WELL, codes)] == [Sifted(0, 2, [])]
    world.press(rosa, DONATE, Said.YES)
    assert _sifted(decider, codes) == codes[:1]
    world.press(ben, DONATE, Said.YES, expires_at=world.clock() + timedelta(days=40))
    assert _sifted(decider, codes) == codes
    world.press(rosa, DONATE, Said.NO)
    assert _sifted(decider, codes) == codes[1:]
    world.clock.tick(41 * 86_400)
    assert _sifted(decider, codes) == []
    carla = person(world.database, 3)
    world.press(carla, DONATE, Said.YES)
    codes.append(coded(world, carla))
    assert _sifted(decider, codes) == codes[2:]
    assert decider.sift(PLATFORM, [token(1)]) is None, "names of a hospital are looked up one by one"


def _sifted(decider: Decider, codes: list[bytes]) -> list[bytes]:
    """What the filter keeps, which must be what each name's own answer says."""
    sifted = decider.sift(LIVING_WELL, codes)
    assert sifted is not None
    assert list(sifted.allowed) == [code for code in codes if decider.decide(LIVING_WELL, code).allowed]
    return list(sifted.allowed)


def test_no_stale_yes_under_load(world: World, decider: Decider) -> None:
    """G4.4: while a sequencer moves marks and others decide, no question that begins after a withdrawal's commit is
    answered yes, and none after a donation's commit no."""
    people = [person(world.database, number) for number in range(4)]
    codes = [coded(world, who) for who in people]
    stop, wrong = threading.Event(), list[tuple[str, bool]]()

    def sequence() -> None:
        while not stop.is_set():
            world.sequence()

    def decide(mine: int) -> None:
        for turn in range(15):
            answer = Said.YES if turn % 2 == 0 else Said.NO
            world.press(people[mine], DONATE, answer)
            if decider.decide(LIVING_WELL, codes[mine]).allowed is not (answer is Said.YES):
                wrong.append((answer.value, turn % 2 == 0))

    threads = [threading.Thread(target=decide, args=(mine,)) for mine in range(4)]
    sequencer = threading.Thread(target=sequence)
    for thread in (sequencer, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    sequencer.join()
    assert wrong == []
    assert len(decider.permitted(LIVING_WELL)[1]) == 4
