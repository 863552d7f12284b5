"""A number is proven, agreed to and looked after, on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from database.context import as_nobody, as_persons
from notifications.contact import confirm_number, contact_of, set_texts
from notifications.opt_in import OptInProof
from notifications.tables import ContactConsent, ContactPoint
from notifications.texting import proof_place
from tests.parts.notifications.conftest import AGREED, NOON, NUMBER, Desk
from vocabulary.errors import Invalid, NotFound, TooMany


def test_number_is_proven_before_anything_else_is_texted(desk: Desk) -> None:
    """SMS-02: first the code, then, once it is right, the opt-in confirmation."""
    person = desk.new_person()
    contact = desk.add(person, "(617) 555-0150")
    assert desk.send().sent == 1
    assert desk.channel.sent[0].to == NUMBER
    view = contact_of(desk.web, person)
    assert view is not None
    assert (view.state, view.texts_on, view.last_two) == ("unconfirmed", False, "50")
    assert confirm_number(desk.web, person, contact, f" {desk.code()[:3]} {desk.code()[3:]} ", AGREED, NOON) == "right"
    desk.send()
    assert "STOP to stop" in desk.texts()[1]
    view = contact_of(desk.web, person)
    assert view is not None
    assert (view.state, view.texts_on) == ("confirmed", True)


def test_opt_in_proof_is_kept_sealed(desk: Desk) -> None:
    """SMS-01: time, exact words, number, address, browser, means and version can be shown later."""
    person = desk.confirmed()
    with desk.web.database.begin(as_persons(person)) as session:
        wish = session.scalars(select(ContactConsent)).one()
        proof = OptInProof.read(
            desk.web.keys.open(wish.proof_sealed, proof_place(wish.contact_point_id, wish.recorded_at))
        )
        assert b"617" not in wish.proof_sealed
    assert (wish.answer, wish.means) == ("yes", "web")
    assert (proof.text, proof.number, proof.agent) == (AGREED.text, NUMBER, "Firefox")
    assert (proof.version, proof.address, proof.recorded_at) == (AGREED.version, "127.0.0.1", NOON.isoformat())


def test_box_must_be_ticked(desk: Desk) -> None:
    """SMS-01: without the tick nothing is confirmed, and the code is not used up."""
    person = desk.new_person()
    contact = desk.add(person)
    desk.send()
    with pytest.raises(Invalid):
        confirm_number(desk.web, person, contact, desk.code(), replace(AGREED, box_ticked=False), NOON)
    assert confirm_number(desk.web, person, contact, desk.code(), AGREED, NOON) == "right"


def test_code_is_tried_five_times_for_ten_minutes_once(desk: Desk) -> None:
    """SMS-02: five tries, ten minutes, single use; the count survives."""
    person = desk.new_person()
    contact = desk.add(person)
    desk.send()
    right = desk.code()
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    late = NOON + timedelta(minutes=10)
    assert confirm_number(desk.web, person, contact, right, AGREED, late) == "expired"
    assert [confirm_number(desk.web, person, contact, wrong, AGREED, NOON) for _ in range(4)] == ["wrong"] * 4
    assert confirm_number(desk.web, person, contact, right, AGREED, NOON) == "too-many"
    desk.add(person)
    desk.send()
    assert confirm_number(desk.web, person, contact, desk.code(), AGREED, NOON) == "right"
    assert confirm_number(desk.web, person, contact, desk.code(), AGREED, NOON) == "expired"


def test_only_the_owner_can_confirm(desk: Desk) -> None:
    """SEC-08: another person's contact point is not there, and neither is one that never was."""
    owner, other = desk.new_person(), desk.new_person()
    contact = desk.add(owner)
    desk.send()
    for person, asked in ((other, contact), (owner, uuid4())):
        with pytest.raises(NotFound):
            confirm_number(desk.web, person, asked, desk.code(), AGREED, NOON)
    assert contact_of(desk.web, other) is None


def test_same_number_on_two_people_keeps_them_apart(desk: Desk) -> None:
    """SMS-02: two people may share a number; each proves it, and neither text says whose it is."""
    first, second = desk.confirmed(), desk.confirmed()
    assert {len(desk.messages(person)) for person in (first, second)} == {2}
    assert len(set(desk.texts())) == 3  # two different codes, one opt-in text


def test_changed_number_needs_its_own_proof(desk: Desk) -> None:
    """SMS-02: a new number takes over only when it was proven; the old one is then put aside."""
    person = desk.confirmed()
    new = desk.add(person, "+16175550151")
    desk.send()
    view = contact_of(desk.web, person)
    assert view is not None
    assert view.last_two == "50"
    confirm_number(desk.web, person, new, desk.code(), AGREED, NOON)
    view = contact_of(desk.web, person)
    assert view is not None
    assert view.last_two == "51"
    with desk.web.database.begin(as_persons(person)) as session:
        assert sorted(session.scalars(select(ContactPoint.state))) == ["confirmed", "replaced"]


def test_code_requests_are_capped(desk: Desk) -> None:
    """SMS-02: an attacker cannot make us text a stranger again and again (abuse 14)."""
    people = [desk.new_person() for _ in range(4)]
    for person in people[:3]:
        desk.add(person)
    with pytest.raises(TooMany) as refused:
        desk.add(people[3])
    assert 0 < refused.value.retry_after_seconds <= 3600
    desk.send()
    assert len(desk.texts()) == 3
    desk.add(people[3], now=NOON + timedelta(hours=1))


def test_texts_are_turned_off_and_on_by_the_web(desk: Desk) -> None:
    """SMS-03: the web stops texts without a box or a step; turning on needs the box."""
    person = desk.confirmed()
    off = replace(AGREED, box_ticked=False)
    assert set_texts(desk.web, person, wanted=False, agreement=off, now=NOON)
    view = contact_of(desk.web, person)
    assert view is not None
    assert not view.texts_on
    with pytest.raises(Invalid):
        set_texts(desk.web, person, wanted=True, agreement=off, now=NOON)
    assert set_texts(desk.web, person, wanted=True, agreement=AGREED, now=NOON)
    assert not set_texts(desk.web, desk.new_person(), wanted=False, agreement=off, now=NOON)


def test_nothing_in_the_tables_reads_as_a_number_or_a_code(desk: Desk) -> None:
    """SEC-06: numbers, codes and words are sealed at rest."""
    desk.confirmed()
    code = desk.channel.sent[0].body
    with desk.web.database.begin(as_nobody()) as session:
        assert session.execute(text("SELECT count(*) FROM contact_point")).scalar_one() == 0
    person = desk.new_person()
    desk.add(person, "+16175550159")
    with desk.web.database.begin(as_persons(person)) as session:
        dumped = ""
        for table in ("contact_point", "message", "contact_consent"):
            dumped += str(session.execute(text(f"SELECT row_to_json(t)::text FROM {table} t")).all())
    assert "contact_point_id" in dumped
    for secret in ("6175550159", NUMBER[1:], code, "your code"):
        assert secret not in dumped
        assert secret.encode().hex() not in dumped
