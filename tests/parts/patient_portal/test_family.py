"""Acting for somebody, over the whole front door: a mother, an invited helper, a death reported and put right."""

from __future__ import annotations

import html
import io
import re
import zipfile
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text
from werkzeug.test import TestResponse

from consent.asked import Asked
from consent.authority.deaths import Outcome, settle_report, waiting
from consent.authority.rules import Step
from consent.authority.stated import settle, statements_of
from consent.decision import CANCERLINQ, Answer
from consent.record_decision import record_decision
from database.context import as_persons
from database.unit_of_work import count_statements, sqlalchemy_url
from notifications.contact import add_number
from notifications.silence import is_silent
from patient_portal.gates import PASSES, gate_of
from patient_portal.in_touch.texting import texting_of
from patient_portal.jobs import keep_records_current
from patient_portal.wiring import now
from tests.support.actors import Visitor, allow, answer_of, begin
from tests.support.pdf import Pdf
from tests.support.portal import Portal, signed_in_client
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import Conflict, Refused

STATEMENT = {"relation": "parent", "name": "Hoa Tran", "document": "birth certificate", "ends_on": "",
             "reach": "617 555 0150", "form": "the-mothers-form"}  # fmt: skip
YES = {"answer": "yes", "form": "the-mothers-yes", "categories": ["general"], "signed_name": "Hoa Tran"}


def mother_of_linh(portal: Portal) -> Visitor:
    mother = Visitor(portal, "mother", portal.app.test_client())
    back = allow(portal, begin(mother), "RelatedPerson/rv-p05-mother")
    landed = mother.get("/callback/riverside", query_string=answer_of(back))
    assert landed.status_code == 303, landed.text
    rows = portal.rows("SELECT person_id FROM connection ORDER BY created_at DESC LIMIT 1")
    mother.person = rows[0].person_id
    return mother


def confirm(portal: Portal, person: UUID, step: Step = Step.CONFIRMED) -> None:
    staff = Actor(ActorKind.STAFF)
    with portal.wiring.database.begin(as_persons(person)) as session:
        (stated,) = statements_of(session, portal.wiring.keyring, (person,))
        settle(session, stated.authority.id, person, step, by=staff, reason="seen", now=now())


