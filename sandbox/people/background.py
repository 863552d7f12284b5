"""Who the person is and what every chart has: visits, allergies, vaccines, plans, cover, family, provenance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sandbox.people.chart_builder import ChartBuilder, Reference, instant
from sandbox.people.codes import (
    CVX,
    HL7,
    ICD10CM,
    LOINC,
    MCODE,
    PLAN_CATEGORY,
    SNOMED,
    US_CORE,
    Concept,
    concept,
    hl7,
    snomed,
)
from sandbox.people.person import SyntheticPerson
from sandbox.people.practices import clinicians_of, place_resources

LANGUAGES = {"en": "English", "es": "Spanish", "zh": "Chinese", "ar": "Arabic", "vi": "Vietnamese"}
_RACES = {
    "white": ("2106-3", "White"), "black": ("2054-5", "Black or African American"), "asian": ("2028-9", "Asian"),
    "other": ("2131-1", "Other Race"),
}  # fmt: skip


@dataclass(frozen=True)
class Background:
    """The lines of a chart that are not about cancer."""

    race: str
    first_visit: str
    visits: tuple[str, ...]
    allergy: tuple[str, str, str] | None = None
    family: tuple[tuple[str, str, str, int], ...] = ()
    payer_number: str = "MHP-000000"
    hispanic: bool = False
    vaccines: tuple[tuple[str, str, str], ...] = field(
        default=(("140", "Influenza, seasonal, injectable", "2025-10-03"), ("208", "COVID-19, mRNA", "2021-04-12"))
    )


def begin(person: SyntheticPerson, it: Background, doctor: int = 0) -> ChartBuilder:
    """A chart with places, staff, the patient and all that is not cancer. `doctor` picks the main doctor."""
    staff = clinicians_of(person.hospital)
    chart = ChartBuilder(person, staff[doctor].id, staff[-1].id)
    chart.resources += place_resources(person.hospital)
    _patient(chart, it)
    _relatives_and_cover(chart, it)
    _visits(chart, it)
    _health(chart, it)
    return chart


def _patient(chart: ChartBuilder, it: Background) -> None:
    person = chart.person
    profile = {"profile": [MCODE + "cancer-patient"]} if person.hospital == "riverside" else {}
    street, city, state, zip_code = person.address
    language = {"coding": [{"system": "urn:ietf:bcp:47", "code": person.language}], "text": LANGUAGES[person.language]}
    record_number = {
        "use": "usual", "type": concept((HL7 + "v2-0203", "MR", "Medical Record Number")),
        "system": person.mrn_system, "value": person.mrn,
    }  # fmt: skip
    ethnicity = ("2135-2", "Hispanic or Latino") if it.hispanic else ("2186-5", "Not Hispanic or Latino")
    chart.resources.append({
        "resourceType": "Patient", "id": person.id,
        "meta": {"versionId": "2", "lastUpdated": instant(it.visits[-1])} | profile,
        "extension": [_census("race", _RACES[it.race]), _census("ethnicity", ethnicity)],
        "identifier": [record_number], "active": True,
        "name": [{"use": "official", "family": person.family, "given": [person.given]}],
        "telecom": [{"system": "phone", "value": person.phone, "use": "mobile"}],
        "gender": person.sex, "birthDate": person.birth_date.isoformat(),
        "address": [{"use": "home", "line": [street], "city": city, "state": state, "postalCode": zip_code,
                     "country": "US"}],
        "communication": [{"language": language, "preferred": True}],
        "generalPractitioner": [chart.doctor], "managingOrganization": chart.organization,
    })  # fmt: skip


def _census(kind: str, code: tuple[str, str]) -> dict[str, Any]:
    coding = {"system": "urn:oid:2.16.840.1.113883.6.238", "code": code[0], "display": code[1]}
    parts = [{"url": "ombCategory", "valueCoding": coding}, {"url": "text", "valueString": code[1]}]
    return {"url": US_CORE + kind, "extension": parts}


def _relatives_and_cover(chart: ChartBuilder, it: Background) -> None:
    if relative := chart.person.relative:
        made = chart.add(
            "RelatedPerson", "relative", it.first_visit, active=True, patient=chart.subject,
            relationship=[concept((HL7 + "v3-RoleCode", relative.code, relative.relation.split(",")[0].title()))],
            name=[{"text": relative.name}], birthDate=relative.birth_date,
        )  # fmt: skip
        chart.resources[-1]["id"] = relative.id
        made["reference"] = f"RelatedPerson/{relative.id}"
    chart.add(
        "Coverage", "cover", it.first_visit, US_CORE + "coverage", status="active",
        type=concept((HL7 + "v3-ActCode", "EHCPOL", "Extended healthcare")), subscriberId=it.payer_number,
        beneficiary=chart.subject, relationship=hl7("subscriber-relationship", "self", "Self"),
        period={"start": it.first_visit[:4]}, payor=[{"reference": f"Organization/{chart.person.hospital}-payer"}],
    )  # fmt: skip
    for relation, display, text, age in it.family:
        chart.add(
            "FamilyMemberHistory", f"family-{relation.lower()}", it.first_visit, status="completed",
            patient=chart.subject, relationship=concept((HL7 + "v3-RoleCode", relation, display)),
            condition=[{"code": {"text": text}, "onsetAge": {"value": age, "unit": "years", "code": "a",
                                                             "system": "http://unitsofmeasure.org"}}],
        )  # fmt: skip


def _visits(chart: ChartBuilder, it: Background) -> None:
    for when in it.visits:
        visit = chart.add(
            "Encounter", f"visit-{when}", when, US_CORE + "encounter", status="finished",
            type=[concept((SNOMED, "185349003", "Encounter for check up"), text="Clinic visit")],
            subject=chart.subject, participant=[{"individual": chart.doctor}],
            period={"start": f"{when}T09:00:00-06:00", "end": f"{when}T09:40:00-06:00"},
            location=[{"location": {"reference": f"Location/{chart.person.hospital}-infusion"}}],
            serviceProvider=chart.organization,
            **{"class": {"system": HL7 + "v3-ActCode", "code": "AMB", "display": "ambulatory"}},
        )  # fmt: skip
        signed(chart, f"visit-{when}", when, visit)
    signed(chart, "patient", it.first_visit, {"reference": chart.subject["reference"]})


def signed(chart: ChartBuilder, key: str, when: str, target: Reference, who: Reference | None = None) -> None:
    """Add a Provenance: who wrote it, for which organization, when (FHIR-08)."""
    author = hl7("provenance-participant-type", "author", "Author")
    sender = hl7("provenance-participant-type", "transmitter", "Transmitter")
    chart.add(
        "Provenance", f"by-{key}", when, US_CORE + "provenance", target=[{"reference": target["reference"]}],
        recorded=instant(when, 16),
        agent=[{"type": author, "who": who or chart.doctor, "onBehalfOf": chart.organization},
               {"type": sender, "who": chart.organization}],
    )  # fmt: skip


def _health(chart: ChartBuilder, it: Background) -> None:
    if it.allergy:
        code, name, reaction = it.allergy
        chart.add(
            "AllergyIntolerance", "allergy", it.first_visit, US_CORE + "allergyintolerance",
            clinicalStatus=hl7("allergyintolerance-clinical", "active", "Active"),
            verificationStatus=hl7("allergyintolerance-verification", "confirmed", "Confirmed"), type="allergy",
            category=["medication"], criticality="high", code=snomed(code, name), patient=chart.subject,
            recordedDate=it.first_visit, reaction=[{"manifestation": [{"text": reaction}], "severity": "moderate"}],
        )  # fmt: skip
    for code, name, when in it.vaccines:
        chart.add(
            "Immunization", f"vaccine-{code}-{when}", when, US_CORE + "immunization", status="completed",
            vaccineCode=concept((CVX, code, name)), patient=chart.subject, occurrenceDateTime=when, primarySource=True,
        )  # fmt: skip


def problem(chart: ChartBuilder, key: str, when: str, code: Concept, **extra: Any) -> Reference:
    """Add a health problem that is not cancer."""
    extra.setdefault("clinicalStatus", hl7("condition-clinical", "active", "Active"))
    extra.setdefault("verificationStatus", hl7("condition-ver-status", "confirmed", "Confirmed"))
    extra.setdefault("category", [hl7("condition-category", "problem-list-item", "Problem List Item")])
    extra.setdefault("onsetDateTime", when)
    return chart.add("Condition", key, when, US_CORE + "condition-problems-health-concerns", code=code,
                     subject=chart.subject, **extra)  # fmt: skip


def plan(chart: ChartBuilder, when: str, reason: str, goal: str, steps: str) -> None:
    """Add the care team, a goal, a care plan and the order for the next visit."""
    team = [
        {"role": [{"text": role}], "member": who} for role, who in (("Doctor", chart.doctor), ("Nurse", chart.nurse))
    ]
    made = chart.add("CareTeam", "team", when, US_CORE + "careteam", status="active", name="Cancer care team",
                     subject=chart.subject, participant=team, managingOrganization=[chart.organization])  # fmt: skip
    aim = chart.add("Goal", "goal", when, US_CORE + "goal", lifecycleStatus="active", description={"text": goal},
                    subject=chart.subject, startDate=when[:10], expressedBy=chart.subject)  # fmt: skip
    chart.add(
        "CarePlan", "plan", when, US_CORE + "careplan", status="active", intent="plan", title="Cancer care plan",
        category=[concept((PLAN_CATEGORY, "assess-plan", "Assessment and Plan of Treatment"))],
        text={"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{steps}</p></div>'},
        description=steps, subject=chart.subject, period={"start": when[:10]}, careTeam=[made], goal=[aim],
        addresses=[chart.reference("Condition", reason)],
    )  # fmt: skip
    chart.add(
        "ServiceRequest", "next-visit", when, US_CORE + "servicerequest", status="active", intent="order",
        code=concept((SNOMED, "390906007", "Follow-up encounter"), text="Follow-up visit"), subject=chart.subject,
        authoredOn=when, requester=chart.doctor, reasonReference=[chart.reference("Condition", reason)],
    )  # fmt: skip


def questionnaire(chart: ChartBuilder, when: str) -> None:
    """Add a filled-in distress thermometer: how much distress in the past week, 0 to 10."""
    answers = [
        ("1", "How much distress have you had in the past week, 0 to 10?", {"valueInteger": 4}),
        ("2", "What was hard?", {"valueString": "Sleep, worry about the next scan"}),
        ("3", "Would you like someone to call you?", {"valueBoolean": False}),
    ]
    chart.add(
        "QuestionnaireResponse", f"answers-{when}", when, US_CORE + "questionnaireresponse", status="completed",
        questionnaire="https://example.org/Questionnaire/distress", subject=chart.subject, authored=instant(when),
        source={"reference": chart.subject["reference"]},
        item=[{"linkId": number, "text": text, "answer": [answer]} for number, text, answer in answers],
    )  # fmt: skip


def device(chart: ChartBuilder, when: str, code: tuple[str, str], name: str) -> None:
    """Add an implanted device."""
    chart.add(
        "Device", "device", when, US_CORE + "implantable-device", status="active", type=snomed(*code),
        deviceName=[{"name": name, "type": "user-friendly-name"}], patient=chart.subject, manufactureDate=when[:7],
    )  # fmt: skip


def icd(code: str, display: str, snomed_code: tuple[str, str], text: str) -> Concept:
    """A diagnosis in SNOMED CT and ICD-10-CM."""
    return concept((SNOMED, *snomed_code), (ICD10CM, code, display), text=text)


def outside_result(chart: ChartBuilder, key: str, when: str, code: tuple[str, str], **body: Any) -> Reference:
    """Add one laboratory Observation of any shape: the wrinkles of real charts."""
    return chart.observe(key, when, "laboratory", concept((LOINC, *code)), US_CORE + "observation-lab", **body)
