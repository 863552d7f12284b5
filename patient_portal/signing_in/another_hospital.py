"""One person, several hospitals: a sign-in elsewhere is joined to the signed-in person by that person only (SMART-63).

They have shown that both sign-ins are theirs; whether both records are about them is theirs to say, and shown to them
with what each hospital calls them. Until they say yes nothing is brought in from the new hospital. Whoever is joined
sees everything from either side, for good: so the first sign-in must be fresh, not a browser that somebody left open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from consent.audit import by_actor, write_audit
from consent.person_identity import link_persons, linked_persons
from database.context import as_persons
from fhir_bridge.bring_in import ask_for_record, current_resources
from fhir_bridge.disconnect import disconnect
from fhir_bridge.person_ciphers import cipher_of
from fhir_bridge.providers import Provider
from fhir_bridge.smart.client import SmartClient
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.smart.grant import Grant
from patient_portal.signing_in.hospital_patient import Named, learn_at_sign_in, named
from patient_portal.signing_in.sign_in import defer_bring_in, sign_in
from patient_portal.wiring import Wiring
from vocabulary.actor import Actor
from vocabulary.errors import NotFound, Refused
from vocabulary.plain_text import folded

KEPT = "adding"
LIFE = timedelta(minutes=15)
FRESH_AT_RETURN = timedelta(minutes=30)


@dataclass(frozen=True)
class Waiting:
    """A sign-in at another hospital that waits for the person's word; kept in the sealed session only."""

    account: UUID
    person: UUID
    connection: UUID
    provider: str
    name: str
    born: str
    since: datetime

    @property
    def named(self) -> Named:
        return Named(self.name, self.born)

    def as_session(self) -> dict[str, str]:
        return {key: str(value) for key, value in asdict(self).items()}

    @classmethod
    def from_session(cls, kept: object, now: datetime) -> Waiting:
        """What the session keeps; NotFound when there is nothing, or it is too old to be sure who sits there."""
        if not isinstance(kept, Mapping):
            raise NotFound("nothing-to-add")
        found = cls(
            account=UUID(kept["account"]),
            person=UUID(kept["person"]),
            connection=UUID(kept["connection"]),
            provider=kept["provider"],
            name=kept["name"],
            born=kept["born"],
            since=datetime.fromisoformat(kept["since"]),
        )
        if now - found.since > LIFE:
            raise NotFound("nothing-to-add")
        return found


def alike(one: Named, other: Named) -> bool | None:
    """Whether two hospitals seem to speak of the same person: the birth date is the same, and so is a word of the name.
    None when one of them does not say enough to tell."""
    ours, theirs = _words(one.name), _words(other.name)
    if (one.born and other.born and one.born != other.born) or (ours and theirs and not ours & theirs):
        return False
    return True if one.born and other.born and ours and theirs else None


def all_alike(here: Sequence[Named], there: Named) -> bool | None:
    """`alike` for everything that the person is called here: False as soon as one differs, None when none can tell."""
    told = [alike(one, there) for one in here]
    return False if False in told else True if True in told else None


def _words(name: str) -> set[str]:
    letters = "".join(each if each.isalpha() else " " for each in folded(name))
    return {word for word in letters.split() if len(word) > 1}


def come_from(wiring: Wiring, actor: Actor, provider: Provider, grant: Grant, now: datetime) -> Waiting | None:
    """Keep the sign-in of a patient who adds a hospital. None when it is one of their own already: then it is
    connected again in place and their record on its way."""
    if grant.role is not LaunchRole.SELF:
        raise Refused("role-not-served")
    found = sign_in(wiring, grant, language=None, now=now, fetch=False)
    called = learn_at_sign_in(wiring, provider, grant, found.person, now)
    if found.person in actor.persons:
        start_bringing_in(wiring, found.person, found.connection, provider.id, now)
        return None
    return Waiting(found.account, found.person, found.connection, provider.id, called.name, called.born, now)


def names_kept(wiring: Wiring, persons: tuple[UUID, ...]) -> list[Named]:
    """What the hospitals whose records are here call the person."""
    with wiring.database.begin(as_persons(*persons)) as session:
        patients = [
            patient
            for person in persons
            for patient in current_resources(session, cipher_of(session, wiring.keyring, person), ("Patient",))
        ]
    return list(dict.fromkeys(map(named, patients)))


def join(wiring: Wiring, actor: Actor, waiting: Waiting, now: datetime) -> tuple[UUID, ...]:
    """The person said yes: both records are theirs. Returns everyone who is them now; the new record is on its way."""
    assert actor.person is not None
    link_persons(wiring.database, wiring.keyring, actor, actor.person, waiting.person, now)
    start_bringing_in(wiring, waiting.person, waiting.connection, waiting.provider, now)
    return linked_persons(wiring.database, actor.person)


def turn_away(wiring: Wiring, smart: SmartClient, actor: Actor, waiting: Waiting, now: datetime) -> None:
    """The person said no: the new sign-in is given back, and nothing was brought in."""
    disconnect(
        wiring.database, wiring.keyring, smart, wiring.provider(waiting.provider),
        account=waiting.account, persons=(waiting.person,), connection=waiting.connection, now=now,
    )  # fmt: skip
    with wiring.database.begin(as_persons(waiting.person, account=actor.account_id)) as session:
        detail = {"provider": waiting.provider}
        write_audit(session, now, by_actor(actor, "record.disconnected", "D", person=waiting.person, detail=detail))


def start_bringing_in(wiring: Wiring, person: UUID, connection: UUID, provider_id: str, now: datetime) -> None:
    """Ask for the record of one connection; a worker does it."""
    with wiring.database.begin(as_persons(person)) as session:
        retrieval = ask_for_record(session, person=person, connection=connection, provider_id=provider_id, now=now)
        defer_bring_in(session, person, retrieval, provider_id)