def test_a_mother_states_reads_and_signs_until_her_child_is_of_age(portal: Portal) -> None:
    """HIP-15: nothing before the statement; then reading and no; yes after staff; ended at once."""
    mother = mother_of_linh(portal)
    assert mother.person is not None
    assert mother.get("/record").headers["Location"] == "/acting"
    assert mother.post("/choices/cancerlinq", {"answer": "no", "form": "too-early-no"}).headers["Location"] == "/acting"
    wrong = mother.post("/acting", STATEMENT | {"name": ""})
    assert wrong.status_code == 422
    assert "Write your full name." in wrong.text
    assert mother.post("/acting", STATEMENT).status_code == 303
    assert mother.post("/acting", STATEMENT).status_code == 303  # the same form twice is one statement
    assert mother.get("/record").status_code == 200
    page = mother.get("/choices/efforts/living-well").text
    assert "once staff have seen your paper" in page
    assert "Sign and share" not in page
    early = mother.post("/choices/efforts/living-well", YES)
    assert early.status_code == 403
    out = mother.post("/choices/cancerlinq", {"answer": "no", "form": "the-mothers-no"})
    assert out.status_code == 303
    back = mother.post("/choices/cancerlinq", {"answer": "yes", "form": "the-mothers-way-back"})
    assert back.status_code == 403  # to share again is a yes, and her paper is not seen
    assert "once staff have seen your paper" in back.text
    assert "Put me back in" not in mother.get("/choices/cancerlinq").text
    kinds = {"scope": "any-cancer-research", "confirm": "yes", "form": "the-mothers-kinds"}
    assert mother.post("/choices/research", kinds).status_code == 303
    wider = mother.post("/choices/research", {"none": "yes", "confirm": "yes", "form": "the-mothers-wider"})
    assert wider.status_code == 403
    confirm(portal, mother.person)
    private = mother.post("/choices/efforts/living-well", YES | {"sensitive": ["hiv"], "form": "with-private-kinds"})
    assert private.status_code == 403
    given = mother.post("/choices/efforts/living-well", YES)
    assert given.status_code == 303, given.text
    assert "<dd>parent" in mother.get(given.headers["Location"] + "/signed").text  # HIP-11 (c)(1)(vi)
    decided = portal.rows(
        "SELECT actor_kind, answer, expires_at FROM decision WHERE person_id = :p ORDER BY version", p=mother.person
    )
    assert [(row.actor_kind, row.answer) for row in decided] == [("proxy", "no"), ("proxy", "yes")]
    assert str(decided[1].expires_at)[:10] == "2028-09-05"  # her eighteenth birthday
    assert (
        mother.post("/choices/research", {"none": "yes", "confirm": "yes", "form": "the-mothers-all"}).status_code
        == 303
    )
    tasks = portal.rows("SELECT kind, due_at - opened_at AS days FROM staff_task WHERE person_id = :p", p=mother.person)
    assert [(row.kind, row.days.days) for row in tasks] == [("authority-review", 3)]  # as her page says
    assert "Hoa Tran" in mother.get("/activity").text
    assert kept_current(portal) == 1
    confirm(portal, mother.person, Step.REFUSED)
    assert kept_current(portal) == 0  # nothing is fetched on her word any more
    with pytest.raises(Refused, match="authority-ended"):  # let in a moment before, and ended since
        record_decision(portal.wiring.database, portal.wiring.keyring, as_the_mother(portal, mother.person), now())
    with pytest.raises(Conflict):
        confirm(portal, mother.person)  # by staff who had the page open
    assert mother.get("/record").headers["Location"] == "/acting"
    assert mother.post("/acting", STATEMENT | {"form": "the-mothers-second"}).status_code == 303
    assert "look at your paper first" in mother.get("/acting").text  # her own word opens nothing now
    assert mother.get("/record").headers["Location"] == "/acting"
    assert mother.post("/choices/cancerlinq", {"answer": "yes", "form": "after-the-end"}).status_code == 303
    after = portal.rows("SELECT count(*) AS n FROM decision WHERE person_id = :p", p=mother.person)
    assert after[0].n == 2


def kept_current(portal: Portal) -> int:
    """How many records are asked for when each that is kept up to date is a day old."""
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as session:
        session.execute(text("UPDATE retrieval SET state = 'finished', started_at = now() - interval '2 days'"))
        session.execute(text("UPDATE connection SET refresh_at = now() - interval '1 minute'"))
    engine.dispose()
    context: Any = SimpleNamespace(additional_context={"wiring": portal.worker})
    keep_records_current.func(context, 0)
    return len(portal.rows("SELECT 1 FROM retrieval WHERE state = 'waiting'"))


def as_the_mother(portal: Portal, person: UUID) -> Asked:
    """A no for her child, on the authority that she stated first."""
    (row,) = portal.rows("SELECT id, account_id FROM authority WHERE person_id = :p", p=person)
    actor = Actor(ActorKind.PROXY, row.account_id, person, (person,))
    evidence = {"authority": "parent", "authority_id": str(row.id)}
    return Asked(actor, person, CANCERLINQ, Answer.YES, "decided-too-late", "en", evidence=evidence)


READ = {
    "overview": "/record", "problems": "/record/kind/problems", "medicines": "/record/kind/medicines",
    "found": "/record/kind/medicines/find?q=levonorgestrel", "mine": "/record/mine", "story": "/record/progress",
    "download": "/record/download", "leaves": "/choices/efforts/living-well/leaves?sensitive=reproductive",
}  # fmt: skip
OWN_CARE = re.compile(r"birth control|contracepti|levonorgestrel", re.IGNORECASE)


def unpacked(copy: bytes) -> str:
    """A copy's words, out of its archive where it is one; of our own PDF as a reader shows them."""
    if copy.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(copy)) as archive:
            return "".join(unpacked(archive.read(name)) for name in archive.namelist())
    return Pdf(copy).text if b"/StructTreeRoot" in copy else copy.decode("utf-8", "replace")


