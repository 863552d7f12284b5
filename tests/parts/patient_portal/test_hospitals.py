"""Several hospitals of one person, what is shared at each, and connections that end and begin again."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text

from consent.decision import CANCERLINQ, Answer, Subject, donation_to
from consent.record_decision import record_decision
from database.context import as_persons
from database.unit_of_work import sqlalchemy_url
from fhir_bridge.bring_in import FINISHED, NEEDS_RECONNECT, PATIENCE, Parts, ask_for_record, bring_in
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.smart.errors import ProviderUnavailable
from patient_portal.jobs import keep_records_current
from patient_portal.signing_in.another_hospital import FRESH_AT_RETURN
from patient_portal.signing_in.web_session import SessionStore
from patient_portal.wiring import now
from tests.parts.consent.people import asked
from tests.support.actors import Cast, Visitor, allow, begin, come_back
from tests.support.portal import Client, Portal, signed_in_client
from vocabulary.errors import Unavailable

HERE, THERE, SOMEBODY_ELSE = "rv-p07", "lk-p04", "lk-p01"


def add(visitor: Visitor, patient: str, *, hospital: str = "lakeside", **form: str) -> Any:
    """Sign in at another hospital to add it; what the callback answers."""
    where = begin(visitor, hospital, add="yes", **form)
    return come_back(visitor, hospital, allow(visitor.portal, where, patient, hospital))


def say(cast: Cast, who: UUID, subject: Subject, answer: Answer) -> None:
    """They decided it, as on a page."""
    record_decision(cast.portal.database.web, cast.portal.database.keyring, asked(who, subject, answer), now())


def refuses(cast: Cast, subject: Subject = CANCERLINQ) -> None:
    """Whoever just signed in at Lakeside to be added has said no to it there."""
    newest = "SELECT person_id FROM connection WHERE provider_id = 'lakeside' ORDER BY created_at DESC LIMIT 1"
    say(cast, UUID(str(cast.portal.rows(newest)[0].person_id)), subject, Answer.NO)


def shown_ends(page: str) -> str:
    """The mark of what the page says would end; it goes back with the yes."""
    found = re.search(r'name="ends" value="([^"]*)"', page)
    assert found, "the page does not say what would end"
    return found.group(1)


def persons_of(portal: Portal, visitor: Visitor) -> set[Any]:
    """Whose rows the browser's session reaches now."""
    store = portal.app.session_interface
    assert isinstance(store, SessionStore)
    with portal.app.test_request_context("/", headers={"Cookie": f"portal={visitor.cookie()}"}) as context:
        return set(store.open_session(portal.app, context.request)["persons"])


def change(portal: Portal, statement: str, **values: Any) -> None:
    """Change what stands in the database, past row security, as time or a hospital would."""
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


@pytest.fixture
def visitor(cast: Cast) -> Visitor:
    return cast.another_patient(HERE)


@pytest.fixture
def same_person(cast: Cast) -> Iterator[str]:
    """Somebody whom Lakeside calls as Riverside calls the visitor."""
    records = cast.portal.hospitals["lakeside"].hospital.records
    chart = cast.portal.chart(THERE)
    other = cast.portal.chart(HERE).read(f"Patient/{HERE}")
    patient = chart.read(f"Patient/{THERE}")
    assert other is not None
    assert patient is not None
    patient |= {name: other[name] for name in ("name", "birthDate")}
    yield THERE
    records._open.pop(THERE, None)


