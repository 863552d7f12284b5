"""STOP, START and HELP: effective at once, once, and for texts only."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import func, select

from database.context import as_persons
from notifications.channels.twilio_webhook import InboundText
from notifications.confirmations import confirm_decision
from notifications.contact import confirm_number, contact_of
from notifications.inbound import receive_text, stop_for
from notifications.tables import ContactConsent
from tests.parts.notifications.conftest import AGREED, NOON, NUMBER, Desk

_sids = itertools.count(1)


def say(desk: Desk, words: str, *, sid: str | None = None, sender: str = NUMBER, kind: str | None = None) -> str | None:
    return receive_text(desk.web, InboundText(sid or f"SM-in-{next(_sids)}", sender, words, kind), NOON).text


def wishes(desk: Desk, person: UUID) -> int:
    with desk.web.database.begin(as_persons(person)) as session:
        return session.scalar(select(func.count()).select_from(ContactConsent)) or 0


def texts_on(desk: Desk, person: UUID) -> bool:
    view = contact_of(desk.web, person)
    assert view is not None
    return view.texts_on


@pytest.mark.parametrize("words", ["STOP", "please stop", "PARAR", "no más"])
def test_stop_suppresses_what_is_already_waiting(desk: Desk, words: str) -> None:
    """SMS-04: the next queued text is not sent; one confirmation, then nothing."""
    person = desk.confirmed()
    confirm_decision(desk.worker, person, "d1", now=NOON)
    reply = say(desk, words)
    assert reply is not None
    assert "no more texts" in reply
    desk.send()
    confirm_decision(desk.worker, person, "d2", now=NOON)
    desk.send()
    assert len(desk.texts()) == 2
    assert {one.state for one in desk.messages(person)[2:]} == {"suppressed"}
    assert say(desk, words) is None


def test_start_brings_texts_back_and_help_always_answers(desk: Desk) -> None:
    """SMS-05: START re-subscribes; HELP answers with name and contact even when opted out."""
    person = desk.confirmed()
    say(desk, "STOP")
    helped = say(desk, "HELP")
    assert helped is not None
    assert "(888) 282-2552" in helped
    assert not texts_on(desk, person)
    started = say(desk, "START")
    assert started is not None
    assert "again" in started
    assert texts_on(desk, person)
    assert say(desk, "thank you") is None


@pytest.mark.parametrize(("kind", "on"), [("STOP", False), ("START", True), ("HELP", True)])
def test_network_that_answered_is_not_echoed(desk: Desk, kind: str, on: bool) -> None:
    """SMS-05: with OptOutType we take note and say nothing."""
    person = desk.confirmed()
    assert say(desk, kind, kind=kind) is None
    assert texts_on(desk, person) is on


def test_one_message_acts_once_for_ever(desk: Desk) -> None:
    """SMS-12: a replayed STOP after a START changes nothing, and a repeat gets the answer of the first time."""
    person = desk.confirmed()
    first = say(desk, "STOP", sid="SM-one")
    say(desk, "START", sid="SM-two")
    assert say(desk, "STOP", sid="SM-one") == first
    assert texts_on(desk, person)
    assert wishes(desk, person) == 3


def test_ten_copies_at_once_act_once(desk: Desk) -> None:
    """SMS-12: the same message ten times in parallel is one effect."""
    person = desk.confirmed()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: say(desk, "STOP", sid="SM-same"), range(10)))
    assert len(set(answers)) == 1
    assert wishes(desk, person) == 2


def test_stop_holds_for_everyone_on_the_number(desk: Desk) -> None:
    """SMS-04: a shared phone that says STOP gets no more texts for anyone."""
    people = [desk.confirmed(), desk.confirmed()]
    other = desk.confirmed("+16175550151")
    say(desk, "stop")
    assert [texts_on(desk, person) for person in [*people, other]] == [False, False, True]


def test_stranger_gets_the_same_answer(desk: Desk) -> None:
    """SMS-03: an unknown number is answered as a known one, and START of a stranger starts nothing."""
    desk.confirmed()
    known, unknown = say(desk, "STOP"), say(desk, "STOP", sender="+16175550199")
    assert known == unknown
    assert say(desk, "START", sender="+16175550199") == say(desk, "HELP", sender="+16175550199")
    assert say(desk, "STOP", sender="+447400123456") == known
    assert say(desk, "STOP", sender="75000") == known


def test_start_needs_a_proven_number(desk: Desk) -> None:
    """SMS-02: an unproven number cannot subscribe itself by a text."""
    person = desk.new_person()
    desk.add(person)
    say(desk, "START")
    assert not texts_on(desk, person)
    assert wishes(desk, person) == 0


def test_reply_is_in_the_persons_language(desk: Desk) -> None:
    """LANG-04: answers come in the language the person chose."""
    desk.confirmed(language="es")
    reply = say(desk, "ALTO")
    assert reply is not None
    assert "mensajes" in reply


def test_a_stop_that_staff_enter(desk: Desk) -> None:
    """SMS-03, X-02: told by phone: everyone on the number, at once, with who entered it as proof; START still works;
    a number put aside keeps its STOP, too."""
    people = [desk.confirmed(), desk.confirmed()]
    confirm_decision(desk.worker, people[0], "d1", now=NOON)
    assert stop_for(desk.worker, "(617) 555-0150", "Kim", "By phone", NOON) == 2
    assert stop_for(desk.worker, "nobody@mail.example.org", "Kim", "By phone", NOON) == 0
    desk.send()
    assert len(desk.texts()) == 4
    assert [texts_on(desk, person) for person in people] == [False, False]
    say(desk, "START")
    assert texts_on(desk, people[0])
    contact = desk.add(people[0], "+16175550151")
    desk.send()
    assert confirm_number(desk.web, people[0], contact, desk.code(), AGREED, NOON) == "right"
    before = wishes(desk, people[0])
    say(desk, "STOP")
    assert wishes(desk, people[0]) == before + 1
    assert texts_on(desk, people[0])