def test_a_minors_own_care_is_not_her_mothers_to_read(portal: Portal) -> None:
    """HIP-15, 45 CFR 164.502(g)(3): not in lists, search, one entry, counts or copies; the girl herself has it all."""
    mother = mother_of_linh(portal)
    assert mother.post("/acting", STATEMENT).status_code == 303
    assert portal.bring_in_all() == ["finished"]
    own = signed_in_client(portal, "rv-p05", record=False)
    linh = Visitor(portal, "linh", own.browser, own.person)
    assert linh.person == mother.person
    assert linh.post("/record/mine", {"topic": "other", "words": "I take birth control.", "day": ""}).status_code == 303
    pages = {who.name: {name: who.get(path).text for name, path in READ.items()} for who in (linh, mother)}
    told = {who: {name for name, page in each.items() if OWN_CARE.search(page)} for who, each in pages.items()}
    assert told["linh"] >= {"overview", "problems", "medicines", "found", "mine", "leaves"}
    assert told["mother"] == {"found"}  # her own word, in the field where she typed it
    assert "Nothing found." in pages["mother"]["found"]
    assert set().union(*(shut(portal, each, ActorKind.PROXY) for each in pages["mother"].values())) == set()
    assert "somebody who is not of age" in pages["mother"]["overview"]
    assert "somebody who is not of age" not in pages["linh"]["overview"]
    whole, apart = (_in_all(pages[who]["download"]) for who in ("linh", "mother"))
    assert whole - apart == 2
    lists = pages["linh"]["problems"] + pages["linh"]["medicines"]
    entries = {
        one for one, line in re.findall(r"/record/entry/([0-9a-f-]{36})(.{,60})", lists) if OWN_CARE.search(line)
    }
    assert len(entries) == 2
    for entry in entries:
        for path in ("", "/fhir", "/fhir?save=1", "/over-time"):
            assert mother.get(f"/record/entry/{entry}{path}").status_code == 404
        assert linh.get(f"/record/entry/{entry}").status_code == 200
    assert mother.post("/record/appointment", {}).status_code == 200
    for form in ("csv", "ips", "transfer-pack"):
        words = unpacked(mother.post("/record/download", {"form": form}).data)
        assert not OWN_CARE.search(words), form
        assert "leukemia" in words.lower(), form
    assert OWN_CARE.search(unpacked(linh.post("/record/download", {"form": "fhir-bundle"}).data))


def shut(portal: Portal, page: str, kind: ActorKind) -> set[str]:
    """The links of a page that its reader may not follow."""
    addresses = portal.app.url_map.bind("portal.example")
    paths = {urlsplit(html.unescape(each)).path for each in re.findall(r'href="(/[^"#]*)', page)} - {"/favicon.ico"}
    gates = {path: gate_of(portal.app, addresses.match(path)[0]) for path in paths}
    return {path for path, gate in gates.items() if gate in PASSES and kind not in PASSES[gate]}


def _in_all(page: str) -> int:
    found = re.search(r"Your record holds ([0-9,]+) entries", page)
    assert found
    return int(found.group(1).replace(",", ""))


def test_what_is_the_persons_alone(portal: Portal) -> None:
    """HIP-15: numbers, links, helpers and closing are the person's own; a representative is told so."""
    mother = mother_of_linh(portal)
    assert mother.post("/acting", STATEMENT).status_code == 303
    for path in ("/family", "/connection", "/notifications", "/record/share", "/account/close"):
        assert mother.get(path).status_code == 403, path


def invited(portal: Portal, client: Any, form: str = "") -> tuple[str, str]:
    made = client.post("/family/helpers", {"name": "my daughter Ana", "lasts": "week", "form": form})
    assert made.status_code == 200, made.text
    link = re.search(r"/helping/([A-Za-z0-9_-]+)", made.text)
    code = re.search(r'class="number">(\d{4}) (\d{4})<', made.text)
    assert link
    assert code
    return link.group(1), code.group(1) + code.group(2)


def come(visitor: Visitor, token: str, passcode: str) -> TestResponse:
    return visitor.post(f"/helping/{token}", {"passcode": passcode})


