"""What a hospital's Patient resource says a person is called there: the names by which stores know them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID, uuid4

import structlog

from consent.audit_tables import StaffTask
from consent.person_identity import Alias, add_alias
from database.context import as_persons
from fhir_bridge.bring_in import current_resources
from fhir_bridge.person_ciphers import cipher_of
from fhir_bridge.providers import Provider
from patient_portal.wiring import Wiring
from vocabulary.errors import Conflict
from vocabulary.resource import Resource

log = structlog.get_logger()


def learn_aliases(wiring: Wiring, provider: Provider, person: UUID, now: datetime) -> None:
    """Add the record numbers that the brought-in Patient resource gives; one that is another's is a staff task."""
    with wiring.database.begin(as_persons(person)) as session:
        cipher = cipher_of(session, wiring.keyring, person)
        found = [
            alias
            for patient in current_resources(session, cipher, ("Patient",))
            for alias in aliases_in(patient, provider)
        ]
    add_aliases(wiring, person, found, now)


def add_aliases(wiring: Wiring, person: UUID, aliases: Iterable[Alias], now: datetime) -> None:
    """Add each alias in its own transaction."""
    for alias in aliases:
        try:
            add_alias(wiring.database, wiring.keyring, person, alias, now)
        except Conflict:
            log.warning("alias-of-another-person", provider=alias.issued_by)
            with wiring.database.begin(as_persons(person)) as session:
                session.add(
                    StaffTask(
                        id=uuid4(), person_id=person, practice_id=alias.at_practice, store_id=None,
                        kind="alias-of-another-person", detail={"system": alias.system}, opened_at=now, closed_at=None,
                    )
                )  # fmt: skip


def aliases_in(patient: Resource, provider: Provider) -> list[Alias]:
    """The identifiers in the provider's own record-number system; others name other things (insurance, passport)."""
    if provider.identifier_system is None:
        return []
    identifiers = patient.get("identifier")
    found = []
    for each in identifiers if isinstance(identifiers, list) else []:
        if not isinstance(each, dict) or each.get("system") != provider.identifier_system or each.get("use") == "old":
            continue
        value = each.get("value")
        if isinstance(value, str) and value.strip():
            found.append(Alias(provider.id, provider.identifier_system, value.strip(), provider.practice))
    return found
