"""Recording a decision on the real database: one transaction, under the person's lock, once."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from consent.asked import Asked, Narrowed
from consent.decision import CANCERLINQ, Answer, DataCategory, donation_to
from consent.duo.plain_choices import Limit, PlainChoice, Scope
from consent.efforts import EARLY_SIGNS, LIVING_WELL
from consent.history import read_history, read_standing
from consent.leaf import leaf_of
from consent.person_identity import add_alias, find_person, link_persons, linked_persons, unlink_persons
from consent.record_decision import Recorded, read_evidence, record_decision
from consent.standing import Verdict, Why, standing
from consent.would_change import preview
from database.context import as_persons
from database.unit_of_work import count_statements
from tests.parts.consent.people import NOW, TEXTS, asked, later, mrn, nurse, patient, person
from tests.support.postgres import TestDatabase
from vocabulary.actor import ANONYMOUS, ActorKind
from vocabulary.errors import Conflict, Invalid, NotFound, Refused


def record(database: TestDatabase, what: Asked, now: datetime = NOW) -> Recorded:
    return record_decision(database.web, database.keyring, what, now)


def counts(database: TestDatabase) -> tuple[int, int, int]:
    with database.maintenance.engine.connect() as connection:
        return tuple(
            connection.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in ("decision", "audit_event", "unsequenced")
        )


def test_at_most_five_statements(database: TestDatabase) -> None:
    """Decisions (order and position), G2.3: context, lock, history, one insert: four between BEGIN and COMMIT."""
    rosa = person(database, 1)
    record(database, asked(rosa))
    sent: list[str] = []
    count_statements(database.web.engine, sent)
    record(database, asked(rosa, answer=Answer.YES), later(1))
    assert len(sent) <= 5, sent
    assert "FOR UPDATE" in sent[1], "the lock comes before anything is read or written"
    assert counts(database) == (2, 2, 2)


def test_what_is_saved_is_what_was_decided(database: TestDatabase) -> None:
    """House rule 2, 3: actor, means, language, text, audit and mark in one commit; the leaf covers the row."""
    rosa = person(database, 1)
    effort = donation_to("living-well")
    made = record(database, asked(rosa, effort, Answer.YES, categories=frozenset({DataCategory.CLINICAL})))
    (decision,) = made.decisions
    with database.web.begin(as_persons(rosa)) as session:
        (entry,) = read_history(session, [rosa])
        assert entry.decision == decision
        assert entry.position is None
        assert read_standing(session, [rosa], NOW) == made.standing
        (line,) = session.execute(text("SELECT event, action, outcome, detail FROM audit_event")).all()
    assert line.event == "decision.recorded"
    assert line.detail == {"choice": "donation", "effort": "living-well", "answer": "yes", "version": 1, "means": "web"}
    assert read_evidence(database.keyring, decision) == {"signed_name": "Rosa Example"}
    assert b"Rosa" not in (decision.evidence_sealed or b"")
    with database.maintenance.engine.connect() as connection:
        assert connection.scalar(text("SELECT leaf FROM unsequenced")) == leaf_of(decision)


def test_idempotency_key(database: TestDatabase) -> None:
    """I5, abuse 17: the same form twice gives the first result, even with another answer in it."""
    rosa = person(database, 1)
    first = record(database, asked(rosa, idempotency_key="form-0001"))
    again = record(database, asked(rosa, idempotency_key="form-0001", answer=Answer.YES), later(5))
    assert again.repeated
    assert again.decisions == first.decisions
    assert again.standing.opted_out
    assert counts(database)[0] == 1


def test_a_form_that_changed_nothing_stays_answered(database: TestDatabase) -> None:
    """I5: an old yes that found a yes standing, sent again after a no from another device, lifts nothing."""
    rosa = person(database, 1)
    record(database, asked(rosa, answer=Answer.NO, idempotency_key="form-0001"))
    lift = record(database, asked(rosa, answer=Answer.YES, idempotency_key="form-0002"), later(1))
    old_yes = asked(rosa, answer=Answer.YES, idempotency_key="form-0003")
    assert record(database, old_yes, later(2)).repeated
    record(database, asked(rosa, answer=Answer.NO, idempotency_key="form-0004"), later(3))
    again = record(database, old_yes, later(4))
    assert (again.repeated, again.decisions) == (True, ())
    assert again.governing == lift.governing, "the answer it got the first time"
    assert again.standing.opted_out
    assert counts(database)[0] == 3


def test_a_hundred_equal_posts_at_once(database: TestDatabase) -> None:
    """Abuse 17: double submit from many tabs: one row, one version."""
    rosa = person(database, 1)
    what = asked(rosa, idempotency_key="form-0001")
    errors: list[Exception] = []

    def press() -> None:
        try:
            for _ in range(10):
                record(database, what)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must see it
            errors.append(error)

    threads = [threading.Thread(target=press) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert counts(database) == (1, 1, 1)


def test_opposing_races_give_dense_versions(database: TestDatabase) -> None:
    """I3, abuse 17: versions are dense under contention and the last version decides."""
    rosa = person(database, 1)

    def press(answer: Answer) -> None:
        for _ in range(15):
            record(database, asked(rosa, answer=answer))

    threads = [threading.Thread(target=press, args=(answer,)) for answer in Answer]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.web.begin(as_persons(rosa)) as session:
        history = read_history(session, [rosa])
        stands = read_standing(session, [rosa], NOW)
    versions = sorted(entry.decision.version for entry in history)
    assert versions == list(range(1, len(versions) + 1))
    newest = max(history, key=lambda entry: entry.decision.version).decision
    assert stands.opted_out == newest.is_no


def test_the_same_again_adds_nothing(database: TestDatabase) -> None:
    """X-04: a care team's second opt-out keeps the first date; the person's own confirms it (CON-11)."""
    rosa = person(database, 1)
    by_nurse: dict[str, Any] = {
        "actor": nurse(rosa),
        "reason": "asked at the visit",
        "actor_reference": "Practitioner/7",
    }
    first = record(database, asked(rosa, **by_nurse))
    assert first.governing is not None
    assert not first.governing.confirmed_by_person
    second = record(database, asked(rosa, **by_nurse), later(60))
    assert second.repeated
    assert second.governing == first.governing
    confirmed = record(database, asked(rosa), later(120))
    assert confirmed.governing is not None
    assert (confirmed.governing.version, confirmed.governing.confirmed_by_person) == (2, True)
    assert record(database, asked(rosa), later(180)).repeated


def test_stop_all_research(database: TestDatabase) -> None:
    """Decisions: "Stop all research sharing" ends every donation in one step and leaves CancerLinQ alone (X-01)."""
    rosa = person(database, 1)
    for effort in (LIVING_WELL, EARLY_SIGNS):
        record(database, asked(rosa, donation_to(effort.id), Answer.YES))
    stopped = record(database, asked(rosa, None), later(1))
    assert {d.effort for d in stopped.decisions} == {"living-well", "early-signs"}
    assert not stopped.standing.donation(LIVING_WELL).permits
    assert not stopped.standing.opted_out
    assert record(database, asked(rosa, None), later(2)).repeated


def test_opt_out_writes_no_donation_row_and_asks_again(database: TestDatabase) -> None:
    """X-05, decisions: the effort fed by CancerLinQ is denied by rule, not by a row; after the lift it asks again."""
    rosa = person(database, 1)
    effort = donation_to("early-signs")
    record(database, asked(rosa, effort, Answer.YES))
    out = record(database, asked(rosa), later(1))
    assert len(out.decisions) == 1
    assert out.standing.donation(EARLY_SIGNS).why is Why.OPTED_OUT
    with pytest.raises(Conflict, match="opted-out-of-cancerlinq"):
        record(database, asked(rosa, effort, Answer.YES), later(1))
    with database.web.begin(as_persons(rosa)) as session:
        assert len(read_history(session, [rosa])) == 2, "denied with no donation row written"
    lifted = record(database, asked(rosa, answer=Answer.YES), later(2))
    assert lifted.standing.donation(EARLY_SIGNS).why is Why.ASK_AGAIN
    again = record(database, asked(rosa, effort, Answer.YES), later(3))
    assert not again.repeated, "signing anew is a new decision"
    assert again.standing.donation(EARLY_SIGNS).permits


def test_preview_says_what_recording_does(database: TestDatabase) -> None:
    """Decisions: the confirm page shows what the real decision engine says, and stores nothing."""
    rosa = person(database, 1)
    record(database, asked(rosa, donation_to("early-signs"), Answer.YES))
    with database.web.begin(as_persons(rosa)) as session:
        history = [entry.decision for entry in read_history(session, [rosa])]
    what = asked(rosa)
    before, after = preview(history, what, later(1))
    assert not before.opted_out
    made = record(database, what, later(1))
    assert after.opted_out == made.standing.opted_out
    assert after.donation(EARLY_SIGNS).why is made.standing.donation(EARLY_SIGNS).why


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"actor": ANONYMOUS}, Refused),
        ({"idempotency_key": "short"}, Invalid),
        ({"asked_at": later(9999)}, Invalid),
        ({"categories": frozenset()}, Invalid),
        ({"text": None}, Invalid),
        ({"text": TEXTS.newest("early-signs", "en")}, Invalid),
        ({"language": "vi"}, Invalid),
        ({"evidence": {}}, Invalid),
        ({"evidence": {"signed_name": "  "}}, Invalid),
        ({"subject": donation_to("nowhere")}, Invalid),
        ({"subject": None}, Invalid),
        ({"expires_at": later(-1)}, Invalid),
        ({"person": uuid4()}, NotFound),
    ],
)
def test_what_may_not_be_recorded(database: TestDatabase, change: dict[str, object], error: type[Exception]) -> None:
    """HIP-10, HIP-12, SMART-65: refused with a typed error, and nothing is written."""
    rosa = person(database, 1)
    what = replace(asked(rosa, donation_to("living-well"), Answer.YES), **change)  # type: ignore[arg-type]  # values that nobody should be able to ask for
    with pytest.raises(error):
        record(database, what)
    assert counts(database) == (0, 0, 0)


@pytest.mark.parametrize(
    ("subject", "answer", "reason", "error"),
    [
        (donation_to("living-well"), Answer.YES, "x", Refused),
        (donation_to("living-well"), Answer.NO, "x", Refused),
        (CANCERLINQ, Answer.YES, "x", Refused),
        (None, Answer.NO, "x", Refused),
        (CANCERLINQ, Answer.NO, " ", Invalid),
    ],
)
def test_care_team_may_only_opt_out(
    database: TestDatabase, subject: object, answer: Answer, reason: str, error: type[Exception]
) -> None:
    """SMART-65, X-05: staff never donate, withdraw or lift; an opt-out needs a reason."""
    rosa = person(database, 1)
    with pytest.raises(error):
        record(database, asked(rosa, subject, answer, actor=nurse(rosa), reason=reason))  # type: ignore[arg-type]  # values that nobody should be able to ask for


def test_rows_of_another_are_out_of_reach(database: TestDatabase) -> None:
    """Threats 7: under one person's context another's decisions do not exist."""
    rosa, ben = person(database, 1), person(database, 2)
    record(database, asked(rosa))
    with database.web.begin(as_persons(ben)) as session:
        assert read_history(session, [rosa, ben]) == ()


def test_alias_finds_the_same_person(database: TestDatabase) -> None:
    """Decisions (who is who): the first sign-in finds the person a care team made; two callers get one person."""
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(person(database, 77))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert find_person(database.web, database.keyring, mrn(77)) == found[0]
    assert find_person(database.web, database.keyring, mrn(78)) is None
    with pytest.raises(Conflict):
        add_alias(database.web, database.keyring, person(database, 79), mrn(77), NOW)


def test_linked_persons_share_a_no(database: TestDatabase) -> None:
    """CON-10: linking carries a no over, a new no reaches every linked person, and unlinking is possible."""
    rosa, there = person(database, 1), person(database, 1, "lakeside")
    record(database, asked(rosa))
    link_persons(database.web, database.keyring, patient(rosa, there), rosa, there, later(1))
    assert linked_persons(database.web, rosa) == tuple(sorted((rosa, there)))
    with database.web.begin(as_persons(there)) as session:
        (carried,) = read_history(session, [there])
    assert carried.decision.is_no
    assert carried.decision.by.kind is ActorKind.SYSTEM
    lifted = record(database, asked(rosa, answer=Answer.YES), later(2))
    assert {d.person_id for d in lifted.decisions} == {rosa, there}, "the actor need not name the linked ones"
    assert not lifted.standing.opted_out
    unlink_persons(database.web, patient(rosa, there), rosa, there, later(3))
    alone = record(database, asked(rosa), later(4))
    assert {d.person_id for d in alone.decisions} == {rosa}


def test_joined_records_end_what_either_leaves_out(database: TestDatabase) -> None:
    """CON-10, DUO-04: of two records joined, a yes on one ends that the other's kinds of research leave out, also one
    that was yet to begin; a yes that both leave open goes on, and parting them gives nothing back."""
    rosa, there = person(database, 1), person(database, 1, "lakeside")
    record(database, asked(rosa, donation_to("early-signs"), Answer.YES, starts_at=later(9)))
    record(database, asked(rosa, donation_to("living-well"), Answer.YES))
    no_companies = PlainChoice(Scope.ANY_CANCER, frozenset({Limit.NO_COMPANIES}))
    record(database, asked(there, None, narrowed=Narrowed(no_companies)), later(1))
    link_persons(database.web, database.keyring, patient(rosa, there), rosa, there, later(2))
    with database.web.begin(as_persons(rosa, there)) as session:
        history = [row.decision for row in read_history(session, [rosa, there])]
    assert {d.person_id for d in history if d.effort == "early-signs" and d.is_no} == {rosa, there}
    ended = max((d for d in history if d.person_id == rosa), key=lambda d: d.version)
    assert (ended.effort, ended.by.kind, ended.categories, ended.starts_at) == (
        "early-signs", ActorKind.SYSTEM, frozenset(), None,
    )  # fmt: skip
    stands = standing(history, later(10))
    assert (stands.donations["early-signs"].verdict, stands.donations["living-well"].permits) == (Verdict.NO, True)
    unlink_persons(database.web, patient(rosa, there), rosa, there, later(3))
    alone = record(database, asked(rosa), later(10))
    assert alone.standing.donations["early-signs"].verdict is Verdict.NO


@pytest.mark.parametrize("table", ["decision", "audit_event", "unsequenced"])
def test_failing_statement_leaves_nothing(database: TestDatabase, table: str) -> None:
    """I5, faults (k-th statement fails): nothing half done, and the retry with the same key succeeds once."""
    rosa = person(database, 1)
    what = asked(rosa)
    with database.maintenance.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION break_it() RETURNS trigger LANGUAGE plpgsql AS"
            " $f$ BEGIN RAISE EXCEPTION 'planted'; END $f$"
        )
        connection.exec_driver_sql(
            f"CREATE TRIGGER planted BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION break_it()"
        )
    with pytest.raises(Exception, match="planted"):
        record(database, what)
    assert counts(database) == (0, 0, 0)
    with database.maintenance.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER planted ON {table}")
    assert not record(database, what).repeated
    assert counts(database) == (1, 1, 1)
