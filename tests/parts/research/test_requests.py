"""Requests for data on real PostgreSQL: who is in the files, when files appear, and who may do what."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from consent import verify_receipt
from consent.decision import Answer, DataCategory, donation_to
from consent.efforts import LIVING_WELL
from consent.history import read_history
from consent.person_identity import link_persons
from consent.proof_of_no import prove_no
from consent.record_decision import record_decision
from consent.seal import Sealer, head_keys
from consent.sequencer import sequence_once
from database.context import as_nobody, as_persons, as_propagation, as_release
from database.unit_of_work import sqlalchemy_url
from research.requests import verbs
from research.requests.asked_for import read_content
from research.requests.cohort import cohort, people
from research.requests.fulfil import Builder, Fulfilled, fulfil
from research.requests.process import Criterion, Event, Kind, Outcome, Stage
from research.requests.rows import add_event, read_request
from tests.parts.consent.people import asked, patient, person
from tests.parts.research.conftest import World
from tests.pure.research.test_requests import example
from vocabulary.errors import Conflict, NotFound

PARTS = frozenset({DataCategory.CLINICAL, DataCategory.THERAPY})


def chart(number: int) -> list[dict[str, Any]]:
    """A very short one, with a name that must not leave."""
    return [
        {"resourceType": "Patient", "id": f"p{number}", "name": [{"family": "Canary"}], "birthDate": "1970-01-02"},
        {
            "resourceType": "Condition",
            "id": f"c{number}",
            "subject": {"reference": f"Patient/p{number}", "display": "Canary"},
            "code": {"text": "Canary", "coding": [{"system": "http://snomed.info/sct", "code": "254837009"}]},
        },
    ]


def donors_in(world: World, many: int) -> list[UUID]:
    """So many people with a record and a yes."""
    found = []
    for number in range(many):
        who = person(world.database, number + 1)
        world.bring_record(who, chart(number))
        answer(world, who, Answer.YES)
        found.append(who)
    return found


def answer(world: World, who: UUID, says: Answer) -> int:
    made = record_decision(
        world.database.web, world.database.keyring, asked(who, donation_to("living-well"), says), world.clock()
    )
    return made.decisions[-1].version


def submitted(world: World) -> UUID:
    return verbs.submit(world.database.worker, read_content(example(), world.clock().date()), "ada", world.clock())


def approved(world: World) -> UUID:
    login, now, made = world.database.worker, world.clock(), submitted(world)
    verbs.check(login, made, "cleo", now)
    verbs.review(login, made, "rita", list(Criterion), "sound", now)
    verbs.decide(login, made, "dora", Outcome.APPROVED, "all met", now)
    return made


def ready(world: World) -> UUID:
    """A request on which only the files are missing."""
    login, now, made = world.database.worker, world.clock(), approved(world)
    verbs.draft_agreement(login, made, "lea", "DUA-1", 125_000, now)
    verbs.pay(login, made, "finn", 125_000, "book 7", now)
    verbs.sign_agreement(login, made, "lea", "DUA-1", "Dr. Ada Example", now)
    return made


def build(world: World, made: UUID, clock: Callable[[], datetime] | None = None) -> Fulfilled:
    builder = Builder(
        world.database.worker, world.database.keyring, world.folder / "out", clock or world.clock, "0.1.0"
    )
    return fulfil(builder, made, "bea")


def left(world: World) -> list[Path]:
    return sorted((world.folder / "out").rglob("*"))


def refused(world: World, made: UUID, reason: str) -> None:
    before = left(world)
    with pytest.raises(Conflict, match=f"^{reason}$"):
        build(world, made)
    assert left(world) == before


def people_of(world: World, made: UUID) -> dict[UUID, str]:
    """Whom the codes of a request stand for."""
    with world.database.worker.begin(as_release()) as session:
        rows = session.execute(
            text("SELECT person_id, subject FROM store_subject WHERE store_id = :name"), {"name": f"request/{made}"}
        )
        return {row.person_id: row.subject for row in rows}


def proven_out(world: World, who: UUID, at: int) -> str:
    """Issue 3, "prove I am out": what the offline check says of somebody's no at the position that a release states."""
    with world.database.web.begin(as_persons(who)) as session:
        history = read_history(session, [who])
        no = next(entry for entry in history if entry.decision.is_no)
        document = prove_no(session, history, no, [], at).as_json()
    return verify_receipt.check(orjson.loads(orjson.dumps(document)), list(head_keys(world.database.keyring).values()))


