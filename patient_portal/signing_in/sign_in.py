"""Signing in: from a verified grant to an account, a person, a connection and a record on its way; one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from consent.audit import Audited, write_audit
from consent.coverage import PATIENT_ID
from consent.person_identity import Alias, find_or_create_person, linked_persons
from database.context import Context, knowing, widen
from database.jobs import defer
from fhir_bridge import connections
from fhir_bridge.bring_in import ask_for_record
from fhir_bridge.person_ciphers import cipher_for_new_content
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.smart.grant import Grant
from notifications.preferences import own_zone
from patient_portal.in_touch.telling import tell_of_new_sign_in
from patient_portal.jobs import bring_in_record
from patient_portal.wiring import Wiring
from vocabulary.actor import ActorKind
from vocabulary.errors import Refused

KINDS = {
    LaunchRole.SELF: ActorKind.PATIENT,
    LaunchRole.PROXY: ActorKind.PROXY,
    LaunchRole.CARE_TEAM: ActorKind.CARE_TEAM,
}


@dataclass(frozen=True)
class SignedIn:
    """Who is signed in now, as the session keeps it."""

    kind: ActorKind
    account: UUID
    person: UUID
    connection: UUID
    provider: str
    persons: tuple[UUID, ...]
    retrieval: UUID | None
    name: str | None
    zone: str | None = None

    def as_session(self) -> dict[str, object]:
        return {
            "kind": self.kind.value,
            "account": str(self.account),
            "person": str(self.person),
            "persons": [str(each) for each in self.persons],
            "connection": str(self.connection),
            "provider": self.provider,
            "name": self.name,
            "zone": self.zone,
        }


def sign_in(wiring: Wiring, grant: Grant, *, language: str | None, now: datetime, fetch: bool = True) -> SignedIn:
    """Bring a grant home: who it is first, then account, connection, tokens and the job in one transaction.

    Without `fetch` the record is not asked for: the person still has to say that it is theirs.
    """
    kind = KINDS.get(grant.role)
    if kind is None or grant.patient is None:
        raise Refused("role-not-served")
    ring = wiring.keyring
    provider = wiring.provider(grant.provider_id)
    alias = Alias(provider.id, PATIENT_ID, grant.patient, provider.practice)
    person = find_or_create_person(wiring.database, ring, alias, now, language=language)
    known = connections.subject_index(ring, grant.identity.issuer, grant.identity.subject)
    retrieval = None
    with wiring.database.begin(knowing(known, persons=(person,))) as session:
        account = connections.sign_in_account(session, ring, grant, now)
        widen(session, Context(persons=(person,), account=account))
        cipher = cipher_for_new_content(session, ring, person, now)
        connection = connections.connect(session, ring, cipher, grant, account=account, now=now)
        if kind is ActorKind.PROXY:
            seen = Audited(person, "representative.came", "R", kind.value, account, detail={"provider": provider.id})
            write_audit(session, now, seen)
        if kind is not ActorKind.CARE_TEAM:
            tell_of_new_sign_in(session, wiring, person, connection, now)
        if kind is not ActorKind.CARE_TEAM and fetch:
            retrieval = ask_for_record(session, person=person, connection=connection, provider_id=provider.id, now=now)
            defer_bring_in(session, person, retrieval, provider.id)
        zone = own_zone(session, person) if kind is not ActorKind.CARE_TEAM else None
    persons = linked_persons(wiring.database, person) if kind is ActorKind.PATIENT else (person,)
    return SignedIn(kind, account, person, connection, provider.id, persons, retrieval, grant.identity.name, zone)


def defer_bring_in(session: Session, person: UUID, retrieval: UUID, provider_id: str) -> None:
    """The job that brings a record in; one at a time for a person."""
    lock = f"record:{person}"
    defer(session, bring_in_record, lock=lock, person=str(person), retrieval=str(retrieval), provider=provider_id)