def test_the_person_adds_a_hospital(cast: Cast, visitor: Visitor, same_person: str) -> None:
    """SMART-63: both records are one person's by their own word only; nothing is fetched before it."""
    landed = add(visitor, same_person)
    assert landed.headers["Location"] == "/connection/add"
    page = visitor.get("/connection/add").text
    assert "None of your choices end by this" in page
    assert shown_ends(page) == ""
    refuses(cast)
    page = visitor.get("/connection/add").text
    assert "Are both of these you?" in page
    assert "Denise" in page
    assert "do not look like the same person" not in page
    before = persons_of(cast.portal, visitor)
    waiting = "SELECT state FROM retrieval WHERE provider_id = 'lakeside' AND state = 'waiting'"
    assert cast.portal.rows(waiting) == []
    assert "What will end when you say yes" in page
    assert "CancerLinQ platform" in page
    assert "removes what it holds that names you" in page
    unseen = visitor.post("/connection/add", {"answer": "yes", "ends": ""})
    assert (unseen.status_code, persons_of(cast.portal, visitor)) == (200, before)
    assert "Nothing is joined yet" in unseen.text
    done = visitor.post("/connection/add", {"answer": "yes", "ends": shown_ends(page)})
    assert done.headers["Location"] == "/connection"
    assert persons_of(cast.portal, visitor) > before
    carried = "SELECT answer FROM decision WHERE person_id = :who ORDER BY version"
    assert [row.answer for row in cast.portal.rows(carried, who=visitor.person)] == ["no"], "as the page said"
    overview = visitor.get("/connection").text
    assert "Lakeside Medical Group" in overview
    assert "Riverside Cancer Center" in overview
    assert len(cast.portal.rows(waiting)) == 1
    again = add(visitor, same_person, next="/record")
    assert again.headers["Location"] == "/record"  # known: connected again in place, nothing is asked
    assert visitor.get("/connection/add").status_code == 404
    mine = "SELECT id FROM connection WHERE provider_id = 'lakeside' AND state = 'active'"
    linked = cast.portal.rows(mine)
    assert len(linked) == 1
    assert cast.portal.rows("SELECT refresh_at FROM connection WHERE id = :one", one=linked[0].id)[0].refresh_at is None
    ended = visitor.post(f"/connection/{linked[0].id}/end", {})
    assert ended.status_code == 303
    assert "confirmed it" in visitor.get("/connection").text


def test_the_person_takes_it_back(cast: Cast, visitor: Visitor, same_person: str) -> None:
    """Decisions (who is who): parted by the person, each record is seen by its own sign-in again, everywhere; a no
    that was carried stays."""
    own = {str(visitor.person)}
    if persons_of(cast.portal, visitor) == own:
        add(visitor, same_person)
        visitor.post("/connection/add", {"answer": "yes"})
    (other,) = persons_of(cast.portal, visitor) - own
    assert "Lakeside Medical Group" in visitor.get("/connection/joined").text
    visitor.post("/choices/cancerlinq", {"answer": "no", "form": "a-form-for-both"})
    assert visitor.post("/connection/joined", {"record": str(UUID(int=7))}).status_code == 404
    live = (
        "SELECT count(*) AS n FROM web_session WHERE ended_at IS NULL"
        " AND account_id IN (SELECT account_id FROM connection WHERE person_id = ANY (:who))"
    )
    both = [UUID(other), *map(UUID, own)]
    done = visitor.post("/connection/joined", {"record": other})
    assert done.status_code == 303
    assert persons_of(cast.portal, visitor) == own
    assert cast.portal.rows(live, who=both)[0].n == 1, "every other session that saw both has ended"
    assert "are separate again" in visitor.get("/connection/joined").text
    assert "Two records of yours were parted" in visitor.get("/activity").text
    answers = (
        "SELECT DISTINCT ON (person_id) answer FROM decision WHERE choice = 'cancerlinq' AND person_id = ANY (:who)"
    )
    rows = cast.portal.rows(answers + " ORDER BY person_id, version DESC", who=both)
    assert [row.answer for row in rows] == ["no", "no"]


def test_somebody_else_at_the_other_hospital(cast: Cast, visitor: Visitor) -> None:
    """SMART-63: two names and birth dates that differ are shown, and joined only after a clear yes."""
    before = persons_of(cast.portal, visitor)
    assert visitor.person is not None
    say(cast, visitor.person, donation_to("living-well"), Answer.YES)
    add(visitor, SOMEBODY_ELSE)
    page = visitor.get("/connection/add").text
    assert "do not look like the same person" in page
    assert "Walter Brooks" in page
    refuses(cast, donation_to("living-well"))
    assert "We stop sending" not in visitor.get("/connection/add").text, "no choice of somebody else is shown"
    refused = visitor.post("/connection/add", {"answer": "yes"})
    assert refused.status_code == 422
    assert "Tick the box" in refused.text
    sure = visitor.post("/connection/add", {"answer": "yes", "sure": "yes"})
    assert sure.status_code == 200
    assert "We stop sending" in sure.text, "who says that they are both sees what would end, before it does"
    assert persons_of(cast.portal, visitor) == before
    no = visitor.post("/connection/add", {"answer": "no"})
    assert no.headers["Location"] == "/connection"
    assert "was not added" in visitor.get("/connection").text
    assert persons_of(cast.portal, visitor) == before
    newest = cast.portal.rows(
        "SELECT c.state, t.connection_id FROM connection c LEFT JOIN token t ON t.connection_id = c.id"
        " WHERE provider_id = 'lakeside' ORDER BY created_at DESC LIMIT 1"
    )
    assert [(row.state, row.connection_id) for row in newest] == [("disconnected", None)]


