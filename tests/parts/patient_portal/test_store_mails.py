"""Mails to the contacts of late stores, over a real mail server: sent once, escalated, ended; no identities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from database.context import as_nobody, as_propagation
from notifications.channels.channel import Accepted, Failed
from notifications.channels.email import MailChannel, read_mail_server
from notifications.mail import Mail
from outbound.client import OutboundClient
from patient_portal.in_touch.store_mails import NO_ADDRESS, mail_channel_of, send_store_mails
from patient_portal.wiring import Wiring, allow_list
from sandbox.post.smtp import PostOffice, Rules
from tests.support.portal import Portal

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DEADLINE = timedelta(minutes=15)
LATE_SINCE = NOW - timedelta(hours=3)


@pytest.fixture
def post() -> Iterator[PostOffice]:
    office = PostOffice()
    yield office
    office.stop()


@pytest.fixture
def wiring(portal: Portal, post: PostOffice) -> Wiring:
    """The worker's, with the post office as its mail server."""
    mail = read_mail_server(post.url, "no-reply@portal.example.org", production=False)
    settings = replace(portal.worker.settings, mail=mail)
    return replace(portal.worker, settings=settings, http=OutboundClient(allow_list(settings)))


def late(wiring: Wiring, store: str, overdue: int, oldest: datetime = LATE_SINCE, contact: str | None = None) -> None:
    """What the feed's look leaves behind when a store is late, or is so no longer."""
    bound = {"store": store, "contact": contact or f"privacy@{store}.example", "n": overdue, "now": NOW, "due": oldest}
    with wiring.database.begin(as_nobody()) as session:
        session.execute(
            text(
                "INSERT INTO store (id, name, kind, holds, basis, deadline_seconds, contact, added_at) VALUES"
                " (:store, 'Store of ' || :store, 'webhook', 'identifiable', 'operations', 900, :contact, :now)"
                " ON CONFLICT (id) DO NOTHING"
            ),
            bound,
        )
    with wiring.database.begin(as_propagation()) as session:
        session.execute(
            text(
                "INSERT INTO store_channel (store_id, state, since, waiting, overdue, parked, oldest_due_at, looked_at)"
                " VALUES (:store, 'active', :now, :n, :n, 0, :due, :now) ON CONFLICT (store_id) DO UPDATE"
                " SET waiting = :n, overdue = :n, oldest_due_at = :due"
            ),
            bound,
        )
        session.execute(
            text(
                "INSERT INTO store_cursor (store_id, position, event_number, failures, updated_at)"
                " VALUES (:store, 0, 40, 0, :now) ON CONFLICT (store_id) DO NOTHING"
            ),
            bound,
        )


def digests(portal: Portal) -> list[Any]:
    return [
        tuple(row)
        for row in portal.rows("SELECT store_id, step, state, tries, last_error FROM store_digest ORDER BY id")
    ]


def send(wiring: Wiring, at: datetime, channel: MailChannel | None = None) -> int:
    return send_store_mails(wiring, channel or mail_channel_of(wiring), at)


def words(post: PostOffice) -> str:
    body = post.mails[-1].message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def test_one_mail_for_a_store_then_reminders_until_it_confirms(
    portal: Portal, wiring: Wiring, post: PostOffice
) -> None:
    """SUB-08, house rule 6: in counts and event numbers, after a further deadline, then daily; none once confirmed."""
    late(wiring, "cancerlinq", 1_234)
    assert (send(wiring, NOW), send(wiring, NOW + timedelta(minutes=1))) == (1, 0)
    assert post.mails[0].recipients == ("privacy@cancerlinq.example",)
    assert post.mails[0].message["Subject"] == "1,234 decisions not confirmed in time"
    said = " ".join(words(post).split())
    assert "1,234 decisions (deadline: 15 minutes after a person decides)" in said
    assert "due 2026-11-22 09:00 UTC, 3 hours ago" in said
    assert "Event numbers: 1,234 that come after event 40" in said
    assert send(wiring, NOW + DEADLINE) == 1
    assert post.mails[1].message["Subject"] == "Reminder 1: 1,234 decisions not confirmed in time"
    assert "The next mail comes in 1 day if" in " ".join(words(post).split())
    assert send(wiring, NOW + timedelta(hours=20)) == 0
    late(wiring, "cancerlinq", 0)
    assert send(wiring, NOW + timedelta(days=3)) == 0
    late(wiring, "cancerlinq", 1, oldest=NOW + timedelta(days=4))
    assert send(wiring, NOW + timedelta(days=4, hours=1)) == 1
    assert post.mails[2].message["Subject"] == "1 decision not confirmed in time", "a new silence begins anew"
    assert [row[1:4] for row in digests(portal)] == [(1, "sent", 1), (2, "sent", 1), (1, "sent", 1)]


