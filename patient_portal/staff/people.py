"""One person as staff may see them while they may: who it is, where they stand with CancerLinQ, what stores said.

Neither the record nor any donation is here: staff of CancerLinQ need neither for their work (least sight).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.authority.stated import Stated, standing_now, statements_of
from consent.coverage import PATIENT_ID
from consent.decision import CANCERLINQ, Decision
from consent.person_identity import alias_place, linked_persons, practice_names
from consent.status import Progress, StoreStatus, all_confirmed, read_status
from consent.tables import Person, PersonAlias
from database.context import as_staff, widen
from database.keyring import KeyRing, SealBroken
from fhir_bridge.bring_in import current_resources
from fhir_bridge.person_ciphers import cipher_of
from patient_portal.care_team.chart import for_staff
from patient_portal.choices.choosing import Choices, read_choices
from patient_portal.signing_in.hospital_patient import Named, named
from patient_portal.wiring import Wiring
from vocabulary.actor import Actor


@dataclass(frozen=True)
class Seen:
    """A person. `numbers`: (practice, record number) by which stores know them. `act`: who stands for them, by law and
    by their own word. Never printed."""

    persons: tuple[UUID, ...] = field(repr=False)
    named: Named = field(repr=False)
    numbers: tuple[tuple[str, str], ...] = field(repr=False)
    practices: tuple[str, ...]
    language: str | None
    choices: Choices = field(repr=False)
    act: tuple[Stated, ...] = field(repr=False)
    rows: tuple[StoreStatus, ...] = field(repr=False)

    @property
    def opt_out(self) -> Decision | None:
        """The opt-out of CancerLinQ that stands, if one does."""
        found = self.choices.standing.answered(CANCERLINQ).decision
        return found if self.choices.standing.opted_out and found is not None else None

    @property
    def is_complete(self) -> bool:
        """Whether every store concerned has confirmed the opt-out, and at least one, so that a letter may say so."""
        confirmed = any(row.progress is Progress.CONFIRMED for row in self.rows)
        return self.opt_out is not None and confirmed and all_confirmed(self.rows)


def see_person(session: Session, wiring: Wiring, actor: Actor, person: UUID, now: datetime) -> Seen:
    """Gather in the caller's transaction, which is widened to this person and those linked to them."""
    assert actor.account_id is not None
    persons = linked_persons(wiring.database, person)
    widen(session, as_staff(actor.practices, actor.account_id, *persons))
    choices = for_staff(read_choices(session, wiring, persons))
    numbers = _numbers(session, wiring.keyring, persons)
    called = practice_names(session, {practice for practice, _number in numbers})
    language = session.scalars(select(Person.language).where(Person.id.in_(persons), Person.language.is_not(None)))
    return Seen(
        persons=persons,
        named=_named(session, wiring.keyring, persons),
        numbers=tuple((called.get(practice, practice), number) for practice, number in numbers),
        practices=tuple(dict.fromkeys(called.get(practice, practice) for practice, _number in numbers)),
        language=language.first(),
        choices=choices,
        act=standing_now(statements_of(session, wiring.keyring, persons)),
        rows=read_status(session, choices.history, choices.stores, choices.known, now),
    )


def _named(session: Session, ring: KeyRing, persons: tuple[UUID, ...]) -> Named:
    """What a hospital's Patient resource calls them; empty for those who never signed in."""
    for person in persons:
        try:
            cipher = cipher_of(session, ring, person)
        except SealBroken:
            continue
        for patient in current_resources(session, cipher, ("Patient",)):
            found = named(patient)
            if found.name:
                return found
    return Named("", "")


def _numbers(session: Session, ring: KeyRing, persons: tuple[UUID, ...]) -> list[tuple[str, str]]:
    rows = session.execute(
        select(PersonAlias.id, PersonAlias.practice_id, PersonAlias.issued_by, PersonAlias.value_sealed)
        .where(PersonAlias.person_id.in_(persons), PersonAlias.system != PATIENT_ID)
        .order_by(PersonAlias.created_at, PersonAlias.id)
    ).all()
    return [
        (practice or f"{issuer}-main", ring.open(sealed, alias_place(alias)).decode())
        for alias, practice, issuer, sealed in rows
    ]