def test_a_helper_reads_and_fills_in_and_never_signs(portal: Portal) -> None:
    """HIP-15, abuse case 11: link and passcode; visible, ended at once; what they filled in waits for the person."""
    own = signed_in_client(portal, "rv-p01")
    owner = Visitor(portal, "owner", own.browser, own.person)
    token, passcode = invited(portal, owner)
    helper = Visitor(portal, "helper", portal.app.test_client())
    wrong = come(helper, token, "00000000" if passcode != "00000000" else "11111111")
    assert wrong.status_code == 422
    assert come(helper, "no-such-link", passcode).status_code == 422
    assert helper.get("/record").status_code == 303
    assert come(helper, token, passcode[:4] + " " + passcode[4:]).status_code == 303
    opened = helper.get("/record")
    assert (opened.status_code, shut(portal, opened.text, ActorKind.HELPER)) == (200, set())
    assert "Only the person you help can do this" in helper.get("/choices/cancerlinq").text
    before = portal.rows("SELECT count(*) AS n FROM decision")[0].n
    for path, form in (
        ("/choices/cancerlinq", {"answer": "no", "form": "a-helpers-no-1"}),
        ("/choices/efforts/living-well", YES | {"form": "a-helpers-yes"}),
        ("/choices/stop-all", {"answer": "no", "form": "a-helpers-stop"}),
        ("/record/share", {"what": "ips", "lasts": "week", "open": "yes"}),
        ("/family/helpers", {"name": "another", "lasts": "week"}),
    ):
        assert helper.post(path, form).status_code == 403, path
    assert portal.rows("SELECT count(*) AS n FROM decision")[0].n == before
    kept = helper.post(
        "/choices/efforts/living-well/fill-in", {"categories": ["clinical", "nonsense"], "sensitive": "hiv"}
    )
    assert kept.status_code == 303
    page = owner.get("/choices/efforts/living-well").text
    assert "filled in this form for you" in page
    assert "Ana ticked these" in page
    assert "Nothing is ticked for you" not in page
    assert re.search(r'id="categories-clinical"[^>]* checked', page)
    assert not re.search(r'id="categories-general"[^>]* checked', page)
    assert not re.search(r'id="sensitive-hiv"[^>]* checked', page)
    assert owner.post("/choices/efforts/living-well", {"answer": "no", "form": "the-owners-own-no"}).status_code == 303
    assert "filled in this form for you" not in owner.get("/choices/efforts/living-well").text  # answered: used up
    assert helper.post("/choices/efforts/living-well/fill-in", {"categories": "clinical"}).status_code == 303
    assert "filled in this form for you" in owner.get("/choices/efforts/living-well").text
    family = owner.get("/family").text
    assert "my daughter Ana" in family
    assert "wrong passcode" in family
    for path in ("/activity", "/activity/uses?kind=family"):
        assert "my daughter Ana" in owner.get(path).text
    ids = portal.rows("SELECT id FROM helper WHERE person_id = :p", p=own.person)
    assert owner.post(f"/family/helpers/{ids[0].id}/end", {}).status_code == 303
    assert "filled in this form for you" not in owner.get("/choices/efforts/living-well").text
    assert helper.get("/record").status_code == 403
    assert helper.get("/record").status_code == 303
    assert come(helper, token, passcode).status_code == 422


def test_who_closes_their_account_has_no_helpers_and_no_addresses(portal: Portal) -> None:
    """HIP-15, decisions (Data at rest): the link is dead, an open visit too, and mail and letters go nowhere."""
    own = signed_in_client(portal, "rv-p01", record=False)
    owner = Visitor(portal, "owner", own.browser, own.person)
    token, passcode = invited(portal, owner)
    helper = Visitor(portal, "helper", portal.app.test_client())
    assert come(helper, token, passcode).status_code == 303
    helper.post("/choices/efforts/living-well/fill-in", {"categories": ["clinical"]})
    assert owner.post("/notifications/letters", {"postal": "Denise Johnson\n1 Main St"}).status_code == 303
    give_number(portal, own.person, DEATH["phone"])
    give_number(portal, own.person, "414 555 0133", state="unconfirmed")
    assert owner.post("/account/close", {"sure": "yes"}).headers["Location"] == "/account/closed"
    assert helper.get("/record").status_code == 403
    assert come(helper, token, passcode).status_code == 422
    for table in ("helper", "helper_visit", "filled_in"):
        assert portal.rows(f"SELECT * FROM {table}") == []
    assert {row.state for row in portal.rows("SELECT state FROM contact_point")} == {"replaced"}


