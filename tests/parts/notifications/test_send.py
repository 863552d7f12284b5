"""Texts go out once, at the right time, and a crash in the middle is found out about."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from notifications.channels.channel import Accepted, Failed, FoundText
from notifications.channels.twilio_webhook import StatusReport
from notifications.confirmations import confirm_decision, tell_of_delay
from notifications.contact import contact_of
from notifications.reminders import cancel_reminder, release_reminders, reminder_of, set_reminder
from notifications.send import send_due
from notifications.status_events import receive_status
from tests.parts.notifications.conftest import NOON, Desk
from vocabulary.errors import Invalid

MINUTE = timedelta(minutes=1)


class Killed(BaseException):
    """The process died while the text was being handed over."""


def test_decision_is_confirmed_once_however_often_it_is_read(desk: Desk) -> None:
    """SMS-12: a reader of the ledger may come again; the reference makes the text single."""
    person = desk.confirmed()
    assert confirm_decision(desk.worker, person, "d1", now=NOON).new
    assert not confirm_decision(desk.worker, person, "d1", now=NOON).new
    assert confirm_decision(desk.worker, person, "d2", by_someone_else=True, now=NOON).new
    desk.send()
    assert [text.split(": ")[1][:8] for text in desk.texts()[2:]] == ["You have", "A change"]
    assert not confirm_decision(desk.worker, desk.new_person(), "d3", now=NOON).new


def test_many_workers_send_each_text_once(desk: Desk) -> None:
    """SMS-12: four workers at once hand over every text once."""
    people = [desk.confirmed(f"+161755501{n}") for n in range(50, 56)]
    for person in people:
        confirm_decision(desk.worker, person, f"d-{person}", now=NOON)
    before = len(desk.texts())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: send_due(desk.worker, desk.channel, NOON), range(4)))
    assert len(desk.texts()) - before == len(people)


def test_crash_after_handing_over_is_found_in_the_list(desk: Desk) -> None:
    """SMS-12: the process dies after the call; the network's list says it was sent, and it is not sent again."""
    person = desk.confirmed()
    confirm_decision(desk.worker, person, "d1", now=NOON)
    desk.channel.answers = [Killed()]
    with pytest.raises(Killed):
        desk.send()
    body = desk.texts()[-1]
    assert desk.send(NOON + MINUTE / 2).sent == 0
    desk.channel.listed = [FoundText("SM-found", "sent", body, NOON)]
    desk.send(NOON + MINUTE)
    assert len(desk.texts()) == 3
    last = desk.messages(person)[-1]
    assert (last.sid, last.state, last.attempts) == ("SM-found", "sent", 1)


def test_crash_before_handing_over_sends_once_more(desk: Desk) -> None:
    """SMS-12: it is not in the list, so it goes out again, once, and that is counted."""
    person = desk.confirmed()
    confirm_decision(desk.worker, person, "d1", now=NOON)
    desk.channel.answers = [Killed(), Failed("no-answer", retry=True, doubtful=True)]
    with pytest.raises(Killed):
        desk.send()
    for minutes in range(1, 12):
        desk.send(NOON + minutes * MINUTE)
    assert len(desk.texts()) == 4
    last = desk.messages(person)[-1]
    assert (last.state, last.attempts) == ("doubtful", 2)


def test_report_that_outran_the_crash_settles_it(desk: Desk) -> None:
    """SMS-12: our id in the address of the status report finds the text even when its answer was lost."""
    person = desk.confirmed()
    confirm_decision(desk.worker, person, "d1", now=NOON)
    desk.channel.answers = [Failed("no-answer", retry=True, doubtful=True)]
    desk.send()
    [*_, message] = desk.messages(person)
    assert receive_status(desk.web, StatusReport("SM-late", "sent", None, str(message.id)), NOON)
    desk.send(NOON + 5 * MINUTE)
    assert len(desk.texts()) == 3
    assert desk.messages(person)[-1].sid == "SM-late"


def test_network_that_cannot_be_asked_is_asked_again(desk: Desk) -> None:
    """SMS-12: while the list is not to be had, nothing is repeated."""
    person = desk.confirmed()
    confirm_decision(desk.worker, person, "d1", now=NOON)
    desk.channel.answers, desk.channel.listed = [Killed()], None
    with pytest.raises(Killed):
        desk.send()
    for minutes in range(1, 5):
        desk.send(NOON + minutes * MINUTE)
    assert len(desk.texts()) == 3
    assert desk.messages(person)[-1].state == "calling"


@pytest.mark.parametrize(
    ("code", "state", "contact", "texts_on"),
    [
        ("21610", "failed", "confirmed", False),
        ("21211", "failed", "invalid", True),
        ("21614", "failed", "invalid", True),
        ("30007", "failed", "confirmed", True),
        ("20429", "intended", "confirmed", True),
    ],
)
def test_errors_have_their_remedies(desk: Desk, code: str, state: str, contact: str, texts_on: bool) -> None:
    """SMS-11: unsubscribed marks opted out, bad numbers are put aside, back-off is retried."""
    person = desk.confirmed()
    confirm_decision(desk.worker, person, "d1", now=NOON)
    desk.channel.answers = [Failed(code, retry=code == "20429")]
    desk.send()
    view = contact_of(desk.web, person)
    assert view is not None
    assert (desk.messages(person)[-1].state, view.state, view.texts_on) == (state, contact, texts_on)


def test_unregistered_service_holds_everything(desk: Desk) -> None:
    """SMS-11: 30034 stops the round, keeps the texts and raises the alarm."""
    people = [desk.confirmed(f"+161755501{n}") for n in (50, 51)]
    for person in people:
        confirm_decision(desk.worker, person, f"d-{person}", now=NOON)
    desk.channel.answers = [Failed("30034", retry=False)]
    assert desk.send().held
    assert len(desk.texts()) == 5
    assert {desk.messages(person)[-1].state for person in people} == {"intended"}