class Dies:
    """Hands the mail over and dies before it can say so; or before it hands it over."""

    def __init__(self, way: MailChannel | None) -> None:
        self._way = way

    def send(self, mail: Mail) -> Accepted | Failed:
        if self._way is not None:
            self._way.send(mail)
        raise SystemExit


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_costs_at_worst_one_mail_twice(portal: Portal, wiring: Wiring, post: PostOffice, after: bool) -> None:
    """I5: killed before or after the hand-over, the mail comes; twice with the same id at worst, and it is counted."""
    late(wiring, "tempus", 3)
    with pytest.raises(SystemExit):
        send(wiring, NOW, Dies(mail_channel_of(wiring) if after else None))
    assert digests(portal) == [("tempus", 1, "waiting", 1, None)]
    assert send(wiring, NOW + timedelta(minutes=5)) == 0
    assert send(wiring, NOW + timedelta(minutes=10)) == 1
    assert digests(portal) == [("tempus", 1, "sent", 2, None)]
    assert len(post.mails) == 1 + after
    assert len({each.message["Message-ID"] for each in post.mails}) == 1


def test_trouble_is_tried_again_and_named(portal: Portal, wiring: Wiring, post: PostOffice) -> None:
    """Issue 3: one address refused and one that is none do not hold up the others; a busy server is asked again."""
    for store, contact in (("concerto", "gone@concerto.example"), ("discovery", "call 555-0100"), ("tempus", None)):
        late(wiring, store, 2, contact=contact)
    busy = ["450 later"]
    refuse = {"TO:<gone@concerto.example>": "550 no such box"}

    def judge(verb: str, argument: str) -> str | None:
        if verb != "RCPT":
            return None
        return refuse.get(argument) or (busy.pop() if busy else None)

    post.rules = Rules(misbehave=judge)
    assert send(wiring, NOW) == 0
    assert digests(portal) == [
        ("concerto", 1, "refused", 1, "smtp-550"),
        ("discovery", 1, "refused", 1, NO_ADDRESS),
        ("tempus", 1, "waiting", 1, "smtp-450"),
    ]
    assert send(wiring, NOW + timedelta(minutes=10)) == 1
    assert digests(portal)[2] == ("tempus", 1, "sent", 2, None)


def test_without_a_mail_server_mails_wait_and_say_so(portal: Portal, wiring: Wiring, post: PostOffice) -> None:
    """Issue 3: nothing is lost or pretended; with a server the mail goes, unless all was confirmed meanwhile."""
    without = replace(wiring, settings=replace(wiring.settings, mail=None))
    late(wiring, "cancerlinq", 2)
    late(wiring, "tempus", 2)
    assert send(without, NOW) == 0
    assert {row[2:] for row in digests(portal)} == {("waiting", 1, "no-mail-server")}
    late(wiring, "tempus", 0)
    assert send(wiring, NOW + timedelta(minutes=10)) == 1
    assert {row[0]: row[2] for row in digests(portal)} == {"cancerlinq": "sent", "tempus": "over"}


def test_a_store_that_we_paused_is_not_blamed(portal: Portal, wiring: Wiring, post: PostOffice) -> None:
    """SUB-08: we send it nothing, so its silence is ours."""
    late(wiring, "cancerlinq", 2)
    with wiring.database.begin(as_propagation()) as session:
        session.execute(
            text("INSERT INTO store_pause (store_id, paused_at, paused_by, why) VALUES ('cancerlinq', :now, 'a', 'b')"),
            {"now": NOW},
        )
    assert (send(wiring, NOW), digests(portal), post.mails) == (0, [], [])
