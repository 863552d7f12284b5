"""Texts, composed: whose name they go out in, the way out, and the loop that reads the ledger and sends what is due.

A confirmation text is one more reader of the ledger, with a cursor of its own (house.md, Who may know whom): only
decisions that have their place in the one order are confirmed, each once, however often the loop is killed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, text

from database.context import as_persons, as_propagation
from notifications.channels.channel import Channel
from notifications.channels.console import ConsoleChannel
from notifications.channels.twilio import TwilioChannel
from notifications.confirmations import confirm_decision
from notifications.reminders import release_reminders
from notifications.send import send_due
from notifications.tables import ContactPoint
from notifications.texting import Texting
from notifications.texts import Programme
from patient_portal.wiring import Wiring, now
from vocabulary.actor import ActorKind

log = structlog.get_logger()

LOOK_EVERY = 1.0
A_READ = 200
CURSOR = "texts"
"""The name of the reader's row among the cursors; no store may be called so, for a store's id is a slug of its own."""
CARRIED = "carried-over"
"""The reason on a decision that the service repeated under a newly known name: the person decided nothing new."""

_READ = text(
    "SELECT q.position, q.person_id, d.actor_kind, d.recorded_at, d.reason"
    " FROM position q JOIN decision d ON d.id = q.decision_id"
    " WHERE q.position >= coalesce((SELECT position FROM store_cursor WHERE store_id = :cursor), 0)"
    " ORDER BY q.position LIMIT :most"
)
_ADVANCE = text(
    "INSERT INTO store_cursor (store_id, position, event_number, failures, updated_at)"
    " VALUES (:cursor, :after, 0, 0, :now) ON CONFLICT (store_id) DO UPDATE"
    " SET position = greatest(store_cursor.position, excluded.position), updated_at = excluded.updated_at"
)


def texting_of(wiring: Wiring) -> Texting:
    """What the verbs about texts are given. The programme's name is neutral: the brand may name an illness (SMS-08)."""
    programme = Programme(link=wiring.settings.base_url, contact=wiring.settings.help_phone)
    return Texting(wiring.database, wiring.keyring, programme)


def channel_of(wiring: Wiring) -> Channel:
    """Twilio when it is configured, else a channel that sends nothing."""
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
    """Confirm decisions, release reminders and send what is due, every second until `stop_event` is set.

    `wiring` has the worker's login. Any number of processes may run this. An error is logged and tried again.
    """
    texting, channel = texting_of(wiring), channel_of(wiring)
    steps: tuple[tuple[str, Callable[[datetime], object]], ...] = (
        ("confirm", lambda moment: confirm_new_decisions(texting, moment)),
        ("remind", lambda moment: release_reminders(texting, moment)),
        ("send", lambda moment: send_due(texting, channel, moment)),
    )
    while not stop_event.is_set():
        for name, step in steps:
            try:
                step(clock())
            except Exception as error:  # noqa: BLE001 - the loop must outlive whatever one round meets
                log.error("texting-failed", part=name, error=type(error).__name__)  # noqa: TRY400 - a trace names people
        stop_event.wait(LOOK_EVERY)


def confirm_new_decisions(texting: Texting, moment: datetime) -> int:
    """Read on from the cursor and confirm each action by one text; how many texts are now waiting that were not.

    A text's key is the person and the moment of the press, so a crash between the texts and the cursor repeats nothing.
    """
    with texting.database.begin(as_propagation()) as session:
        rows = session.execute(_READ, {"cursor": CURSOR, "most": A_READ}).all()
    if not rows:
        return 0
    made = sum(
        confirm_decision(
            texting, row.person_id, f"{row.person_id}/{row.recorded_at.isoformat()}",
            by_someone_else=row.actor_kind != ActorKind.PATIENT.value, now=moment,
        )
        for row in one_per_action(rows, reachable_since(texting, {row.person_id for row in rows}))
    )  # fmt: skip
    with texting.database.begin(as_propagation()) as session:
        session.execute(_ADVANCE, {"cursor": CURSOR, "after": rows[-1].position + 1, "now": moment})
    return made


def reachable_since(texting: Texting, persons: set[UUID]) -> dict[UUID, datetime]:
    """Who of these has a proven number, and since when."""
    with texting.database.begin(as_persons(*persons)) as session:
        found = session.execute(
            select(ContactPoint.person_id, ContactPoint.confirmed_at).where(
                ContactPoint.person_id.in_(persons), ContactPoint.state == "confirmed"
            )
        ).all()
    return {person: since for person, since in found if since is not None}


def one_per_action(rows: Sequence[Any], since: dict[UUID, datetime]) -> list[Any]:
    """The decisions to confirm: of those one press made together the first, and none from before the number."""
    chosen: dict[tuple[UUID, datetime], Any] = {}
    for row in rows:
        known = since.get(row.person_id)
        if known is not None and row.recorded_at >= known and row.reason != CARRIED:
            chosen.setdefault((row.person_id, row.recorded_at), row)
    return list(chosen.values())
