"""The preference centre: topics by way, hours and a pause, a mail address proven by a code and ended by its link."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from importlib import import_module

import pytest
import time_machine

from database.unit_of_work import count_statements
from notifications.channels.by_way import ByWay
from notifications.channels.channel import Accepted
from notifications.channels.console import ConsoleChannel
from notifications.channels.email import MailServer
from notifications.mail import Mail, as_message
from notifications.send import send_due
from notifications.tell import tell
from patient_portal.edge import times
from patient_portal.in_touch.texting import texting_of
from patient_portal.wiring import now
from tests.support.phone import hidden
from tests.support.portal import Client, Portal, signed_in_client

ADDRESS = "Anna.Canary@mail.example.org"


@dataclass
class Post:
    """A portal with a mail server of its own, and what it took."""

    portal: Portal
    taken: list[Mail] = field(default_factory=list)

    def send(self, mail: Mail) -> Accepted:
        self.taken.append(mail)
        return Accepted(mail.id, "sent")

    def round(self, later: timedelta = timedelta()) -> None:
        send_due(texting_of(self.portal.worker), ByWay(ConsoleChannel(), self), now() + later)

    def proven(self, patient: str = "rv-p01", address: str = ADDRESS) -> Client:
        client = signed_in_client(self.portal, patient, record=False)
        answer = client.post("/notifications/email", {"email": address}, page="/notifications/email")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/notifications/email/code")
        self.round()
        found = re.search(r"\b([0-9]{6})\b", str(self.taken[-1].parts[0]))
        assert found
        code = {"code": found.group(1)}
        assert client.post("/notifications/email/code", code, page="/notifications/email/code").status_code == 303
        self.round()
        return client


@pytest.fixture
def post(portal: Portal) -> Post:
    server = MailServer("smtp://localhost:1", "no-reply@portal.example", private=True)
    portal.wiring = replace(portal.wiring, settings=replace(portal.wiring.settings, mail=server))
    portal.app.extensions["wiring"] = portal.wiring
    return Post(portal)


def test_address_is_proven_and_mail_ended_by_its_link(post: Post) -> None:
    """X-02, abuse 11: a code first; each mail can be ended by one POST (RFC 8058), which moves nothing else."""
    client = post.proven()
    code, opted_in = post.taken
    assert (code.unsubscribe, code.subject) == (None, "Your code")
    assert opted_in.unsubscribe is not None
    message = as_message(opted_in, sender="no-reply@portal.example", sender_name="My Record Portal")
    assert message["List-Unsubscribe"] == f"<{opted_in.unsubscribe}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = opted_in.unsubscribe.removeprefix(post.portal.url)
    stranger = post.portal.app.test_client()
    counted = "SELECT answer, means FROM contact_consent ORDER BY id"
    assert stranger.get(path).status_code == 200
    assert len(post.portal.rows(counted)) == 1  # a machine that opens links changes nothing
    decisions = post.portal.rows("SELECT count(*) FROM decision")
    for _ in range(2):
        ended = stranger.post(path, data={"List-Unsubscribe": "One-Click"})
        assert ended.status_code == 200
    assert [tuple(row) for row in post.portal.rows(counted)] == [("yes", "web"), ("no", "mail")]
    assert post.portal.rows("SELECT count(*) FROM decision") == decisions
    assert tell(texting_of(post.portal.worker), client.person, "confirmations", "d1", now()).ways == ()
    forged = stranger.post(path[:-3] + "AAA")
    assert (forged.status_code, forged.data.replace(b"AAA", b"")) == (200, ended.data.replace(path[-3:].encode(), b""))
    client.post("/notifications/email/wanted", {"wanted": "yes"}, page="/notifications/email")
    assert tell(texting_of(post.portal.worker), client.person, "confirmations", "d2", now()).ways == ("email",)


def test_known_and_unknown_addresses_answer_alike(post: Post) -> None:
    """Abuse 15: that an address is another person's already cannot be found out: not by the answer, and not by how long
    it takes, for the database is asked the very same; and no page shows an address."""
    first = post.proven()
    assert "canary" not in first.get("/notifications/email").text.lower()
    second = signed_in_client(post.portal, "rv-p02", record=False)
    asked: list[str] = []
    count_statements(post.portal.wiring.database.engine, asked)
    answers, statements = [], []
    for address in ("first.of@mail.example.org", ADDRESS, "nobody@mail.example.org"):
        asked.clear()
        answers.append(second.post("/notifications/email", {"email": address}, page="/notifications/email"))
        statements.append(list(asked))
    _, known, fresh = answers  # the first of all is the first of its form
    assert statements[1] == statements[2]
    assert (known.status_code, known.data) == (fresh.status_code, fresh.data)
    assert known.headers["Location"] == fresh.headers["Location"]


@pytest.mark.parametrize("typed", ["", "anna", "a@b", "a b@c.org", "x@y.org\r\nBcc: z@w.org", "a@b.org,c@d.org"])
def test_what_is_no_address(post: Post, typed: str) -> None:
    """A11Y-01 (3.3.1), SEC-05: explained and kept; nothing is sent, and no header can be broken."""
    client = signed_in_client(post.portal, "rv-p01", record=False)
    answer = client.post("/notifications/email", {"email": typed}, page="/notifications/email")
    assert answer.status_code == 422
    assert "We cannot read this address" in answer.text
    assert post.portal.rows("SELECT * FROM contact_point") == []


def test_boxes_hold_as_they_were_sent(post: Post) -> None:
    """SMS-01, X-02: each answer is kept with the words beside its box; unticked means no; nothing else moves."""
    client = post.proven()
    page = client.get("/notifications/topics").text
    assert re.search(r'id="confirmations-email"[^>]*checked', page)
    assert not re.search(r'id="new-records-email"[^>]*checked', page)
    assert 'id="confirmations-sms"' not in page  # no number, no box
    form = {"new-records": ["email"], "confirmations": ["sms"], "care-team": ["email"], "no-such-topic": ["email"]}
    assert client.post("/notifications/topics", form, page="/notifications/topics").status_code == 303
    texting = texting_of(post.portal.worker)
    told = {topic: tell(texting, client.person, topic, "x", now()).ways for topic in ("new-records", "confirmations")}
    assert told == {"new-records": ("email",), "confirmations": ()}
    assert tell(texting, client.person, "care-team", "x", now()).ways == ("email",)
    kept = post.portal.rows("SELECT topic, answer FROM contact_consent WHERE topic <> 'texts' ORDER BY topic")
    assert [tuple(row) for row in kept] == [
        ("access-clock", "no"), ("confirmations", "no"), ("late", "no"), ("new-records", "yes"), ("re-consent", "no"),
        ("reminders", "no"), ("security", "no"), ("seen", "no"),
    ]  # fmt: skip
    assert post.portal.rows("SELECT * FROM decision") == []


def test_hours_and_pause_hold_back_what_the_service_starts(post: Post) -> None:
    """SMS-06: paused until a day, then by the hours chosen; what was asked for comes at once."""
    client = post.proven()
    until = (now() + timedelta(days=3)).date()
    form = {"language": "es", "zone": "America/New_York", "opens": "10", "closes": "12", "pause": until.isoformat()}
    assert client.post("/notifications/times", form, page="/notifications/times").status_code == 303
    page = client.get("/notifications/times").text
    assert f'value="{until.isoformat()}"' in page
    texting = texting_of(post.portal.worker)
    tell(texting, client.person, "late", "a", now())
    tell(texting, client.person, "confirmations", "a", now())
    before = len(post.taken)
    post.round()
    assert [mail.subject for mail in post.taken[before:]] == ["Hay una novedad"]
    [row] = post.portal.rows("SELECT send_after AT TIME ZONE 'America/New_York' AS at FROM message WHERE kind = 'late'")
    assert (row.at.date(), row.at.hour) == (until, 10)


def test_times_stand_in_the_readers_own_zone(post: Post) -> None:
    """Issue 5: in the service's zone until they set their own, named; at the next sign-in too; UTC beside."""
    client = signed_in_client(post.portal, "rv-p01", record=False)
    said = re.compile(r'<time datetime="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ">[^<]+ ([A-Za-z]{3,4})</time>')
    assert set(said.findall(client.get("/activity").text)) <= {"EST", "EDT"}
    form = {"language": "en", "zone": "Pacific/Guam", "opens": "8", "closes": "20", "pause": ""}
    assert client.post("/notifications/times", form, page="/notifications/times").status_code == 303
    again = signed_in_client(post.portal, "rv-p01", record=False)
    assert set(said.findall(client.get("/activity").text)) == {"ChST"} == set(said.findall(again.get("/activity").text))


