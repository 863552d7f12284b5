"""The care team's part: whose chart was opened, what staff may record for that one person, and who tells them.

Staff come from a chart and stay in it: one person, one choice, one answer (SMART-65, X-04). The hospital has already
checked that this member of staff may open this chart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from hashlib import sha256
from typing import Literal
from uuid import UUID, uuid5

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent.asked import Asked
from consent.audit_tables import StaffTask
from consent.authorization import ConsentText
from consent.decision import CANCERLINQ, Answer, Means
from consent.store_config import Basis
from database.context import as_persons
from database.unit_of_work import Database
from fhir_bridge.providers import Provider
from fhir_bridge.reading.shape import text
from fhir_bridge.smart.context import LaunchRole
from fhir_bridge.smart.errors import ProviderUnavailable
from fhir_bridge.smart.grant import Grant
from notifications.tell import chosen_ways, open_contacts
from notifications.topics import TOPICS, Way, ways_for
from patient_portal.care_team.relation import local_reference
from patient_portal.choices.choosing import TEXTS, Choices
from patient_portal.signing_in.aliases import add_aliases, aliases_in
from patient_portal.signing_in.hospital_patient import name_of, preferred_language, read_patient
from patient_portal.wiring import Wiring
from vocabulary.actor import Actor
from vocabulary.calendar_day import FURTHEST_ZONE
from vocabulary.errors import Invalid, Refused
from vocabulary.resource import Resource

# What the person behind the form may be to the patient; kept sealed as evidence.
WHO_ASKED = ("patient", "representative", "family", "other")
HOW: Mapping[str, Means] = {"in-person": Means.CARE_TEAM, "phone": Means.PHONE, "paper": Means.PAPER}
STAFF_TEXT = "cancerlinq-by-staff"
TELL = "tell-the-person"
MAX_REASON = 500
MAX_NAME = 200
EARLIEST = date(2005, 1, 1)


class NotServed(Refused):
    """A member of staff signed in, but not in a way that opens a chart here; `reason` says which."""


@dataclass(frozen=True)
class Chart:
    """The chart that was opened: name, birth date and record number for the banner (SMART-45), and who opened it.

    Never printed.
    """

    patient: Resource = field(repr=False)
    name: str = field(repr=False)
    birth_date: str = field(repr=False)
    record_number: str = field(repr=False)
    staff: str = field(repr=False)
    language: str | None = None

    def as_session(self) -> dict[str, object]:
        """What the sealed session keeps; nothing of it is stored anywhere else."""
        return {
            "chart_name": self.name, "chart_birth_date": self.birth_date, "staff": self.staff,
            "chart_number": self.record_number, "chart_patient": text(self.patient.get("id")),
        }  # fmt: skip


def open_chart(wiring: Wiring, provider: Provider, grant: Grant, *, from_chart: bool) -> Chart | None:
    """The chart a care-team launch opened, read with the launch's own token; None for anyone but the care team.

    Nothing is stored. NotServed when the hospital has no care-team access here, or staff signed in without a chart;
    ProviderUnavailable when the patient cannot be read: without a name on the page the wrong person could be taken
    out.
    """
    if grant.role is not LaunchRole.CARE_TEAM:
        return None
    if not provider.care_team:
        raise NotServed("care-team-not-served")
    if not from_chart or grant.patient is None or not grant.identity.fhir_user:
        raise NotServed("no-chart")
    patient = read_patient(wiring, provider, grant, grant.patient)
    staff = local_reference(grant.identity.fhir_user, provider.fhir_base_url)
    return chart_of(patient, provider, staff, wiring.settings.languages)


def chart_of(patient: Resource, provider: Provider, staff: str, languages: tuple[str, ...]) -> Chart:
    """The chart of a Patient that the hospital gave; ProviderUnavailable when it has no name to show."""
    name, born = name_of(patient), text(patient.get("birthDate"))
    if not name:
        raise ProviderUnavailable("patient-without-a-name")
    number = next((alias.value for alias in aliases_in(patient, provider)), "")
    return Chart(patient, name, born, number, staff, preferred_language(patient, languages))


def learn_names(wiring: Wiring, provider: Provider, person: UUID, chart: Chart, now: datetime) -> None:
    """Learn the record number at once: stores know a person by it, and no record is brought in for staff."""
    add_aliases(wiring, person, aliases_in(chart.patient, provider), now)


@dataclass(frozen=True)
class OptOutForm:
    """The one form, as typed. `asked_on` is the date on the paper or of the talk; empty means today.

    `signed_name`: the name that the patient, or who stands for them, typed as a signature; it need not be there.
    """

    who: str
    how: str
    asked_on: str
    reason: str
    key: str
    signed_name: str = ""


def read_form(sent: Mapping[str, str]) -> OptOutForm:
    """The form as sent; Refused for anything but the one opt-out, Invalid without the form's key."""
    if sent.get("answer", "no") != "no" or sent.get("effort"):
        raise Refused("care-team-opt-out-only")
    key = sent.get("form", "")
    if not 8 <= len(key) <= 64:
        raise Invalid("form")
    who, how, asked_on = (sent.get(name, "") for name in ("who", "how", "asked_on"))
    signed_name = " ".join(sent.get("signed_name", "").split())
    return OptOutForm(who, how, asked_on.strip()[:40], sent.get("reason", "").strip(), key, signed_name)