def test_an_open_browser_adds_nobody(cast: Cast, visitor: Visitor) -> None:
    """Abuse case 4: who finds a browser left open cannot join their own sign-in to somebody's record."""
    store = cast.portal.app.session_interface
    assert isinstance(store, SessionStore)
    old = "UPDATE web_session SET created_at = now() - interval '40 minutes' WHERE id_index = :sid "
    where = begin(visitor, "lakeside", add="yes")
    change(cast.portal, old, sid=store.index_of(str(visitor.cookie())))
    landed = come_back(visitor, "lakeside", allow(cast.portal, where, SOMEBODY_ELSE, "lakeside"))
    assert landed.headers["Location"] == "/connection"
    assert visitor.get("/connection/add").status_code == 404
    sent = visitor.post("/sign-in/lakeside", {"add": "yes"})
    assert sent.headers["Location"].startswith("/sign-in/riverside?next=")
    assert timedelta(minutes=40) > FRESH_AT_RETURN


@pytest.fixture
def client(portal: Portal) -> Client:
    return signed_in_client(portal, "rv-p02", record=False)


def retrievals(client: Client, count: int) -> list[UUID]:
    """Ask for the record so many times; the newest connection's."""
    connection = client.portal.rows("SELECT id FROM connection ORDER BY created_at DESC LIMIT 1")[0].id
    with client.portal.worker.database.begin(as_persons(client.person)) as session:
        return [
            ask_for_record(session, person=client.person, connection=connection, provider_id="riverside", now=now())
            for _ in range(count)
        ]


def one_run(client: Client, retrieval: UUID) -> str:
    """What a worker's job does, with a SMART client of its own as every job has."""
    worker = client.portal.worker
    parts = Parts(worker.database, worker.keyring, SmartClient(worker.http), worker.http, now)
    return bring_in(parts, worker.provider("riverside"), person=client.person, retrieval=retrieval)


def tokens_end(client: Client) -> None:
    """The access token is at its end, here and there."""
    client.portal.hospitals["riverside"].hospital.permissions.expire_access_tokens()
    change(client.portal, "UPDATE token SET expires_at = now() - interval '1 minute'")


def test_two_workers_refresh_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """SMART-47: two workers meet an ended token at the same moment; the hospital is asked once, both go on."""
    book = client.portal.hospitals["riverside"].hospital.permissions
    issued: list[str] = []
    issue = book.issue

    def counted(permission: Any, *given: Any) -> None:
        issued.append(permission.id)
        issue(permission, *given)

    monkeypatch.setattr(book, "issue", counted)
    tokens_end(client)
    both = retrievals(client, 2)
    together = threading.Barrier(2)
    ended: list[str] = []

    def work(retrieval: UUID) -> None:
        together.wait()
        ended.append(one_run(client, retrieval))

    workers = [threading.Thread(target=work, args=(each,)) for each in both]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert ended == [FINISHED, FINISHED]
    assert len(issued) == 1
    assert client.portal.rows("SELECT turn FROM token")[0].turn == 2


