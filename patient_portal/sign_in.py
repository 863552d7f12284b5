"""Signing in: from a verified grant to an account, a person, a connection and a record on its way; one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from consent.person_identity import PATIENT_ID, Alias, person_for
from database.context import Context, as_nobody, widen
from database.jobs import defer
from fhir_bridge import connections
from fhir_bridge.bring_in import ask_for_record
from fhir_bridge.person_ciphers import cipher_for_new_content
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.smart.grant import Grant
from patient_portal.jobs import bring_in_record
from patient_portal.wiring import Wiring
from vocabulary.actor import ActorKind
from vocabulary.errors import Refused, Unavailable

KINDS = {LaunchRole.SELF: ActorKind.PATIENT, LaunchRole.CARE_TEAM: ActorKind.CARE_TEAM}


@dataclass(frozen=True)
class SignedIn:
    """Who is signed in now, as the session keeps it."""

    kind: ActorKind
    account: UUID
    person: UUID
    connection: UUID
    provider: str
    retrieval: UUID | None
    person_is_new: bool

    def as_session(self) -> dict[str, object]:
        return {
            "kind": self.kind.value,
            "account": str(self.account),
            "person": str(self.person),
            "persons": [str(self.person)],
            "connection": str(self.connection),
            "provider": self.provider,
        }


def sign_in(wiring: Wiring, grant: Grant, *, language: str, now: datetime) -> SignedIn:
    """Bring a grant home. Twice at once for a new person: the second try finds the first's."""
    for _try in range(3):
        try:
            return _sign_in(wiring, grant, language, now)
        except IntegrityError:
            continue
    raise Unavailable("sign-in-busy", retry_after_seconds=2)


def _sign_in(wiring: Wiring, grant: Grant, language: str, now: datetime) -> SignedIn:
    kind = KINDS.get(grant.role)
    if kind is None or grant.patient is None:
        raise Refused("role-not-served")
    ring = wiring.keyring
    provider = wiring.provider(grant.provider_id)
    alias = Alias(provider.id, PATIENT_ID, grant.patient, provider.practice)
    retrieval = None
    with wiring.database.begin(as_nobody()) as session:
        widen(
            session, Context(lookups=(connections.subject_index(ring, grant.identity.issuer, grant.identity.subject),))
        )
        account = connections.sign_in_account(session, ring, grant, now)
        person, is_new = person_for(session, ring, alias, language=language, account=account, now=now)
        cipher = cipher_for_new_content(session, ring, person, now)
        connection = connections.connect(session, ring, cipher, grant, account=account, now=now)
        if kind is ActorKind.PATIENT:
            retrieval = ask_for_record(session, person=person, connection=connection, provider_id=provider.id, now=now)
            defer(
                session, bring_in_record, lock=f"record:{person}",
                person=str(person), retrieval=str(retrieval), provider=provider.id,
            )  # fmt: skip
    return SignedIn(kind, account, person, connection, provider.id, retrieval, is_new)
