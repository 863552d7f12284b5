"""Writes to a store's named contact when its deadline has passed in silence: in counts, again and again, until it
confirms (SUB-08).

Composed here because what a store owes (`consent`) and how mail leaves (`notifications`) do not know each other.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog

from consent.store_digests import Digest, claim_digests, note_failed, note_sent, pause_after, take_digest
from database.context import as_propagation
from notifications.channels.channel import Accepted
from notifications.channels.email import ConsoleMail, EmailChannel, MailChannel
from notifications.mail import Fact, Mail, is_mail_address
from patient_portal.wiring import Wiring

log = structlog.get_logger()

NO_ADDRESS = "contact-is-no-mail-address"
MOST_AT_ONCE = 200


def mail_channel_of(wiring: Wiring) -> MailChannel:
    """The configured mail server, else a channel that sends nothing and says so."""
    settings = wiring.settings
    if settings.mail is None:
        return ConsoleMail()
    return EmailChannel(settings.mail, wiring.http, settings.text_name)


def send_store_mails(wiring: Wiring, channel: MailChannel, now: datetime) -> int:
    """Claim every mail that is due, then hand over each that waits, one after another; how many were taken.

    `wiring` has the worker's login. Any number of processes may run this; a mail is claimed before it is handed over.
    """
    with wiring.database.begin(as_propagation()) as session:
        claim_digests(session, now)
    sent = 0
    for _ in range(MOST_AT_ONCE):
        with wiring.database.begin(as_propagation()) as session:
            digest = take_digest(session, now)
        if digest is None:
            break
        sent += _hand_over(wiring, channel, digest, now)
    return sent


def _hand_over(wiring: Wiring, channel: MailChannel, digest: Digest, now: datetime) -> int:
    if is_mail_address(digest.contact):
        answer = channel.send(digest_mail(digest, wiring.settings.help_phone, now))
    else:
        answer = None
    with wiring.database.begin(as_propagation()) as session:
        if isinstance(answer, Accepted):
            note_sent(session, digest.id, now)
        elif answer is None:
            note_failed(session, digest.id, NO_ADDRESS, again=False)
        else:
            note_failed(session, digest.id, answer.code, again=answer.retry)
    if isinstance(answer, Accepted):
        log.info("store-mail.sent", store=digest.store_id, attempt=digest.tries)
        return 1
    log.warning("store-mail.not-sent", store=digest.store_id, code=answer.code if answer else NO_ADDRESS)
    return 0


def digest_mail(digest: Digest, help_phone: str, now: datetime) -> Mail:
    """The mail: what is late, since when, under which event numbers, and what to do. It names nobody."""
    late = _count(digest.overdue, "decision")
    subject = f"{'Reminder ' + str(digest.step - 1) + ': ' if digest.step > 1 else ''}{late} not confirmed in time"
    facts = [
        Fact("Store", digest.name),
        Fact("Past the deadline", f"{late} (deadline: {lasting(digest.deadline)} after a person decides)"),
        Fact("Oldest", _oldest(digest, now)),
        Fact("Event numbers", _numbers(digest)),
        Fact("Not confirmed in all", f"{digest.waiting:,}"),
    ]
    if digest.parked:
        facts.append(Fact("Set aside", f"{_count(digest.parked, 'event')} refused each time we sent it"))
    if digest.channel != "active":
        facts.append(Fact("Your address", f"does not answer well ({digest.last_error or digest.channel})"))
    return Mail(
        f"store-digest-{digest.id}",
        digest.contact,
        subject,
        (
            f"People made consent decisions that {digest.name} has not confirmed in time. Each counts already; until"
            " you confirm, the person reads “not confirmed” beside your name.",
            *facts,
            "Please see that your endpoint answers each message with a signed receipt. You can ask us for what you"
            " missed by event number ($events). We go on sending in order; nothing expires, and no one else waits.",
            f"The next mail comes in {lasting(pause_after(digest.step, digest.deadline))} if this goes on. None comes"
            " once everything is confirmed.",
            f"This mail names nobody. Please put no names or record numbers in an answer. Questions: {help_phone}.",
        ),
        now,
    )


def _oldest(digest: Digest, now: datetime) -> str:
    due = digest.oldest_due_at
    if due is None:
        return "unknown"
    return f"due {due.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {lasting(now - due)} ago"


def _numbers(digest: Digest) -> str:
    runs = [f"{first}" if first == last else f"{first}-{last}" for first, last in digest.runs]
    if digest.left_out:
        runs.append(f"{digest.left_out:,} more")
    if digest.overdue > digest.numbered:
        runs.append(f"{digest.overdue - digest.numbered:,} that come after event {digest.last_event}")
    return ", ".join(runs) or "none given out yet"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def lasting(length: timedelta) -> str:
    """A length of time in one unit, rounded down, such as `3 hours`."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size and (seconds >= 2 * size or seconds % size == 0):
            return _count(seconds // size, unit)
    return _count(seconds, "second")
