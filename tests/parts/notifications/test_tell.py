"""Being told: by the ways a person chose, once for each reason, several waiting ones as one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from notifications.addresses import keep_postal
from notifications.contact import set_texts
from notifications.tell import Told, tell
from tests.parts.notifications.conftest import AGREED, NOON, Desk


def test_once_for_each_reason_by_the_open_way(desk: Desk) -> None:
    """SMS-12: the same reason read again tells nobody anew; a person without any way is not told."""
    person = desk.confirmed()
    assert tell(desk.worker, person, "confirmations", "d1", NOON) == Told(("sms",), True)
    assert tell(desk.worker, person, "confirmations", "d1", NOON) == Told(("sms",), False)
    assert tell(desk.worker, desk.new_person(), "confirmations", "d1", NOON) == Told((), False)
    desk.send()
    assert desk.texts()[-1].startswith("My Record Portal: You have an update.")


def test_waiting_ones_become_one(desk: Desk) -> None:
    """Issue 5: digests instead of bursts: what happens while a text waits is told by it, also when read again."""
    person = desk.confirmed()
    night = NOON.replace(day=21, hour=4)
    assert [tell(desk.worker, person, "late", name, night).new for name in ("a", "b", "c", "b", "a")] == [
        True, False, False, False, False
    ]  # fmt: skip
    desk.send(night)
    morning = NOON.replace(day=21, hour=14)
    assert desk.send(morning).sent == 1
    assert not tell(desk.worker, person, "late", "c", morning).new
    assert tell(desk.worker, person, "late", "d", morning).new
    assert desk.send(morning + timedelta(hours=1)).sent == 0  # one a day
    assert desk.send(morning + timedelta(days=1)).sent == 1


def test_care_team_letter_when_no_other_way_is_left(desk: Desk) -> None:
    """Abuse 10, X-02: after STOP what staff did goes by letter, once, which the sender of texts leaves alone; where we
    know no address, somebody who does is asked, and no letter of ours waits beside theirs."""
    person, asked = desk.confirmed(), []
    texting = replace(desk.worker, unreached=lambda _session, who, about, _now: asked.append((who, about)))
    set_texts(desk.web, person, wanted=False, agreement=AGREED, now=NOON)
    assert tell(texting, person, "care-team", "d1", NOON) == Told(("letter",), False, by_others=True)
    assert asked == [(person, "d1")]
    assert len(desk.messages(person)) == 2  # the code and the opt-in
    keep_postal(desk.web, person, "Anna Canary\n1 Main Street", AGREED, NOON)
    told = tell(texting, person, "care-team", "d1", NOON)
    assert (told.ways, told.new, told.by_others) == (("letter",), True, False)
    assert tell(texting, person, "care-team", "d1", NOON) == Told(("letter",), False)
    assert desk.send().sent == 0
    kept = desk.messages(person)[-1]
    assert (kept.id, kept.state, kept.channel, kept.kind) == (told.letter, "intended", "letter", "changed-for-you")
    assert len(asked) == 1
