"""Delete my copy and close my account (decisions, Data at rest): what goes at once, and what stays and why."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from consent.audit import by_actor, write_audit
from consent.authority.helping import forget_helpers
from database.context import Context, as_persons
from fhir_bridge.access.tables import AccessRequest
from fhir_bridge.connections import ENDED
from fhir_bridge.disconnect import connections_of, disconnect
from fhir_bridge.erase_record import erase_record
from fhir_bridge.smart.client import SmartClient
from notifications.contact import Agreement, remove_number
from notifications.reminders import cancel_reminder
from notifications.tables import ContactPoint
from notifications.topics import WAYS
from patient_portal.in_touch.access_reminders import stop_reminding
from patient_portal.in_touch.texting import texting_of
from patient_portal.signing_in.web_session import end_all_of_account
from patient_portal.wiring import Wiring
from vocabulary.actor import Actor

OF_CHOICES = "choices"
"""What the reminder that a person sets for themselves is about (`pages/notifications.py`)."""


def close_account(wiring: Wiring, actor: Actor, agreement: Agreement, now: datetime) -> None:
    """Give every grant back, delete the record, the letters, the helpers, the number and the addresses, end every
    reminder and session; in this order, so that nothing comes in again after it was deleted. Done again after a crash
    it does what is left."""
    assert actor.account_id is not None
    smart = SmartClient(wiring.http)
    for each in connections_of(wiring.database, actor.account_id, actor.persons):
        provider = next((one for one in wiring.settings.providers if one.id == each.provider_id), None)
        if each.state != ENDED and provider is not None and each.person_id in actor.persons:
            disconnect(
                wiring.database, wiring.keyring, smart, provider, account=actor.account_id, persons=actor.persons,
                connection=each.id, now=now,
            )  # fmt: skip
    _fall_silent(wiring, actor, agreement, now)
    with wiring.database.begin(Context(persons=actor.persons, account=actor.account_id)) as session:
        erase_record(session, actor.persons)
        forget_helpers(session, actor, now)
        for person in actor.persons:
            write_audit(session, now, by_actor(actor, "record.erased", "D", person=person))
        end_all_of_account(session, actor.account_id, now)


def _fall_silent(wiring: Wiring, actor: Actor, agreement: Agreement, now: datetime) -> None:
    """No text any more, no reminder that would come up again with a number of a later day, and no number or address
    in use or waiting for its code."""
    texting = texting_of(wiring, actor)
    with wiring.database.begin(as_persons(*actor.persons)) as session:
        letters = session.execute(
            select(AccessRequest.person_id, AccessRequest.id).where(AccessRequest.person_id.in_(actor.persons))
        ).all()
    for person, letter in letters:
        stop_reminding(texting, person, letter)
    for person in actor.persons:
        cancel_reminder(texting, person, OF_CHOICES)
        for way in WAYS:
            remove_number(texting, person, agreement=agreement, now=now, way=way)
    never_proven = (ContactPoint.person_id.in_(actor.persons), ContactPoint.state == "unconfirmed")
    with wiring.database.begin(as_persons(*actor.persons)) as session:
        aside = {"state": "replaced", "code_hash": None, "code_expires_at": None}
        session.execute(update(ContactPoint).where(*never_proven).values(aside))