def test_reports_in_any_order_end_the_same(desk: Desk) -> None:
    """SMS-10: delivered then sent stays delivered; strangers' reports change nothing."""
    person = desk.confirmed()
    message = desk.messages(person)[-1]
    assert message.sid is not None
    for word in ("delivered", "sent", "queued", "delivered"):
        assert receive_status(desk.web, StatusReport(message.sid, word, None, str(message.id)), NOON)
    assert desk.messages(person)[-1].state == "delivered"
    for stranger in (None, "not-a-uuid", str(person)):
        assert not receive_status(desk.web, StatusReport(message.sid, "read", None, stranger), NOON)
    assert not receive_status(desk.web, StatusReport("SM-other", "read", None, str(message.id)), NOON)
    assert desk.messages(person)[-1].state == "delivered"


def test_unreachable_phone_gets_the_text_again_later_once(desk: Desk) -> None:
    """SMS-11: 30003 is tried again an hour later; 30006 switches the number off."""
    person = desk.confirmed()
    confirm_decision(desk.worker, person, "d1", now=NOON)
    desk.send()
    for hours in (0, 1):
        now = NOON + hours * 60 * MINUTE
        message = next(one for one in desk.messages(person) if one.state == "accepted" and one.kind == "update")
        assert message.sid is not None
        receive_status(desk.web, StatusReport(message.sid, "undelivered", "30003", str(message.id)), now)
        desk.send(now + 60 * MINUTE)
    assert len(desk.texts()) == 4
    opted_in = desk.messages(person)[1]
    assert opted_in.sid is not None
    receive_status(desk.web, StatusReport(opted_in.sid, "undelivered", "30006", str(opted_in.id)), NOON)
    view = contact_of(desk.web, person)
    assert view is not None
    assert view.state == "invalid"


def test_reminder_goes_out_once_and_in_the_day(desk: Desk) -> None:
    """SMS-06: a reminder due at night waits for the morning where the person is; other texts go at once."""
    person = desk.confirmed()
    night = NOON.replace(day=21, hour=4)  # 23:00 in New York
    set_reminder(desk.web, person, "choices", night, NOON)
    assert reminder_of(desk.web, person, "choices") == night
    assert release_reminders(desk.worker, NOON) == 0
    assert [release_reminders(desk.worker, night) for _ in range(2)] == [1, 0]
    confirm_decision(desk.worker, person, "d1", now=night)
    desk.send(night)
    assert [text.split(": ")[1][:9] for text in desk.texts()[2:]] == ["You have "]
    morning = NOON.replace(day=21, hour=13)
    assert desk.send(morning - MINUTE).sent == 0
    assert desk.send(morning).sent == 1
    assert "You asked us to remind you" in desk.texts()[-1]
    assert reminder_of(desk.web, person, "choices") is None


def test_reminder_in_doubt_is_not_sent_again(desk: Desk) -> None:
    """SMS-12: at most once for a reminder, even when a crash leaves it unknown."""
    person = desk.confirmed()
    set_reminder(desk.web, person, "choices", NOON, NOON)
    release_reminders(desk.worker, NOON)
    desk.channel.answers = [Killed()]
    with pytest.raises(Killed):
        desk.send()
    for minutes in range(1, 5):
        desk.send(NOON + minutes * MINUTE)
    assert len(desk.texts()) == 3
    assert desk.messages(person)[-1].state == "doubtful"


def test_reminder_is_replaced_cancelled_and_goes_stale(desk: Desk) -> None:
    """SMS-06: one reminder at a time; cancelled when the person has finished; too old is not sent."""
    person = desk.confirmed()
    set_reminder(desk.web, person, "choices", NOON + timedelta(days=1), NOON)
    set_reminder(desk.web, person, "choices", NOON + timedelta(days=2), NOON)
    assert reminder_of(desk.web, person, "choices") == NOON + timedelta(days=2)
    cancel_reminder(desk.web, person, "choices")
    assert release_reminders(desk.worker, NOON + timedelta(days=3)) == 0
    set_reminder(desk.web, person, "choices", NOON, NOON)
    release_reminders(desk.worker, NOON)
    desk.send(NOON + timedelta(days=3))
    assert len(desk.texts()) == 2
    assert desk.messages(person)[-1].state == "expired"
    for wrong in (NOON - MINUTE, NOON + timedelta(days=91)):
        with pytest.raises(Invalid):
            set_reminder(desk.web, person, "choices", wrong, NOON)


def test_started_texts_keep_to_one_a_day(desk: Desk) -> None:
    """SMS-07: what the service starts waits its turn; the answer to a decision does not."""
    person = desk.confirmed()
    tell_of_delay(desk.worker, person, "a", NOON)
    assert desk.send().sent == 1
    assert tell_of_delay(desk.worker, person, "b", NOON)
    assert desk.send(NOON + timedelta(hours=23)).sent == 0
    assert desk.send(NOON + timedelta(hours=24)).sent == 1


def test_accepted_code_is_wiped(desk: Desk) -> None:
    """SMS-13: once a code has left, its words are not kept."""
    person = desk.new_person()
    desk.add(person)
    desk.channel.answers = [Accepted("SM-code", "accepted")]
    desk.send()
    [message] = desk.messages(person)
    assert message.body_sealed is None


def test_code_that_waited_too_long_is_not_sent(desk: Desk) -> None:
    """SMS-02: after ten minutes a code is of no use and stays here."""
    person = desk.new_person()
    desk.add(person)
    desk.send(NOON + 10 * MINUTE)
    assert desk.texts() == []
    assert desk.messages(person)[0].state == "expired"