def asked_at(form: OptOutForm, now: datetime) -> datetime:
    """When the patient said it: the day given at noon UTC, never later than now. Invalid names what is wrong."""
    if not form.asked_on:
        return now
    try:
        day = date.fromisoformat(form.asked_on)
    except ValueError:
        raise Invalid("asked-on", {"asked_on": "unreadable"}) from None
    if day > (now + FURTHEST_ZONE).date():
        raise Invalid("asked-on", {"asked_on": "future"})
    if day < EARLIEST:
        raise Invalid("asked-on", {"asked_on": "unreadable"})
    return min(datetime.combine(day, time(12), tzinfo=UTC), now)


def problems(form: OptOutForm, now: datetime) -> dict[str, str]:
    """What is missing or wrong, by field: a short code each, in the order of the page."""
    found = {}
    if form.who not in WHO_ASKED:
        found["who"] = "missing"
    if form.how not in HOW:
        found["how"] = "missing"
    try:
        asked_at(form, now)
    except Invalid as error:
        found |= error.fields
    else:
        if form.how == "paper" and not form.asked_on:
            found["asked_on"] = "missing"
    if not form.reason:
        found["reason"] = "missing"
    elif len(form.reason) > MAX_REASON:
        found["reason"] = "too-long"
    if len(form.signed_name) > MAX_NAME:
        found["signed_name"] = "too-long"
    return found


def staff_text(language: str) -> ConsentText:
    """The words of the screen on which staff record an opt-out: versioned, and named by each decision made there."""
    text = TEXTS.newest(STAFF_TEXT, language) or TEXTS.newest(STAFF_TEXT, "en")
    assert text is not None, "it is shipped in English"
    return text


def opt_out(
    actor: Actor,
    form: OptOutForm,
    *,
    practice: str,
    staff: str,
    text: ConsentText,
    language: str,
    now: datetime,
    paper: bytes = b"",
) -> Asked:
    """A complete form as what is asked to be recorded: out of CancerLinQ, for the person in the chart.

    `text` is what the screen showed; `language` is the screen's. `paper` is a scan, kept beside it: the evidence
    names it by its SHA-256, so that it can be told from any other for ever.
    """
    assert actor.person is not None
    evidence = {"asked_by": form.who, "how": form.how, "asked_on": form.asked_on}
    if form.signed_name:
        evidence["signed_name"] = form.signed_name
    if paper:
        evidence["paper_sha256"] = sha256(paper).hexdigest()
    return Asked(
        actor=actor,
        person=actor.person,
        subject=CANCERLINQ,
        answer=Answer.NO,
        idempotency_key=form.key,
        language=language,
        means=HOW[form.how],
        text=text,
        asked_at=asked_at(form, now),
        reason=form.reason,
        practice=practice,
        actor_reference=staff,
        evidence=evidence,
    )


def for_staff(choices: Choices) -> Choices:
    """What staff need of a person's choices: CancerLinQ and the law. Whether someone joined a study is not shown."""
    history = tuple(entry for entry in choices.history if entry.decision.subject == CANCERLINQ)
    stores = tuple(store for store in choices.stores if store.basis is not Basis.DONATION)
    return replace(choices, history=history, stores=stores, standing=replace(choices.standing, donations={}))


def way_to_tell(session: Session, person: UUID) -> Way | Literal["staff"]:
    """How the person hears of what staff recorded: a text, a mail, a letter of ours to the address they gave; `staff`
    where only a letter is left and the address has to be found in the chart."""
    contacts, topic = open_contacts(session, person), TOPICS["care-team"]
    way = ways_for(topic, contacts.keys(), chosen_ways(session, contacts, topic.id))[0]
    return way if way in contacts else "staff"


def tell_person(database: Database, person: UUID, decision: UUID, practice: str | None, now: datetime) -> bool:
    """Make sure that the person hears of what staff recorded, by a way that is not the staff's own (abuse case 10).

    The ledger's reader sends texts and mails. Where only a letter is left whose address we do not know, a staff task
    is opened, once however often this is called for one decision. True when it was opened now.
    """
    with database.begin(as_persons(person)) as session:
        return way_to_tell(session, person) == "staff" and ask_for_letter(session, person, decision, practice, now)


def ask_for_letter(session: Session, person: UUID, decision: UUID, practice: str | None, now: datetime) -> bool:
    """Ask staff to write to this person: the task `tell-the-person`, one for each decision; True when it is new."""
    task = {
        "id": task_of(decision), "person_id": person, "practice_id": practice, "store_id": None,
        "kind": TELL, "detail": {"decision": str(decision)}, "opened_at": now, "closed_at": None,
    }  # fmt: skip
    made = insert(StaffTask).values(task).on_conflict_do_nothing(index_elements=["id"]).returning(StaffTask.id)
    return session.scalar(made) is not None


def task_of(decision: UUID) -> UUID:
    """The task to tell a person of one decision: there is one for each, whoever opens it."""
    return uuid5(decision, TELL)
