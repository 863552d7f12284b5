"""A person's number or mail address: given, proven by a code, agreed to with proof (requirements SMS-01, SMS-02)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from database.context import as_persons
from notifications.code_counts import count_code
from notifications.codes import ENTROPY_BYTES, LIFETIME, HeldCode, Verdict, as_typed, judge, new_code
from notifications.intend import intend
from notifications.numbers import PhoneNumber, read_number
from notifications.opt_in import OptInProof, check_opt_in
from notifications.quiet_hours import is_zone
from notifications.tables import ContactPoint
from notifications.tell import tell_in
from notifications.texting import Event, Texting, confirmed_contact, record_wish, texts_wanted
from notifications.topics import Way, as_way
from vocabulary.errors import NotFound

log = structlog.get_logger()

_EVENTS: dict[bool, tuple[Event, Event]] = {
    True: ("number.removed", "number.confirmed"), False: ("address.removed", "address.confirmed"),
}  # fmt: skip


@dataclass(frozen=True)
class Agreement:
    """What the person saw and did on the page: the words, their language and version, the box, the browser."""

    text: str
    language: str
    version: str
    box_ticked: bool
    address: str
    agent: str


@dataclass(frozen=True)
class ContactView:
    """A number as its owner's page shows it. `state`: `unconfirmed`, `confirmed` or `invalid`."""

    id: UUID
    last_two: str
    state: str
    texts_on: bool
    language: str
    zone: str | None


def add_number(
    texting: Texting,
    person: UUID,
    typed: str,
    *,
    language: str,
    zone: str | None,
    account: UUID | None,
    address: str,
    now: datetime,
) -> UUID:
    """Take a number down and text a code to it; the id of the contact point.

    Invalid (`number-…`) when it cannot be texted, TooMany when codes were asked for too often. The answer is the
    same whether or not the number is known already, here or with another person.
    """
    number = read_number(typed, countries=texting.countries)
    code = new_code(secrets.token_bytes(ENTROPY_BYTES))
    with texting.database.begin(as_persons(person)) as session:
        count_code(session, texting, number.e164, account=str(account or person), address=address, now=now)
        contact = _contact_for(session, texting, person, number, now)
        contact.language = language
        contact.zone = zone if zone and is_zone(zone) else None
        contact.code_hash = texting.code_hash(contact.id, code)
        contact.code_expires_at = now + LIFETIME
        contact.code_tries = 0
        session.flush()
        key = f"code:{contact.id}:{uuid4()}"
        intend(session, texting, person, "code", key, now, contact=contact, code=code, expires_at=now + LIFETIME)
        log.info("number_added", contact_id=str(contact.id))
        return contact.id


def _contact_for(session: Session, texting: Texting, person: UUID, number: PhoneNumber, now: datetime) -> ContactPoint:
    """This person's row for this number, locked or new; one that was put aside or did not work starts again."""
    index = texting.number_index(number.e164)
    contact = session.scalars(
        select(ContactPoint)
        .where(ContactPoint.person_id == person, ContactPoint.value_index == index)
        .with_for_update()
    ).first()
    if contact is None:
        new = uuid4()
        contact = ContactPoint(
            id=new, person_id=person, channel="sms", value_index=index,
            value_sealed=texting.seal_number(new, number), state="unconfirmed", created_at=now,
        )  # fmt: skip
        session.add(contact)
    if contact.state in ("invalid", "replaced"):
        contact.state = "unconfirmed"
    return contact


