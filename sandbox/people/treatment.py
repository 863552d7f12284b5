"""Medicines, operations and radiation, mCODE STU4-shaped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.people.chart_builder import ChartBuilder, Reference
from sandbox.people.codes import MCODE, SNOMED, Concept, concept, hl7, quantity, rxnorm, snomed

_INTENT = {"cure": ("373808002", "Curative"), "control": ("363676003", "Palliative"),
           "prevent": ("399707004", "Supportive")}  # fmt: skip
_VEIN = snomed("47625008", "Intravenous route", "Into a vein")
_MOUTH = snomed("26643006", "Oral route", "By mouth")
_SKIN = snomed("34206005", "Subcutaneous route", "Under the skin")
_ROUTES = {"iv": _VEIN, "oral": _MOUTH, "sc": _SKIN}


def _intent(intent: str) -> list[dict[str, Any]]:
    return [{"url": MCODE + "procedure-intent", "valueCodeableConcept": snomed(*_INTENT[intent])}]


@dataclass(frozen=True)
class Medicine:
    """A cancer medicine as ordered. `reason` is the key of the Condition it is for."""

    key: str
    code: tuple[str, str]
    reason: str
    start: str
    how: str
    route: str = "oral"
    intent: str = "cure"
    status: str = "completed"
    stopped_because: Concept | None = None
    end: str | None = None


def prescribe(chart: ChartBuilder, it: Medicine, **extra: Any) -> Reference:
    """Add the MedicationRequest; a stopped one says why."""
    body: dict[str, Any] = {"medicationCodeableConcept": rxnorm(*it.code)} | extra
    period = {"boundsPeriod": {"start": it.start} | ({"end": it.end} if it.end else {})}
    return chart.add(
        "MedicationRequest", f"rx-{it.key}", it.end or it.start, MCODE + "cancer-related-medication-request",
        extension=_intent(it.intent), status=it.status, statusReason=it.stopped_because, intent="order",
        category=[hl7("medicationrequest-category", "outpatient", "Outpatient")], reportedBoolean=False,
        subject=chart.subject, authoredOn=it.start, requester=chart.doctor,
        reasonReference=[chart.reference("Condition", it.reason)],
        dosageInstruction=[{"text": it.how, "timing": {"repeat": period}, "route": _ROUTES[it.route]}], **body,
    )  # fmt: skip


def infuse(chart: ChartBuilder, it: Medicine, days: list[str], dose: float, unit: str = "mg") -> None:
    """Add the request and one MedicationAdministration per day it was given (FHIR-02)."""
    request = prescribe(chart, it)
    for number, when in enumerate(days, start=1):
        chart.add(
            "MedicationAdministration", f"given-{it.key}-{when}", when,
            MCODE + "cancer-related-medication-administration", extension=_intent(it.intent), status="completed",
            medicationCodeableConcept=rxnorm(*it.code), subject=chart.subject, effectiveDateTime=when,
            performer=[{"actor": chart.nurse}], request=request,
            reasonReference=[chart.reference("Condition", it.reason)],
            note=[{"text": f"Dose {number} of {len(days)}."}],
            dosage={"text": it.how, "route": _ROUTES[it.route], "dose": quantity(dose, unit)},
        )  # fmt: skip


def dispense(chart: ChartBuilder, it: Medicine, days: list[str], count: int) -> None:
    """Add one MedicationDispense per day the pharmacy handed the medicine out."""
    for when in days:
        chart.add(
            "MedicationDispense", f"dispensed-{it.key}-{when}", when, status="completed",
            medicationCodeableConcept=rxnorm(*it.code), subject=chart.subject,
            authorizingPrescription=[chart.reference("MedicationRequest", f"rx-{it.key}")],
            quantity={"value": count, "unit": "tablets"}, daysSupply={"value": count, "unit": "days"},
            whenHandedOver=f"{when}T17:00:00Z", dosageInstruction=[{"text": it.how}],
        )  # fmt: skip


def operate(
    chart: ChartBuilder, key: str, when: str, code: Concept, reason: str, site: Concept | None = None, **extra: Any
) -> Reference:
    """Add a cancer-related surgical procedure, or another one."""
    extra.setdefault("status", "completed")
    return chart.add(
        "Procedure", key, when, MCODE + "cancer-related-surgical-procedure",
        category=concept((SNOMED, "387713003", "Surgical procedure")), code=code, subject=chart.subject,
        performedDateTime=when, performer=[{"actor": chart.doctor}],
        reasonReference=[chart.reference("Condition", reason)], bodySite=[site] if site else None, **extra,
    )  # fmt: skip


def radiate(
    chart: ChartBuilder, key: str, start: str, end: str, reason: str, site: Concept, dose_cgy: int, sessions: int,
    intent: str = "cure",
) -> None:  # fmt: skip
    """Add a radiotherapy course summary (SNOMED CT 1217123003) and the BodyStructure that was treated."""
    volume = chart.add(
        "BodyStructure", f"{key}-volume", start, MCODE + "radiotherapy-volume", active=True, location=site,
        patient=chart.subject, description=f"Treated area: {site['text']}",
    )  # fmt: skip
    technique = [
        {"url": MCODE + "radiotherapy-modality",
         "valueCodeableConcept": snomed("1156506007", "External beam radiation therapy using photons")},
        {"url": MCODE + "radiotherapy-technique",
         "valueCodeableConcept": snomed("1156530009", "Volumetric Modulated Arc Therapy")},
    ]  # fmt: skip
    dose = [
        {"url": "volume", "valueReference": volume},
        {"url": "totalDoseDelivered", "valueQuantity": quantity(dose_cgy, "cGy")},
        {"url": "fractionsDelivered", "valueUnsignedInt": sessions},
    ]
    chart.add(
        "Procedure", key, end, MCODE + "radiotherapy-course-summary", status="completed",
        extension=[
            {"url": MCODE + "radiotherapy-sessions", "valueUnsignedInt": sessions}, *_intent(intent),
            {"url": MCODE + "radiotherapy-modality-and-technique", "extension": technique},
            {"url": MCODE + "radiotherapy-dose-delivered-to-volume", "extension": dose},
        ],
        category=concept((SNOMED, "108290001", "Radiation oncology AND/OR radiotherapy")),
        code=snomed("1217123003", "Radiotherapy Course of Treatment", "Radiation treatment"), subject=chart.subject,
        performedPeriod={"start": start, "end": end}, bodySite=[site], performer=[{"actor": chart.doctor}],
        reasonReference=[chart.reference("Condition", reason)],
    )  # fmt: skip