def test_who_reads_a_language_without_messages_is_told_so(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Issue 5, LANG-03: on each page where a way to reach them begins; an example in another language is marked."""
    client, said = signed_in_client(post.portal, "rv-p01", record=False), "Todavía no podemos escribirle en su idioma."
    pages = [f"/notifications{page}?lang=es" for page in ("", "/times", "/email", "/letters")]
    assert not any(said in client.get(page).text for page in pages)
    assert '<option value="20" selected>20:00</option>' in client.get("/notifications/times").text  # as Spanish says it
    for place in ("reaching", "notifications"):
        monkeypatch.setattr(import_module(f"patient_portal.pages.{place}"), "LANGUAGES", ("en",))
    assert all(said in client.get(page).text for page in pages)
    assert '<bdi lang="en">My Record Portal: You have an update.' in client.get("/notifications").text


MIDNIGHTS = {
    "2026-11-23T04:59:00": "Nov 22, 2026, 11:59 PM EST",
    "2026-11-23T05:00:00": "Nov 23, 2026, 12:00 AM EST",
    "2026-11-01T05:59:00": "Nov 1, 2026, 1:59 AM EDT",  # the same hour twice, told apart by its zone
    "2026-11-01T06:00:00": "Nov 1, 2026, 1:00 AM EST",
    "2026-03-08T07:00:00": "Mar 8, 2026, 3:00 AM EDT",
}


def test_both_sides_of_midnight_and_of_a_clock_change(post: Post) -> None:
    """Issue 5: a moment is the day and hour where it is read; a day of a paper stays the day that it is."""
    with post.portal.app.test_request_context():
        for at, words in MIDNIGHTS.items():
            value = datetime.fromisoformat(at).replace(tzinfo=UTC)
            assert " ".join(times.moment(value).split()) == f'<time datetime="{at}Z">{words}</time>'
        assert times.day(date(2026, 11, 23)) == '<time datetime="2026-11-23">November 23, 2026</time>'


@pytest.mark.parametrize(
    "wrong",
    [{"zone": "Mars"}, {"opens": "x"}, {"opens": "12", "closes": "12"}, {"pause": "2020-01-01"}, {"pause": "soon"}],
)
def test_times_that_cannot_be(post: Post, wrong: dict[str, str]) -> None:
    """A11Y-01 (3.3.1): explained, and nothing is kept."""
    client = signed_in_client(post.portal, "rv-p01", record=False)
    form = {"language": "en", "zone": "", "opens": "8", "closes": "20", "pause": ""} | wrong
    assert client.post("/notifications/times", form, page="/notifications/times").status_code == 422
    assert post.portal.rows("SELECT * FROM message_setting") == []


def test_letter_address_is_kept_and_taken_back(post: Post) -> None:
    """Issue 5: a postal address opens letters for the topics ticked, and is never shown again."""
    client = signed_in_client(post.portal, "rv-p01", record=False)
    form = {"postal": "Anna Canary\n1 Main Street\nBoston, MA 02118"}
    assert client.post("/notifications/letters", form, page="/notifications/letters").status_code == 303
    assert client.post("/notifications/letters", {"postal": "no"}, page="/notifications/letters").status_code == 422
    assert "Main Street" not in client.get("/notifications/letters").text
    client.post("/notifications/topics", {"late": ["letter"]}, page="/notifications/topics")
    told = tell(texting_of(post.portal.worker), client.person, "late", "a", now())
    assert (told.ways, told.letter is not None) == (("letter",), True)
    assert hidden(client.get("/notifications/letters").text, "csrf_token")
    client.post("/notifications/letters/remove", page="/notifications/letters")
    assert "We have an address for letters." not in client.get("/notifications/letters").text


def test_a_postal_address_is_replaced_by_who_signed_in_just_now(post: Post) -> None:
    """SEC-30, abuse 11: a page left open for a quarter of an hour does not lead letters elsewhere."""
    client = signed_in_client(post.portal, "rv-p01", record=False)
    form = {"postal": "Anna Canary\n1 Main Street\nBoston, MA 02118"}
    assert client.post("/notifications/letters", form, page="/notifications/letters").status_code == 303
    kept = post.portal.rows("SELECT value_sealed FROM contact_point WHERE channel = 'letter'")
    start = now()
    with time_machine.travel(start + timedelta(minutes=9)):
        assert client.get("/notifications/letters").status_code == 200
    with time_machine.travel(start + timedelta(minutes=18)):
        other = {"postal": "Somebody Else\n2 Side Street\nBoston, MA 02118"}
        answer = client.post("/notifications/letters", other, page="/notifications/letters")
        assert answer.headers["Location"] == "/sign-in?next=/notifications/letters"
    assert post.portal.rows("SELECT value_sealed FROM contact_point WHERE channel = 'letter'") == kept
