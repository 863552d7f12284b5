"""What comes to staff by itself and what goes out from them: late opt-outs, clinics named, letters, reports."""

from __future__ import annotations

import csv
import io
import json
import secrets
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, text

from consent.overdue_tasks import keep_overdue_tasks
from consent.practice_counts import count_practices
from consent.sequencer import sequence_once
from database.context import as_practice, as_staff
from database.unit_of_work import sqlalchemy_url
from patient_portal.staff.openings import findable, person_by_number
from patient_portal.staff.queue import Wanted, read_queue
from patient_portal.staff.two_persons import tell_again
from patient_portal.wiring import now
from tests.support.pdf import Pdf
from tests.support.portal import Client, Portal, signed_in_client
from tests.support.staff_at_work import LEAD, at_work
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import Invalid

CONCERNED = ("cancerlinq", "tempus", "concerto", "discovery")


def run(portal: Portal, statement: str, **values: object) -> None:
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


@pytest.fixture
def maria(portal: Portal) -> Client:
    """A patient who opted out; the decision has its place in the order."""
    client = signed_in_client(portal, "rv-p01", record=False)
    form = {"answer": "no", "form": secrets.token_urlsafe(24)}
    assert client.post("/choices/cancerlinq", form).status_code == 303
    while sequence_once(portal.worker.database, now()):
        pass
    return client


def later(portal: Portal, days: float) -> list[tuple[str, str]]:
    """What a worker does with late opt-outs some days from now; the open tasks, (store, practice)."""
    keep_overdue_tasks(portal.worker.database, portal.worker.settings.stores, now() + timedelta(days=days))
    kind = "opt-out-overdue"
    rows = portal.rows("SELECT store_id, practice_id FROM staff_task WHERE kind = :k AND closed_at IS NULL", k=kind)
    return sorted((row.store_id, row.practice_id) for row in rows)


def confirm(portal: Portal, store: str, state: str = "applied") -> None:
    """`store` was told of everything and signed that it did it."""
    (last,) = portal.rows("SELECT max(position) AS p, max(version) AS v FROM position")
    batch, receipt = uuid4(), {"event": 1, "version": last.v, "state": state, "removed": 3}
    run(
        portal,
        "INSERT INTO store_batch (id, store_id, first_event, last_event, first_position, last_position, positions,"
        " made_at, told_at, answered_at, purpose)"
        " VALUES (:id, :store, 1, 1, :p, :p, ARRAY[CAST(:p AS bigint)], now(), now(), now(), 'stream')",
        id=batch, store=store, p=last.p,
    )  # fmt: skip
    run(
        portal,
        "INSERT INTO receipt (store_id, batch_id, state, detail, signature, received_at)"
        " VALUES (:store, :batch, :state, CAST(:detail AS jsonb), 's', now())",
        store=store, batch=batch, state=state, detail=json.dumps({"receipts": [receipt]}),
    )  # fmt: skip
    run(
        portal,
        "INSERT INTO store_cursor (store_id, position, event_number, failures, updated_at)"
        " VALUES (:store, :p + 1, 1, 0, now())",
        store=store, p=last.p,
    )  # fmt: skip


def test_a_late_opt_out_becomes_a_case_and_ends_when_confirmed(portal: Portal, maria: Client) -> None:
    """SUB-08: past its deadline a store's opt-out is a case with that deadline, once; confirmed, it closes itself."""
    assert later(portal, 0) == []
    late = [(store, "riverside-main") for store in ("cancerlinq", "concerto", "tempus")]
    assert later(portal, 2) == late
    assert later(portal, 2) == late
    assert len(later(portal, 8)) == 4
    due = portal.rows("SELECT t.due_at - d.recorded_at AS late FROM staff_task t JOIN decision d USING (person_id)"
                      " WHERE store_id = 'tempus' AND d.choice = 'cancerlinq'")[0].late  # fmt: skip
    assert due == timedelta(hours=1)
    confirm(portal, "tempus")
    assert "tempus" not in dict(later(portal, 8))
    closed = portal.rows("SELECT outcome, closed_by FROM staff_task WHERE store_id = 'tempus'")
    assert [(row.outcome, row.closed_by) for row in closed] == [(None, None)]
    page = at_work(portal).get("/staff?store=cancerlinq&late=yes").text
    assert "A store has not confirmed an opt-out in time" not in page.split("Open cases")[1]  # its clock is real


def test_staff_of_one_practice_see_their_own(portal: Portal, maria: Client) -> None:
    """SEC-08: PostgreSQL itself shows staff of a practice that practice's tasks only; nobody without a practice any."""
    later(portal, 8)
    me = uuid4()
    for practices, many in ((("*",), 4), (("riverside-main",), 4), (("lakeside-main",), 0), ((), 0)):
        with portal.database.web.begin(as_staff(practices, me)) as session:
            assert len(read_queue(session, Wanted(), me, None, now())) == many
            assert session.execute(text("SELECT count(*) FROM staff_member")).scalar() == 0
    at_work(portal).post("/staff/requests", do="tell-again", store="tempus", why="A reason of staff.")
    seen = ((as_practice("riverside-main", me), (0, 0)), (as_staff(("riverside-main",), me), (1, 0)),
            (as_staff(("*",), me), (1, 1)))  # fmt: skip
    for context, tables in seen:  # who serves all asked for it: it is for a second one who does
        with portal.database.web.begin(context) as session:  # a care team's practice makes nobody staff
            assert session.execute(text("SELECT count(*) FROM staff_task")).scalar() == 4
            for table, many in zip(("staff_member", "staff_request"), tables, strict=True):
                assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar() == many
    theirs = Actor(ActorKind.STAFF, account_id=me, practices=("lakeside-main",))
    assert [each.id for each in findable(portal.wiring, theirs)] == ["lakeside"]
    with pytest.raises(Invalid):
        person_by_number(portal.wiring, theirs, "Eve", "riverside", "RV-104233", now())
    with portal.database.web.begin(as_staff(("*",), me)) as session:
        for table in ("decision", "person", "person_alias", "record_entry", "staff_passkey"):
            assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 0, table


