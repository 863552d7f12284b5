"""What cannot be delivered by one way goes by the next; reports on texts end the same in any order."""

from __future__ import annotations

import random
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import create_engine, text

from database.context import as_persons
from database.unit_of_work import sqlalchemy_url
from notifications.addresses import add_mail
from notifications.channels.channel import Failed
from notifications.channels.twilio_webhook import StatusReport
from notifications.contact import confirm_number, contact_of, set_texts
from notifications.silence import fall_silent
from notifications.status_events import receive_reports, receive_status
from notifications.tell import tell
from tests.parts.notifications.conftest import AGREED, NOON, Desk
from tests.support.postgres import TestDatabase

ADDRESS = "anna@mail.example.org"


@pytest.fixture
def asked(desk: Desk) -> list[tuple[UUID, str]]:
    """Whom staff were asked to write to, and about what."""
    calls: list[tuple[UUID, str]] = []
    for name in ("web", "worker"):
        of = getattr(desk, name)
        setattr(desk, name, replace(of, unreached=lambda _session, who, about, _now: calls.append((who, about))))
    return calls


def with_mail(desk: Desk, person: UUID) -> UUID:
    contact = add_mail(desk.web, person, ADDRESS, language="en", account=None, address="10.0.0.1", now=NOON)
    desk.send()
    mail = desk.channel.sent[-1].mail
    assert mail is not None
    code = str(mail.parts[0]).split("code is ")[1][:6]
    assert confirm_number(desk.web, person, contact, code, AGREED, NOON) == "right"
    desk.send()
    return person


def ways(desk: Desk, person: UUID) -> list[tuple[str, str]]:
    """By which ways what a care team did was to go, and how each ended."""
    return [(one.channel, one.state) for one in desk.messages(person) if one.topic == "care-team"]


def fail(desk: Desk, person: UUID, code: str) -> None:
    """The network reports that the newest text came to nothing."""
    message = [one for one in desk.messages(person) if one.channel == "sms"][-1]
    assert message.sid is not None
    assert receive_status(desk.web, StatusReport(message.sid, "undelivered", code, str(message.id)), NOON)


def test_a_number_that_is_dead_is_followed_by_mail_and_by_a_letter(desk: Desk, asked: list[tuple[UUID, str]]) -> None:
    """SMS-11, abuse 10: 30006 puts the number aside and switches the way; a mail server's no leaves the letter, which
    staff are asked for when we have no address; each once."""
    person = with_mail(desk, desk.confirmed())
    tell(desk.worker, person, "care-team", "d1", NOON)
    desk.send()
    fail(desk, person, "30006")
    assert ways(desk, person) == [("sms", "undelivered"), ("email", "intended")]
    view = contact_of(desk.web, person)
    assert view is not None
    assert view.state == "invalid"
    desk.channel.answers = [Failed("smtp-550-5.1.1", retry=False)]
    desk.send()
    assert ways(desk, person) == [("sms", "undelivered"), ("email", "failed")]
    mail = contact_of(desk.web, person, "email")
    assert mail is not None
    assert mail.state == "invalid"
    assert asked == [(person, "d1")]
    fail(desk, person, "30006")
    assert len(asked) == 1


def test_a_stop_before_it_was_sent_leaves_nobody_untold(desk: Desk, asked: list[tuple[UUID, str]]) -> None:
    """X-02, abuse 10: what staff did is told by letter when texts were ended before theirs went out; other topics end
    there, and to who was reported dead nothing goes at all (HIP-16)."""
    person, dead = desk.confirmed(), desk.confirmed("+16175550151")
    for one in (person, dead):
        tell(desk.worker, one, "care-team", "d1", NOON)
        tell(desk.worker, one, "confirmations", "d1", NOON)
    set_texts(desk.web, person, wanted=False, agreement=AGREED, now=NOON)
    with desk.web.database.begin(as_persons(dead)) as session:
        fall_silent(session, dead, NOON)
    desk.send()
    assert len(desk.texts()) == 4  # two codes, two opt-ins
    assert {one.state for one in (*desk.messages(person)[2:], *desk.messages(dead)[2:])} == {"suppressed"}
    assert asked == [(person, "d1")]


def test_a_text_that_cannot_be_repeated_goes_by_mail(desk: Desk) -> None:
    """SMS-11: 30007 is not tried again by text; the mail that is open says it, and says it once."""
    person = with_mail(desk, desk.confirmed())
    tell(desk.worker, person, "confirmations", "d1", NOON)
    desk.send()
    fail(desk, person, "30007")
    fail(desk, person, "30007")
    assert [one.channel for one in desk.messages(person) if one.topic == "confirmations"] == ["sms", "email"]


def test_ten_thousand_shuffled_reports_end_in_the_oracles_state(desk: Desk, database: TestDatabase) -> None:
    """SMS-10, abuse 13: 10,000 reports on 500 texts in the real tables, doubled and shuffled: each text ends as an
    oracle says that looks only at which words were ever said; a stranger's id moves nothing."""
    luck, sent = random.Random(13), texts_that_went_out(database, 500)
    life = ["accepted", "queued", "sending", "sent"]
    said: list[tuple[UUID, str]] = []
    for one in sent:
        end = luck.choice(["delivered", "undelivered", "failed", "read", "canceled", ""])
        words = [*life[: luck.randrange(1, 5)], *(["delivered"] if end == "read" else []), *([end] if end else [])]
        said += [(one, word) for word in words for _ in range(luck.randrange(1, 4))]
    said = (said * 4)[:10_000]
    assert len(said) == 10_000
    best = ["read", "delivered", "undelivered", "failed", "canceled", *reversed(life)]
    oracle = dict.fromkeys(sent, "accepted")
    for one, word in said:
        oracle[one] = min(oracle[one], word, key=best.index)
    luck.shuffle(said)
    reports = [StatusReport(f"SM-{one}", word, None, str(one)) for one, word in said]
    reports += [StatusReport("SM-other", "read", None, str(one)) for one in sent[:50]]
    taken = [receive_reports(desk.web, reports[at : at + 500], NOON) for at in range(0, len(reports), 500)]
    assert sum(taken) == 10_000
    engine = create_engine(sqlalchemy_url(database.superuser_url))
    with engine.connect() as connection:
        kept = {row.id: row.state for row in connection.execute(text("SELECT id, state FROM message"))}
    engine.dispose()
    assert kept == oracle


def texts_that_went_out(database: TestDatabase, count: int) -> list[UUID]:
    """Texts of five people that the network has just taken."""
    engine, people = create_engine(sqlalchemy_url(database.superuser_url)), [str(uuid4()) for _ in range(5)]
    with engine.begin() as connection:
        made = connection.execute(
            text(
                "INSERT INTO message (id, person_id, dedupe_key, kind, language, state, sid, attempts, created_at,"
                " send_after, state_at) SELECT id, (CAST(:people AS uuid[]))[1 + i % 5], 'd' || i, 'update', 'en',"
                " 'accepted', 'SM-' || id, 1, now(), now(), now() FROM (SELECT i, gen_random_uuid() AS id FROM"
                " generate_series(1, :count) i) made RETURNING id"
            ),
            {"people": people, "count": count},
        )
        found = list(made.scalars())
    engine.dispose()
    return found
