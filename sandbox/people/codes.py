"""Code systems and the small FHIR pieces made of codes."""

from __future__ import annotations

from typing import Any

Concept = dict[str, Any]

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICDO3 = "http://terminology.hl7.org/CodeSystem/icd-o-3"
NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
AJCC = "http://cancerstaging.org"
CVX = "http://hl7.org/fhir/sid/cvx"
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem/"
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-"
US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
DOCUMENT_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"
PLAN_CATEGORY = "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"
ABSENT_EXTENSION = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def concept(*codings: tuple[str, str, str], text: str | None = None) -> Concept:
    """A CodeableConcept of (system, code, display) codings; the text defaults to the first display."""
    made = [{"system": s, "code": c, "display": d} for s, c, d in codings]
    return {"coding": made, "text": text or codings[0][2]}


def snomed(code: str, display: str, text: str | None = None) -> Concept:
    """A SNOMED CT concept."""
    return concept((SNOMED, code, display), text=text)


def loinc(code: str, display: str, text: str | None = None) -> Concept:
    """A LOINC concept."""
    return concept((LOINC, code, display), text=text)


def rxnorm(code: str, display: str) -> Concept:
    """An RxNorm concept."""
    return concept((RXNORM, code, display))


def hl7(system: str, code: str, display: str | None = None) -> Concept:
    """A concept of one of HL7's own code systems, by its short name."""
    coding = {"system": HL7 + system, "code": code}
    return {"coding": [coding | ({"display": display} if display else {})]}


def quantity(value: float, unit: str, code: str | None = None) -> dict[str, Any]:
    """A UCUM Quantity."""
    return {"value": value, "unit": unit, "system": UCUM, "code": code or unit}


POSITIVE = concept((LOINC, "LA6576-8", "Positive"), (SNOMED, "10828004", "Positive"))
NEGATIVE = concept((LOINC, "LA6577-6", "Negative"), (SNOMED, "260385009", "Negative"))
LEFT = snomed("7771000", "Left")
RIGHT = snomed("24028007", "Right")