def test_letters_once_everything_is_confirmed(portal: Portal, maria: Client) -> None:
    """A11Y-04, SUB-08: no letter before; then one to the person in their language and one to the clinic, tagged."""
    portal.bring_in_all()
    run(portal, "INSERT INTO staff_task (id, person_id, kind, detail, opened_at)"
        " VALUES (gen_random_uuid(), :p, 'tell-the-person', '{}', now())", p=maria.person)  # fmt: skip
    case = portal.rows("SELECT case_no FROM staff_task")[0].case_no
    worker = at_work(portal)
    letter = f"/staff/case/{case}/letter-person.pdf"
    assert worker.get(letter).status_code == 404
    worker.post(f"/staff/case/{case}", do="take")
    assert worker.get(letter).status_code == 409
    assert "letters can be made once" in worker.get(f"/staff/case/{case}").text
    for store in CONCERNED:
        confirm(portal, store)
    assert "Letter to the person" in worker.get(f"/staff/case/{case}").text
    run(portal, "UPDATE person SET language = 'es'")
    to_person, to_clinic = worker.get(letter), worker.get(letter.replace("person.pdf", "clinic.pdf"))
    assert to_person.headers["Content-Type"] == to_clinic.headers["Content-Type"] == "application/pdf"
    person, clinic = Pdf(to_person.data), Pdf(to_clinic.data)
    assert (person.language, clinic.language) == ("es", "en")
    assert person.says_ua_1
    assert clinic.says_ua_1
    assert "Maria" in person.text
    assert "CancerLinQ platform" in clinic.text
    assert "choice is carried out" in clinic.text
    assert worker.get(letter.replace("person.pdf", "boss.pdf")).status_code == 404
    assert "Made a letter" in maria.get("/activity/uses?kind=staff").text


def test_a_person_names_a_clinic_that_is_not_here(portal: Portal, maria: Client) -> None:
    """SUB-08: it becomes a case; its name is sealed, and read by the one who has the case."""
    assert maria.post("/choices/other-clinic", {"clinic": " "}).status_code == 422
    assert maria.post("/choices/other-clinic", {"clinic": "Hilltop Oncology, Golden"}).status_code == 303
    (row,) = portal.rows("SELECT case_no, detail::text FROM staff_task WHERE kind = 'clinic-not-linked'")
    assert "Hilltop" not in row.detail
    worker = at_work(portal)
    assert "Hilltop" not in worker.get(f"/staff/case/{row.case_no}").text
    worker.post(f"/staff/case/{row.case_no}", do="take")
    assert "Hilltop Oncology, Golden" in worker.get(f"/staff/case/{row.case_no}").text


def test_reports_hide_small_numbers(portal: Portal, maria: Client) -> None:
    """REL-01, SEC-12: one person who is out is "under 11"; twelve are twelve; the table holds no formula."""
    assert count_practices(portal.worker.database, now())
    assert not count_practices(portal.worker.database, now())
    run(portal, "INSERT INTO practice (id, name, provider_id) VALUES ('riverside-main', '=Riverside', 'riverside')"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name")  # fmt: skip
    worker = at_work(portal)

    def row() -> list[str]:
        table = worker.get("/staff/reports/by-practice.csv").text
        return next(row for row in csv.reader(io.StringIO(table.lstrip("\ufeff"))) if "Riverside" in row[0])

    assert row() == ["'=Riverside", "under 11", "under 11", "0", "0", "0"]
    run(portal, "UPDATE standing_count SET value = 12 WHERE name = 'practice:riverside-main:out'")
    assert row()[1:3] == ["12", "under 11"]
    assert "under 11" in worker.get("/staff/reports").text


def test_a_store_is_told_again_once_two_agree(portal: Portal, maria: Client) -> None:
    """SEC-08, SUB-09: what the store has not confirmed goes on the feed's list, once, and only after the second yes."""
    confirm(portal, "tempus", "not_found")
    (one,) = portal.rows("SELECT person_id, version FROM position")
    run(portal, "INSERT INTO unconfirmed_event (store_id, event_number, person_id, version, state, recorded_at)"
        " VALUES ('tempus', 1, :p, :v, 'not_found', now())", p=one.person_id, v=one.version)  # fmt: skip
    at_work(portal).post("/staff/requests", do="tell-again", store="tempus", why="They corrected the number.")
    (asked,) = portal.rows("SELECT id FROM staff_request")
    request = UUID(str(asked.id))
    assert tell_again(portal.worker, request, now()) == 0
    at_work(portal, LEAD).post(f"/staff/requests/{request}", answer="yes")
    assert tell_again(portal.worker, request, now()) == 1
    assert tell_again(portal.worker, request, now()) == 0
    assert portal.rows("SELECT count(*) AS n FROM store_retelling WHERE store_id = 'tempus'")[0].n == 1
    assert "Done: 1" in at_work(portal).get("/staff/requests").text