def test_a_sign_in_that_is_down_loses_no_token(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """SMART-47, FHIR-09: 503 with Retry-After at the token endpoint: the job is told when to come back, the tokens
    stay, nobody is asked to connect again; after hours each part says that it could not be had."""
    faults = client.portal.hospitals["riverside"].hospital.faults
    tokens_end(client)
    faults.set({"token": "503"})
    (first,) = retrievals(client, 1)
    with pytest.raises(Unavailable) as caught:
        one_run(client, first)
    assert caught.value.retry_after_seconds == 1
    assert client.portal.rows("SELECT state FROM connection")[0].state == "active"
    assert client.portal.rows("SELECT 1 FROM token")
    monkeypatch.setattr("fhir_bridge.bring_in.PATIENCE", timedelta(0))
    assert timedelta(hours=1) < PATIENCE
    assert one_run(client, first) == FINISHED
    states = client.portal.rows("SELECT DISTINCT state FROM retrieval_type WHERE retrieval_id = :of", of=first)
    assert [row.state for row in states] == ["failed"]
    faults.set({})
    (again,) = retrievals(client, 1)
    assert one_run(client, again) == FINISHED
    assert client.portal.rows("SELECT 1 FROM retrieval_type WHERE retrieval_id = :of AND state = 'ok'", of=again)


def test_connected_again_in_place(client: Client) -> None:
    """SMART-47, SMART-49: the hospital ended the grant; the tokens are gone, the page says so, and one sign-in gives
    the same connection new ones."""
    faults = client.portal.hospitals["riverside"].hospital.faults
    tokens_end(client)
    faults.set({"refresh": "invalid_grant"})
    (first,) = retrievals(client, 1)
    assert one_run(client, first) == NEEDS_RECONNECT
    before = client.portal.rows("SELECT id, state FROM connection")
    assert [row.state for row in before] == ["reconnect-needed"]
    assert client.portal.rows("SELECT 1 FROM token") == []
    assert "Please sign in there again" in client.get("/connection").text
    faults.set({})
    visitor = Visitor(client.portal, "again", client.browser, client.person)
    landed = add(visitor, "rv-p02", hospital="riverside", next="/connection", offline="yes")
    assert landed.headers["Location"] == "/connection"
    after = client.portal.rows("SELECT id, state FROM connection")
    assert [(row.id, row.state) for row in after] == [(before[0].id, "active")]
    assert "finished" in client.portal.bring_in_all()


def test_a_record_is_kept_current(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """SMART-36, SMART-49, FHIR-16: who let us do so has the record asked for once a day without being there: once
    though two workers look, behind people who sign in, not when it just came in, not after the end; and the end is one
    though the hospital does not answer to it."""
    portal, waiting = client.portal, "SELECT id FROM retrieval WHERE state = 'waiting'"
    context: Any = SimpleNamespace(additional_context={"wiring": portal.worker})

    def look() -> int:
        for _worker in range(2):
            keep_records_current.func(context, 0)
        return len(portal.rows(waiting))

    change(portal, "UPDATE retrieval SET state = 'finished', started_at = now() - interval '2 days'")
    assert look() == 0
    due = "UPDATE connection SET refresh_at = now() - interval '1 minute'"
    change(portal, due)
    assert look() == 1
    jobs = portal.rows("SELECT priority, args FROM procrastinate_jobs WHERE priority < 0")
    assert [job.args["retrieval"] for job in jobs] == [str(one.id) for one in portal.rows(waiting)]
    (connection,) = portal.rows("SELECT id, refresh_at FROM connection")
    assert connection.refresh_at > now() + timedelta(hours=23)
    change(portal, due)
    assert look() == 1
    change(portal, "UPDATE retrieval SET started_at = now() - interval '2 days'")
    change(portal, due)
    monkeypatch.setattr(SmartClient, "revoke", _no_answer)
    assert client.post(f"/connection/{connection.id}/end", page="/connection").status_code == 303
    assert "did not confirm, so check there too" in client.get("/connection").text
    assert portal.rows("SELECT 1 FROM token") == []
    assert look() == 1
    assert portal.rows("SELECT refresh_at FROM connection")[0].refresh_at is None


def _no_answer(*_asked: object, **_named: object) -> bool:
    raise ProviderUnavailable("connection")


def test_what_is_not_shared_and_how_to_share_it(portal: Portal) -> None:
    """SMART-33, SMART-34, SMART-06: each part that was left out is named, with the way back to the hospital's page."""
    client = signed_in_client(portal, "rv-p02", groups=["about-you", "conditions", "sources"])
    connection = portal.rows("SELECT id FROM connection")[0].id
    overview = client.get("/connection").text
    assert "not shared, or not all of them" in overview
    page = client.get(f"/connection/{connection}/shared").text
    assert "Test results and measurements" in page
    assert "Notes and documents" in page
    assert page.index("Not shared") < page.index("Test results") < page.index("Share more, or less")
    assert portal.hospitals["riverside"].url in page  # manage at your provider
    assert 'name="add" value="yes"' in page
    assert "none" not in page.split("<main")[1].lower().split("share more")[0]
    for path in ("/record", "/record/kind/medicines"):
        told = client.get(path).text.partition("You did not share these")[2]
        assert 'href="/connection">What I share, and how to share more' in told, path