def test_ten_wrong_passcodes_close_the_link(portal: Portal) -> None:
    """SEC-09, abuse case 11: guessing ends the invitation, and the right passcode comes too late. Pressed twice, one is
    invited, by the link that is on the page."""
    own = signed_in_client(portal, "rv-p02", record=False)
    owner, visitor = Visitor(portal, "owner", own.browser, own.person), Visitor(portal, "v", portal.app.test_client())
    unseen = invited(portal, owner, form="pressed-twice")
    token, passcode = invited(portal, owner, form="pressed-twice")
    assert come(visitor, *unseen).status_code == 422
    wrong = f"{(int(passcode) + 1) % 10**8:08}"
    assert [come(visitor, token, wrong).status_code for _ in range(2)] == [422, 422]
    (row,) = portal.rows("SELECT attempts_left FROM helper")
    assert row.attempts_left == 8
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as connection:  # as after seven more
        connection.execute(text("UPDATE helper SET attempts_left = 1"))
    engine.dispose()
    assert come(visitor, token, wrong).status_code == 422
    assert come(visitor, token, passcode).status_code == 422
    again = owner.post("/family/helpers", {"name": "Ana", "lasts": "week", "form": "pressed-twice"})
    assert again.status_code == 409  # somebody has been at that link: a page of long ago makes no new one


def test_another_persons_helper_is_out_of_reach(portal: Portal) -> None:
    """SEC-08: a helper and a representative of another are ended by nobody else: 404."""
    first, other = (signed_in_client(portal, each, record=False) for each in ("rv-p01", "rv-p02"))
    owner = Visitor(portal, "owner", first.browser, first.person)
    invited(portal, owner)
    (row,) = portal.rows("SELECT id FROM helper WHERE person_id = :p", p=first.person)
    stranger = Visitor(portal, "other", other.browser, other.person)
    assert stranger.post(f"/family/helpers/{row.id}/end", {}).status_code == 404
    assert stranger.post(f"/family/representatives/{row.id}/end", {}).status_code == 404


DEATH = {"name": "Denise Johnson", "who": "wife", "reach": "555 0100", "phone": "414 555 0109"}


def give_number(portal: Portal, person: UUID, typed: str, state: str = "confirmed") -> None:
    texting = texting_of(portal.wiring)
    add_number(texting, person, typed, language="en", zone=None, account=None, address="10.0.0.1", now=now())
    if state == "unconfirmed":
        return
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE contact_point SET state = 'confirmed', confirmed_at = now()"))
    engine.dispose()