def test_files_hold_who_says_yes_when_they_are_made(world: World) -> None:
    """X-07, X-08: nothing before agreement and payment; a donor who took it back after the approval is absent, and the
    manifest names the version of everybody else's consent by code."""
    donors = donors_in(world, 12)
    login, now, made = world.database.worker, world.clock(), approved(world)
    refused(world, made, "agreement-not-drafted")
    verbs.draft_agreement(login, made, "lea", "DUA-1", 125_000, now)
    refused(world, made, "agreement-not-signed")
    verbs.sign_agreement(login, made, "lea", "DUA-1", "Dr. Ada Example", now)
    refused(world, made, "payment-not-recorded")
    verbs.pay(login, made, "finn", 125_000, "book 7", now)
    answer(world, donors[3], Answer.NO)
    versions = {who: 1 for who in donors}
    answer(world, donors[4], Answer.NO)
    versions[donors[4]] = answer(world, donors[4], Answer.YES)
    sequence_once(world.database.worker, world.clock())
    Sealer(world.database.worker, world.database.keyring).seal_once(world.clock())
    done = build(world, made)
    files = {path.name: path.read_bytes() for path in done.folder.iterdir()}
    manifest = orjson.loads(files.pop("manifest.json"))
    assert manifest == done.manifest
    codes = people_of(world, made)
    assert donors[3] not in codes
    expected = {codes[who]: versions[who] for who in donors if who != donors[3]}
    assert {one["subject"]: one["consent_version"] for one in manifest["consents"]} == expected
    assert {one["name"]: one["sha256"] for one in manifest["files"]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    assert set(files) == {"Condition.ndjson"}, "the general part was not asked for"
    tags = [orjson.loads(line)["meta"]["tag"][0]["code"] for line in files["Condition.ndjson"].splitlines()]
    assert tags == sorted(expected)
    assert b"Canary" not in b"".join(files.values())
    assert not any(str(who).encode() in orjson.dumps(manifest) for who in donors)
    refused(world, made, "request-has-ended")
    assert proven_out(world, donors[3], done.manifest["ledger_position"]).startswith("Proven: before position")
    with pytest.raises(Conflict, match="not-out-then"):
        proven_out(world, donors[4], done.manifest["ledger_position"])
    told = text("SELECT detail FROM audit_event WHERE event = 'donation.sent'")
    with world.database.web.begin(as_persons(donors[0], donors[3])) as session:
        assert session.scalars(told).all() == [{"effort": "living-well", "manifest": str(made), "count": 1}]


@pytest.fixture
def commit_fails(world: World) -> Iterator[Callable[[bool], None]]:
    """Make, or stop making, PostgreSQL refuse a fulfilment at the very commit."""
    engine = create_engine(sqlalchemy_url(world.database.superuser_url), isolation_level="AUTOCOMMIT")

    def turn(on: bool) -> None:
        with engine.connect() as connection:
            if not on:
                connection.exec_driver_sql("DROP TRIGGER late ON request_event")
                return
            connection.exec_driver_sql(
                "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'late'; END $f$"
            )
            connection.exec_driver_sql(
                "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON request_event DEFERRABLE INITIALLY DEFERRED"
                " FOR EACH ROW WHEN (NEW.kind = 'fulfilled') EXECUTE FUNCTION late()"
            )

    yield turn
    engine.dispose()


class Meanwhile:
    """A clock of a build that does something when it is asked for the time for the so manieth time: first for the
    request, then for the cohort, once for each donor in the order of their ids, and for the last step."""

    def __init__(self, world: World, **acts: Callable[[], object]) -> None:
        self.world, self.asked = world, 0
        self.acts = {int(name.removeprefix("at_")): act for name, act in acts.items()}

    def __call__(self) -> datetime:
        self.asked += 1
        self.acts.pop(self.asked, lambda: None)()
        return self.world.clock()


def bring_in(world: World, who: UUID) -> None:
    """A retrieval of this person's record begins, and does not end."""
    begin = text(
        "INSERT INTO retrieval (id, person_id, connection_id, provider_id, state, started_at)"
        " SELECT gen_random_uuid(), person_id, connection_id, provider_id, 'running', :now FROM retrieval LIMIT 1"
    )
    with world.database.web.begin(as_persons(who)) as session:
        session.execute(begin, {"now": world.clock()})


def test_nothing_is_left_of_a_build_that_fails(world: World, commit_fails: Callable[[bool], None]) -> None:
    """X-07, X-08, REL-02: no file when the commit fails; who takes it back while the files are made is absent, before
    their turn or after it, and so is whose record is coming in; when fewer than 11 are left no file is."""
    donors = sorted(donors_in(world, 14))
    early, late, coming, later, *others = donors[::-1]
    first, second = ready(world), ready(world)
    commit_fails(True)
    with pytest.raises(DBAPIError, match="late"):
        build(world, first)
    assert left(world) == []
    commit_fails(False)
    bring_in(world, coming)
    no = partial(answer, world, says=Answer.NO)
    meanwhile = Meanwhile(world, at_3=lambda: no(early), at_17=lambda: no(late))
    done = build(world, first, meanwhile)
    assert meanwhile.acts == {}
    codes = people_of(world, first)
    assert {one["subject"] for one in done.manifest["consents"]} == {codes[who] for who in (later, *others)}
    before = left(world)
    meanwhile = Meanwhile(world, at_15=lambda: no(later))
    with pytest.raises(Conflict, match=r"^cohort-too-small$"):
        build(world, second, meanwhile)
    assert meanwhile.acts == {}
    assert later in people_of(world, second), "there were eleven until the last step"
    assert left(world) == before
    with world.database.worker.begin(as_nobody()) as session:
        assert read_request(session, second).stands.stage is Stage.DRAFTED


def test_equal_input_makes_equal_bytes(world: World) -> None:
    """X-08: the same request over the same consents at the same time gives the same files, whatever fails between."""
    donors_in(world, 11)
    made, moment = ready(world), world.clock() + timedelta(seconds=1)
    found = []
    for _ in range(2):
        done = build(world, made, lambda: moment)
        found.append({path.name: path.read_bytes() for path in done.folder.iterdir()})
        engine = create_engine(sqlalchemy_url(world.database.superuser_url), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:  # as if the commit had been lost after the files appeared
            connection.exec_driver_sql("SET session_replication_role = replica")
            connection.exec_driver_sql("DELETE FROM request_event WHERE kind = 'fulfilled'")
        engine.dispose()
    assert found[0] == found[1]


def test_two_records_of_one_human_are_one(world: World) -> None:
    """REL-02: eleven records of ten people are a cohort of ten."""
    donors = donors_in(world, 3)
    link_persons(
        world.database.web, world.database.keyring, patient(donors[0], donors[1]), donors[0], donors[1], world.clock()
    )
    with world.database.worker.begin(as_release()) as session:
        found = cohort(session, LIVING_WELL, PARTS, world.clock())
    assert set(found) == set(donors)
    assert people(group for _, group in found.values()) == 2


def test_steps_are_kept_in_order_and_only_by_the_worker(world: World) -> None:
    """X-07: of two who act at once the second is told; the web and the feed do not reach requests at all."""
    login, now, made = world.database.worker, world.clock(), submitted(world)
    with login.begin(as_nobody()) as session:
        seen = read_request(session, made)
    verbs.withdraw(login, made, "ada", "not needed", now)
    with pytest.raises(Conflict, match="changed-meanwhile"), login.begin(as_nobody()) as session:
        add_event(session, seen, Event(Kind.CHECKED, "cleo", {"enough": True}), now)
    with pytest.raises(Conflict, match="request-has-ended"):
        verbs.check(login, made, "cleo", now)
    with login.begin(as_nobody()) as session:
        assert [(one.number, one.event.who) for one in read_request(session, made).history] == [(1, "ada"), (2, "ada")]
    with pytest.raises(NotFound):
        verbs.withdraw(login, UUID(int=7), "ada", "", now)
    for other, context in ((world.database.web, as_nobody()), (login, as_propagation())):
        for table in ("data_request", "request_event"):
            with pytest.raises(DBAPIError, match="permission denied"), other.begin(context) as session:
                session.execute(text(f"SELECT 1 FROM {table}"))
    with pytest.raises(DBAPIError, match="row-level security"), login.begin(as_release()) as session:
        session.execute(
            text(
                "INSERT INTO audit_event (recorded_at, event, action, outcome, actor_kind, detail)"
                " VALUES (now(), 'sign-in', 'E', '0', 'patient', '{}')"
            )
        )
