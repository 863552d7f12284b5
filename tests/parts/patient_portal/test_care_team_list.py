"""A list of opt-outs at the real hospital and the real ledger: all of it or nothing, and never a second time."""

from __future__ import annotations

import csv
import io
import random
import re
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import consent.record_list
from consent.person_identity import Alias
from consent.record_list import Listed, record_list
from consent.sequencer import sequence_once
from database.context import Context
from database.unit_of_work import count_statements, sqlalchemy_url
from patient_portal.care_team import bulk as care_team_bulk
from patient_portal.care_team.chart import opt_out, staff_text
from patient_portal.care_team.opt_out_list import COLUMNS, read_list
from patient_portal.in_touch.texting import confirm_new_decisions, texting_of
from tests.support.pdf import Pdf
from tests.support.portal import Portal, token_in
from tests.support.postgres import TestDatabase
from tests.support.staff import Staff, sign_in_staff
from vocabulary.actor import Actor, ActorKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def as_csv(rows: list[tuple[str, ...]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([COLUMNS, *rows])
    return out.getvalue().encode()


def own_rows(portal: Portal, count: int) -> tuple[int, list[tuple[str, ...]]]:
    """A clinician, and rows about patients on whose teams they are."""
    records = portal.hospitals["riverside"].hospital.records
    clinicians = [login.id for login in records.people("clinician")]
    by_clinician: dict[str, list[tuple[str, ...]]] = {}
    for entry in records.entries.values():
        chart = records.chart(entry.patient_id)
        for team in chart.of_type("CareTeam") if chart else []:
            for one in team["participant"]:
                row = (entry.mrn, entry.birth_date, "2026-10-03", "patient", "paper", "Asked by letter")
                by_clinician.setdefault(one["member"]["reference"], []).append(row)
    who = max(clinicians, key=lambda one: len(by_clinician.get(one, [])))
    return clinicians.index(who), by_clinician[who][:count]


def send(staff: Staff, content: bytes) -> Any:
    form = {"csrf_token": token_in(staff.get("/care-team/list").text), "file": (BytesIO(content), "list.csv")}
    return staff.browser.post("/care-team/list", data=form, base_url=staff.portal.url)


def press(staff: Staff, path: str, **form: str) -> Any:
    sent = {"csrf_token": token_in(staff.get(path if "posted" not in path else path[:-7]).text)} | form
    return staff.browser.post(path, data=sent, base_url=staff.portal.url)


def decisions(portal: Portal) -> list[Any]:
    return portal.rows("SELECT * FROM decision ORDER BY recorded_at")


def test_a_list_is_taken_as_a_whole_and_once(portal: Portal) -> None:
    """X-04: every bad row is named and nothing is taken; a good list is recorded at once, each patient has a notice,
    the letters are printed, and the same file records nothing again."""
    number, rows = own_rows(portal, 4)
    staff = sign_in_staff(portal, number)
    wrong = [
        rows[0],
        (rows[1][0], "1950-01-01", *rows[1][2:]),
        ("RV-NONE", *rows[2][1:]),
        (*rows[3][:3], "cat", "", ""),
    ]
    refused = send(staff, as_csv(wrong))
    assert refused.status_code == 422
    assert re.findall(r'<th scope="row">(\d+)</th><td>(\w+)</td>', refused.text) == [
        ("3", "birth_date"), ("4", "record_number"), ("5", "who_asked"), ("5", "how"), ("5", "reason"),
    ]  # fmt: skip
    assert portal.rows("SELECT id FROM opt_out_list") == portal.rows("SELECT id FROM person") == []
    sent = send(staff, as_csv(rows))
    where = sent.headers["Location"]
    assert send(staff, as_csv(rows)).headers["Location"] == where, "the same file is the same list"
    page = staff.get(where).text
    assert "Take 4 patients out of CancerLinQ?" in page, page[page.index("<h1>") : page.index("</h1>")]
    for words in (
        "CancerLinQ platform",
        "It stops collecting and removes what it holds that names you.",
        "What does not change",
    ):
        assert words in page, words  # store by store, as for one patient
    assert decisions(portal) == []
    assert press(staff, where, do="record").status_code == 303
    made = decisions(portal)
    assert [(row.answer, row.means, row.confirmed_by_person, row.actor_kind) for row in made] == [
        ("no", "paper", False, "care-team")
    ] * 4
    assert len(portal.rows("SELECT id FROM unsequenced")) == 4
    assert staff.browser.post(where, data={"csrf_token": token_in(page)}, base_url=portal.url).status_code == 303
    assert send(staff, as_csv(rows)).headers["Location"] == where
    assert len(decisions(portal)) == 4
    sealed = portal.rows("SELECT rows_sealed FROM opt_out_list")[0].rows_sealed
    assert rows[0][0].encode() not in sealed


def test_the_letters_of_a_list(portal: Portal, monkeypatch: Any) -> None:
    """Abuse 10, 17: as many notices as actions, also when somebody else made one of the people in the same moment; the
    letters name each patient, in the patient's language, and are done with when staff say that they are on their way.
    """
    number, rows = own_rows(portal, 3)
    staff = sign_in_staff(portal, number)
    where = send(staff, as_csv(rows)).headers["Location"]
    real, tries = record_list, []

    def contended(session: Session, *more: Any) -> Any:
        applied = real(session, *more)
        tries.append(applied)
        if len(tries) == 1:
            raise IntegrityError("INSERT", {}, Exception())
        return applied

    monkeypatch.setattr(care_team_bulk, "record_list", contended)
    press(staff, where, do="record")
    assert len(tries) == 2
    sequence_once(portal.worker.database, datetime.now(UTC))
    confirm_new_decisions(texting_of(portal.worker), datetime.now(UTC))
    page = staff.get(where).text
    assert "3 letters wait to be posted." in page
    letters = [staff.get(path) for path in re.findall(r'href="([^"]+letters-\w+\.pdf)"', page)]
    assert {one.content_type for one in letters} == {"application/pdf"}  # no link leads to a language without letters
    words = " ".join(Pdf(one.data).text for one in letters)
    names = {entry.mrn: entry.name for entry in portal.hospitals["riverside"].hospital.records.entries.values()}
    assert all(names[row[0]] in words for row in rows)
    printed = portal.rows("SELECT person_id, detail FROM audit_event WHERE event = 'paper.downloaded'")
    assert {row.person_id for row in printed} == {row.person_id for row in decisions(portal)}
    assert [row.detail["paper"] for row in printed] == ["letter-to-patient"] * 3
    assert {row.detail["what"] for row in portal.rows("SELECT * FROM audit_event WHERE event = 'patients.listed'")} == {
        "list"
    }
    hospital = portal.hospitals["riverside"].hospital
    hospital.faults.set({"left_team": [hospital.records.people("clinician")[number].id]})
    gone = [staff.get(path) for path in re.findall(r'href="([^"]+letters-\w+\.pdf)"', page)]
    assert {one.status_code for one in gone} == {303}  # who left the care team is given nobody's name
    press(staff, f"{where}/posted")
    hospital.faults.set({})
    assert "3 letters wait to be posted." in staff.get(where).text
    press(staff, f"{where}/posted")
    assert "No letter waits." in staff.get(where).text
    assert portal.rows("SELECT rows_sealed FROM opt_out_list")[0].rows_sealed is None


def test_membership_that_ended_between_preview_and_confirm(portal: Portal) -> None:
    """Abuse 10: the relation is asked for again when it is confirmed; one patient who is not theirs any more stops
    the whole list."""
    number, rows = own_rows(portal, 3)
    staff = sign_in_staff(portal, number)
    where = send(staff, as_csv(rows)).headers["Location"]
    token = token_in(staff.get(where).text)
    hospital = portal.hospitals["riverside"].hospital
    hospital.faults.set({"left_team": [hospital.records.people("clinician")[number].id]})
    late = staff.browser.post(where, data={"csrf_token": token, "do": "record"}, base_url=portal.url)
    assert late.status_code == 409
    assert "You are not on the care team of this patient." in late.text
    assert decisions(portal) == []


def test_from_a_chart_there_is_no_list(portal: Portal) -> None:
    """Abuse 10: who came from one chart has that chart; and a list is its sender's alone."""
    number, rows = own_rows(portal, 1)
    where = send(sign_in_staff(portal, number), as_csv(rows)).headers["Location"]
    other = sign_in_staff(portal, (number + 1) % 3)
    assert other.get(where).status_code == 404


def listed(number: int) -> list[Listed]:
    """Rows as the page makes them of a good file, without a hospital."""
    actor = Actor(ActorKind.CARE_TEAM, uuid4(), uuid4(), (), None, "riverside")
    rows, bad = read_list(
        as_csv([(f"RV-{n}", "1961-04-12", "2026-10-03", "patient", "paper", "Asked") for n in range(number)]), NOW
    )
    assert not bad
    return [
        Listed(
            (Alias("riverside", "patient-id", f"p{row.line}"), Alias("riverside", "urn:mrn", row.record_number)),
            opt_out(actor, row.form("list-abc"), practice="riverside-main", staff="Practitioner/kim",
                    text=staff_text("en"), language="en", now=NOW),
        )
        for row in rows
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_a_crash_at_any_statement_leaves_nothing(database: TestDatabase, monkeypatch: Any, seed: int) -> None:
    """X-04, I5: whatever statement fails, no person, alias, decision or audit line of the list stays; sent again it is
    whole, and a third time it changes nothing."""
    rows = listed(12)
    monkeypatch.setattr(consent.record_list, "A_BATCH", 5)
    account, left = uuid4(), [random.Random(seed).randint(0, 25)]

    class Broken(Exception):
        pass

    def failing(session: Session) -> None:
        real = session.execute

        def execute(*args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Broken
            return real(*args, **more)

        session.execute = execute  # type: ignore[method-assign]  # the statement that fails

    try:
        with database.web.begin(Context(account=account)) as session:
            failing(session)
            record_list(session, database.keyring, rows, account, NOW)
    except Broken:
        assert everything(database) == (0, 0, 0, 0)
    for _ in range(2):
        with database.web.begin(Context(account=account)) as session:
            record_list(session, database.keyring, rows, account, NOW)
        assert everything(database) == (12, 24, 12, 12)
    again = [replace(row, asked=replace(row.asked, idempotency_key=f"other-{n}-x")) for n, row in enumerate(rows)]
    for _ in range(2):
        with database.web.begin(Context(account=account)) as session:
            applied = record_list(session, database.keyring, again, account, NOW)
        assert (applied.decisions, applied.already_out) == ((), 12)
    assert everything(database)[2] == 12


def everything(database: TestDatabase) -> tuple[int, ...]:
    """How many persons, aliases, decisions and marks for the sequencer there are."""
    engine = create_engine(sqlalchemy_url(database.superuser_url))
    with engine.connect() as connection:
        found = tuple(
            connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0
            for table in ("person", "person_alias", "decision", "unsequenced")
        )
    engine.dispose()
    return found


def test_a_list_costs_a_few_statements_for_each_hundred_rows(database: TestDatabase) -> None:
    """House: work by sets: three times the rows cost less than three statements for each further hundred people."""
    counted: list[str] = []
    count_statements(database.web.engine, counted)
    costs = []
    for size in (100, 300):
        rows = [
            replace(
                row,
                aliases=tuple(replace(alias, value=f"{size}-{alias.value}") for alias in row.aliases),
                asked=replace(row.asked, idempotency_key=f"list-{size}-{number}"),
            )
            for number, row in enumerate(listed(size))
        ]
        counted.clear()
        with database.web.begin(Context(account=uuid4())) as session:
            applied = record_list(session, database.keyring, rows, uuid4(), NOW)
        assert len(applied.decisions) == size
        costs.append(len(counted))
    assert costs[1] <= 3 * costs[0] <= 60, costs