def test_a_death_reported_pauses_texts_and_is_no_withdrawal(portal: Portal) -> None:
    """HIP-16: texts pause at once, staff get a task, no choice moves; the same answer for a number nobody has."""
    own = signed_in_client(portal, "rv-p01", record=False)
    owner = Visitor(portal, "owner", own.browser, own.person)
    give_number(portal, own.person, DEATH["phone"])
    stranger = Visitor(portal, "stranger", portal.app.test_client())
    assert stranger.post("/someone-died", {"name": "x"}).status_code == 422
    asked: list[str] = []
    count_statements(portal.wiring.database.engine, asked)
    told, costs = [], []
    for phone in (DEATH["phone"], "414 555 0111"):
        asked.clear()
        told.append(stranger.post("/someone-died", DEATH | {"phone": phone}))
        costs.append([statement.split()[:3] for statement in asked])
    assert {(one.status_code, one.headers["Location"]) for one in told} == {(303, "/someone-died/thank-you")}
    assert costs[0] == costs[1]  # abuse 15: nor does the time say whether anybody has this number
    with portal.wiring.database.begin(as_persons(own.person)) as session:
        assert is_silent(session, own.person)
        (report,) = waiting(session, portal.wiring.keyring, (own.person,))
        assert report.told["who"] == "wife"
    tasks = portal.rows(
        "SELECT *, due_at - opened_at AS d FROM staff_task WHERE kind = 'death-reported' ORDER BY case_no"
    )
    assert [(row.person_id, row.d.days) for row in tasks] == [(own.person, 3), (None, 3)]
    assert portal.rows("SELECT count(*) AS n FROM decision")[0].n == 0
    again = signed_in_client_location(portal, "rv-p01")
    assert again == "/someone-died/mistake"
    assert owner.post("/someone-died/mistake", {}).status_code == 303
    with portal.wiring.database.begin(as_persons(own.person)) as session:
        assert not is_silent(session, own.person)
        assert waiting(session, portal.wiring.keyring, (own.person,)) == []
    assert stranger.post("/someone-died", DEATH).headers["Location"] == "/someone-died/thank-you"
    with portal.wiring.database.begin(as_persons(own.person)) as session:
        assert not is_silent(session, own.person)  # said alive just now: staff look first
        assert len(waiting(session, portal.wiring.keyring, (own.person,))) == 1
    everybody = portal.wiring.keyring.blind_index("rate:someone-died", "everybody")
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as connection:  # as if many addresses had asked in this hour, and in the next should it begin
        connection.execute(
            text(
                "INSERT INTO rate_count (subject, window_start, count)"
                " SELECT :all, date_trunc('hour', now(), 'UTC') + each, 60"
                " FROM unnest(ARRAY[interval '0', interval '1 hour']) AS each"
                " ON CONFLICT (subject, window_start) DO UPDATE SET count = 60"
            ),
            {"all": everybody},
        )
    engine.dispose()
    assert stranger.post("/someone-died", DEATH).status_code == 429


def test_after_a_confirmed_death_nobody_gives_anew(portal: Portal) -> None:
    """HIP-16: what was decided holds, a new yes is refused, a no is still heard."""
    own = signed_in_client(portal, "rv-p01", record=False)
    owner = Visitor(portal, "owner", own.browser, own.person)
    give_number(portal, own.person, DEATH["phone"])
    token, passcode = invited(portal, owner)
    helper = Visitor(portal, "helper", portal.app.test_client())
    assert come(helper, token, passcode).status_code == 303
    Visitor(portal, "stranger", portal.app.test_client()).post("/someone-died", DEATH)
    assert helper.get("/record").status_code == 200  # a report alone ends nothing
    with portal.wiring.database.begin(as_persons(own.person)) as session:
        (report,) = waiting(session, portal.wiring.keyring, (own.person,))
        settle_report(session, report.id, Outcome.CONFIRMED, by="staff", died_on=now().date(), now=now())
    assert helper.get("/record").status_code == 403  # whoever invited them has died; now only an estate reads
    assert come(helper, token, passcode).status_code == 422
    given = owner.post("/choices/efforts/living-well", YES | {"form": "after-the-death", "signed_name": "D J"})
    assert given.status_code == 403
    assert owner.post("/choices/cancerlinq", {"answer": "no", "form": "a-no-is-heard"}).status_code == 303


def signed_in_client_location(portal: Portal, patient: str) -> str:
    visitor = Visitor(portal, "again", portal.app.test_client())
    back = allow(portal, begin(visitor), patient)
    return visitor.get("/callback/riverside", query_string=answer_of(back)).headers["Location"]


def test_leaving_fast_ends_the_visit_and_names_nothing(portal: Portal) -> None:
    """Abuse case 11: one press; the session is dead, the browser forgets, the page in between is about weather."""
    own = signed_in_client(portal, "rv-p01", record=False)
    owner = Visitor(portal, "owner", own.browser, own.person)
    late = owner.browser.post("/leave", data={"csrf_token": "of a page long open"}, base_url=portal.url)
    assert (late.status_code, late.headers["Refresh"]) == (400, "0; url=https://www.weather.gov/")
    assert "cookies" in late.headers["Clear-Site-Data"]
    assert "record" not in late.text.lower()
    left = owner.post("/leave", {})
    assert left.headers["Refresh"].startswith("0; url=https://www.weather.gov")
    assert left.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert "cancer" not in left.text.lower()
    assert "record" not in left.text.lower()
    assert owner.get("/record").status_code == 303
