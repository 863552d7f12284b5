"""Staff without a chart: signed in for their own patients, one of whom is opened at a time. Nothing else is stored."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from consent.audit import Audited, write_audit
from consent.coverage import PATIENT_ID
from consent.person_identity import Alias, find_or_create_person, find_person
from database.context import Context, as_nobody, as_persons, knowing
from fhir_bridge import connections
from fhir_bridge.providers import Provider
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.smart.grant import Grant
from patient_portal.care_team.chart import Chart, NotServed, chart_of, learn_names
from patient_portal.care_team.hospital import Asking, RelationEnded, patient_now
from patient_portal.care_team.relation import local_reference
from patient_portal.wiring import Wiring
from vocabulary.actor import Actor, ActorKind

# What belongs to one open chart; it goes when the chart does.
OF_A_CHART = ("person", "connection", "chart_name", "chart_birth_date", "chart_number", "chart_patient", "from_chart")


def staff_session(wiring: Wiring, provider: Provider, grant: Grant, now: datetime) -> dict[str, object]:
    """What the session of a member of staff without a chart keeps: who they are, and their own token, sealed.

    NotServed for anyone but the care team, and where the hospital has not opened this to staff.
    """
    if grant.role is not LaunchRole.CARE_TEAM or not grant.identity.fhir_user:
        raise NotServed("not-staff")
    if not provider.care_team:
        raise NotServed("care-team-not-served")
    ring = wiring.keyring
    known = connections.subject_index(ring, grant.identity.issuer, grant.identity.subject)
    with wiring.database.begin(knowing(known)) as session:
        account = connections.sign_in_account(session, ring, grant, now)
    return {
        "kind": ActorKind.CARE_TEAM.value, "account": str(account), "persons": [], "provider": provider.id,
        "name": None, "staff": local_reference(grant.identity.fhir_user, provider.fhir_base_url),
        "staff_token": grant.access_token, "panel": True,
    }  # fmt: skip


def open_patient(asking: Asking, actor: Actor, patient: str, now: datetime) -> tuple[UUID, Chart]:
    """Open the screen for one patient of the member's own; RelationEnded for anybody else's.

    The person is made now, as in a launch from the chart: that their choices were looked at stands in their audit.
    """
    try:
        found = patient_now(asking, patient, now, from_chart=False)
    except RelationEnded:
        note_refused(asking, actor, patient, now)
        raise
    chart = chart_of(found, asking.provider, asking.staff, asking.wiring.settings.languages)
    alias = _alias(asking.provider, patient)
    person = find_or_create_person(asking.wiring.database, asking.wiring.keyring, alias, now, language=chart.language)
    learn_names(asking.wiring, asking.provider, person, chart, now)
    return person, chart


def note_listed(asking: Asking, actor: Actor, what: str, count: int, now: datetime) -> None:
    """That a member saw names of so many patients of the hospital, of whom we may know nobody: who, when and how many.

    `what`: `own`, `search`, `list`. Neither what was typed nor who was found is kept (threats.md A7).
    """
    line = Audited(
        None, "patients.listed", "R", actor.kind.value, actor.account_id, asking.staff,
        detail={"provider": asking.provider.id, "what": what, "count": count},
    )  # fmt: skip
    with asking.wiring.database.begin(as_nobody()) as session:
        write_audit(session, now, line)


def note_refused(asking: Asking, actor: Actor, patient: str, now: datetime) -> None:
    """SEC-08: that somebody reached for a patient who is not theirs stands in that patient's audit, if we know them."""
    wiring = asking.wiring
    person = find_person(wiring.database, wiring.keyring, _alias(asking.provider, patient))
    line = Audited(
        person, "choices.read", "R", actor.kind.value, actor.account_id, asking.staff, "4",
        {"provider": asking.provider.id},
    )  # fmt: skip
    context: Context = as_persons(person) if person else as_nobody()
    with wiring.database.begin(context) as session:
        write_audit(session, now, line)


def _alias(provider: Provider, patient: str) -> Alias:
    return Alias(provider.id, PATIENT_ID, patient, provider.practice)