def confirm_number(
    texting: Texting, person: UUID, contact_id: UUID, typed_code: str, agreement: Agreement, now: datetime
) -> Verdict:
    """Prove the number by its code and record the opt-in with its proof; anything but `right` changes only the tries.

    NotFound for a contact point that is not this person's; Invalid when the box was not ticked.
    """
    with texting.database.begin(as_persons(person)) as session:
        contact = session.get(ContactPoint, contact_id, with_for_update=True)
        if contact is None or contact.person_id != person:
            raise NotFound("contact")
        number = texting.open_number(contact)
        proof = proof_of(number, agreement, now)
        check_opt_in(proof, box_ticked=agreement.box_ticked)
        held = HeldCode(contact.code_hash, contact.code_expires_at, contact.code_tries)
        verdict = judge(held, texting.code_hash(contact.id, as_typed(typed_code)), now)
        if verdict != "right":
            contact.code_tries += 1
            return verdict
        way = as_way(contact.channel)
        removed, confirmed = _EVENTS[way == "sms"]
        before = confirmed_contact(session, person, way)
        if before is not None and before.id != contact.id:
            # While the old one still counts: whoever lost their account to another hears of it there.
            tell_in(session, texting, person, "security", f"changed:{contact.id}:{now.isoformat()}", now)
        if put_aside(session, person, way, kept=contact.id):
            texting.note(session, person, removed, "web", now)
        contact.state, contact.confirmed_at = "confirmed", now
        contact.code_hash, contact.code_expires_at = None, None
        session.flush()
        texting.note(session, person, confirmed, "web", now)
        record_wish(session, texting, contact, "yes", "web", proof.sealed_form(), now)
        key = f"opted-in:{contact.id}:{now.isoformat()}"
        intend(session, texting, person, "opted-in", key, now, contact=contact, way=way)
        log.info("number_confirmed", contact_id=str(contact.id))
        return verdict


def set_texts(
    texting: Texting, person: UUID, *, wanted: bool, agreement: Agreement, now: datetime, way: Way = "sms"
) -> bool:
    """Turn texts (or mail, or letters) off or on by the web; off needs no box. True when there is a number for it."""
    with texting.database.begin(as_persons(person)) as session:
        contact = confirmed_contact(session, person, way)
        if contact is None:
            return False
        proof = proof_of(texting.open_number(contact), agreement, now)
        if wanted:
            check_opt_in(proof, box_ticked=agreement.box_ticked)
        if texts_wanted(session, contact.id) != wanted:
            record_wish(session, texting, contact, "yes" if wanted else "no", "web", proof.sealed_form(), now)
            log.info("texts_set", contact_id=str(contact.id), wanted=wanted)
        return True


def remove_number(texting: Texting, person: UUID, *, agreement: Agreement, now: datetime, way: Way = "sms") -> bool:
    """Use this person's number (or address) no more; the proofs of what they had agreed to stay.

    True when there was one. It comes back only by a new code.
    """
    with texting.database.begin(as_persons(person)) as session:
        contact = confirmed_contact(session, person, way)
        if contact is None:
            return False
        if texts_wanted(session, contact.id):
            proof = proof_of(texting.open_number(contact), agreement, now)
            record_wish(session, texting, contact, "no", "web", proof.sealed_form(), now)
        put_aside(session, person, way)
        texting.note(session, person, _EVENTS[way == "sms"][0], "web", now)
        log.info("number_removed", contact_id=str(contact.id))
        return True


def contact_of(texting: Texting, person: UUID, way: Way = "sms") -> ContactView | None:
    """The number (or address) that counts: the proven one, else the newest not yet proven."""
    with texting.database.begin(as_persons(person)) as session:
        contact = (
            confirmed_contact(session, person, way)
            or session.scalars(
                select(ContactPoint)
                .where(ContactPoint.person_id == person, ContactPoint.channel == way)
                .where(ContactPoint.state != "replaced")
                .order_by(ContactPoint.created_at.desc())
                .limit(1)
            ).first()
        )
        if contact is None:
            return None
        return ContactView(
            contact.id,
            texting.open_number(contact)[-2:],
            contact.state,
            texts_wanted(session, contact.id),
            contact.language,
            contact.zone,
        )


def proof_of(number: str, agreement: Agreement, now: datetime) -> OptInProof:
    return OptInProof(
        text=agreement.text,
        language=agreement.language,
        version=agreement.version,
        number=number,
        means="web",
        address=agreement.address,
        agent=agreement.agent[:400],
        recorded_at=now.isoformat(),
    )


def put_aside(session: Session, person: UUID, way: Way, kept: UUID | None = None) -> bool:
    """Use no number (or address) of this person's but `kept`; True when one was in use."""
    aside = (
        update(ContactPoint)
        .where(ContactPoint.person_id == person, ContactPoint.state == "confirmed", ContactPoint.channel == way)
        .values(state="replaced")
        .returning(ContactPoint.id)
    )
    return bool(session.scalars(aside.where(ContactPoint.id != kept) if kept else aside).all())
