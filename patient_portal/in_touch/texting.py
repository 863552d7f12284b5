"""Texts, composed: whose name they go out in, the way out, and the loop that reads the ledger and sends what is due.

A confirmation text is one more reader of the ledger, with a cursor of its own (house.md, Who may know whom): only
decisions that have their place in the one order are confirmed, each once, however often the loop is killed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from notifications.campaign_release import release_campaigns
from notifications.channels.by_way import ByWay
from notifications.channels.channel import Channel
from notifications.channels.console import ConsoleChannel
from notifications.channels.twilio import TwilioChannel
from notifications.confirmations import confirm_decision
from notifications.reminders import release_reminders
from notifications.send import send_due
from notifications.texting import Event, Texting
from notifications.texts import Programme
from patient_portal.care_team.chart import ask_for_letter
from patient_portal.choices.choosing import TEXTS
from patient_portal.choices.ledger_reader import move_on, read_on, to_tell
from patient_portal.in_touch.audiences import audience_named
from patient_portal.in_touch.late_stores import tell_of_late_stores
from patient_portal.in_touch.re_consent import ask_again
from patient_portal.in_touch.store_mails import mail_channel_of
from patient_portal.settings import Settings
from patient_portal.wiring import Wiring, now
from vocabulary.actor import Actor, ActorKind

log = structlog.get_logger()

LOOK_EVERY = 1.0
CURSOR = "texts"
_BY_MEANS = {"network": ActorKind.SYSTEM, "staff": ActorKind.STAFF}
_BY_STAFF = text(
    "SELECT id, practice_id FROM decision WHERE person_id = :person AND recorded_at = :moment AND actor_kind = :staff"
    " ORDER BY version LIMIT 1"
)


def texting_of(wiring: Wiring, actor: Actor | None = None) -> Texting:
    """What the verbs about texts are given. The programme's name is neutral: the brand may name an illness (SMS-08).

    What they do is noted in the person's audit in the same transaction: by `actor`, who pressed a button; without
    one by the person, whose own phone answered, or by this service, when the network said that a number is dead.
    """
    settings = wiring.settings
    limits = settings.text_limits
    return Texting(
        wiring.database,
        wiring.keyring,
        programme_of(settings),
        limits.countries,
        limits.budget,
        note=partial(_note, actor),
        unreached=_ask_staff,
    )


def programme_of(settings: Settings) -> Programme:
    """In whose name messages go out."""
    return Programme(name=settings.text_name, link=settings.base_url, contact=settings.help_phone)


def _note(actor: Actor | None, session: Session, person: UUID, event: Event, means: str, moment: datetime) -> None:
    kind = actor.kind if actor else _BY_MEANS.get(means, ActorKind.PATIENT)
    account = actor.account_id if actor else None
    write_audit(session, moment, Audited(person, event, "U", kind.value, account, detail={"means": means}))


def _ask_staff(session: Session, person: UUID, press: str, moment: datetime) -> None:
    """Staff can ask the clinic for an address: a case for them, for what a care team recorded by this press."""
    try:
        pressed = datetime.fromisoformat(press.rpartition("/")[2])
    except ValueError:
        return  # nothing that staff recorded
    about = {"person": person, "moment": pressed, "staff": ActorKind.CARE_TEAM.value}
    made = session.execute(_BY_STAFF, about).first()
    if made is not None:
        ask_for_letter(session, person, made.id, made.practice_id, moment)


def channel_of(wiring: Wiring) -> Channel:
    """Texts by Twilio and mails by the mail server, where they are configured; else by channels that send nothing."""
    return ByWay(_texts_of(wiring), mail_channel_of(wiring))


def _texts_of(wiring: Wiring) -> Channel:
    twilio = wiring.settings.twilio
    if twilio is None:
        return ConsoleChannel()
    return TwilioChannel(
        account_sid=twilio.account_sid,
        auth_token=twilio.auth_token,
        messaging_service_sid=twilio.messaging_service_sid,
        session=wiring.http.guarded_session(within=twilio.api_base),
        status_callback=f"{wiring.settings.base_url}/webhooks/twilio/status",
        api_base=twilio.api_base,
    )


def run_texting(wiring: Wiring, stop_event: threading.Event, *, clock: Callable[[], datetime] = now) -> None:
    """Confirm decisions, tell of late stores and changed words, release reminders and campaigns, send what is due, each
    second.

    Ends when `stop_event` is set. `wiring` has the worker's login. Any number of processes may run this. An error is
    logged and tried again.
    """
    texting, channel = texting_of(wiring), channel_of(wiring)
    pace = wiring.settings.text_limits.per_second
    at_once, hands = max(50, 2 * pace), min(16, 1 + pace // 8)
    steps: tuple[tuple[str, Callable[[datetime], object]], ...] = (
        ("confirm", lambda moment: confirm_new_decisions(texting, moment)),
        ("late", lambda moment: tell_of_late_stores(wiring, texting, moment)),
        ("remind", lambda moment: release_reminders(texting, moment)),
        ("re-consent", lambda moment: ask_again(texting, TEXTS, moment)),
        ("campaign", lambda moment: release_campaigns(texting, audience_named, moment, pace)),
        ("send", lambda moment: send_due(texting, channel, moment, at_once, hands)),
    )
    while not stop_event.is_set():
        for name, step in steps:
            try:
                step(clock())
            except Exception as error:  # noqa: BLE001 - the loop must outlive whatever one round meets
                log.error("texting-failed", part=name, error=type(error).__name__)  # noqa: TRY400 - a trace names people
        stop_event.wait(LOOK_EVERY)


def confirm_new_decisions(texting: Texting, moment: datetime) -> int:
    """Read on from the cursor and confirm each press by one text; how many texts are now waiting that were not.

    A text's key is the person and the moment of the press, so a crash between the texts and the cursor repeats nothing.
    What a care team did is told by whatever way is open, at last by letter; whose address nobody gave us is written to
    by staff (`_ask_staff`).
    """
    read = read_on(texting, CURSOR)
    if not read:
        return 0
    told = [
        confirm_decision(
            texting, one.person, one.press, by_someone_else=one.by_someone_else, refusing=one.refusing, now=moment
        )
        for one in to_tell(texting, read)
    ]
    move_on(texting, CURSOR, read[-1].position + 1, moment)
    return sum(one.new for one in told)
