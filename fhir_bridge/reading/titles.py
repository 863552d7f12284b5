"""What an entry is called: a plain name where we have one, the provider's words otherwise, the clinical name beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fhir_bridge.reading.cancers import diagnosis_of, plain_name
from fhir_bridge.reading.drugs import drugs_in
from fhir_bridge.reading.markers import BLOOD_MARKERS, RECEPTORS, blood_marker_of, receptor_of
from fhir_bridge.reading.measurement_names import TEST_NAMES
from fhir_bridge.reading.notes import A_DOCUMENT, note_name
from fhir_bridge.reading.problem_names import problem_name
from fhir_bridge.reading.procedure_names import procedure_name
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import (
    clinical_text,
    codings,
    concept_text,
    obj,
    objects,
    references,
    text,
    texts,
    without_tag,
)
from fhir_bridge.reading.standing import is_uncertain
from fhir_bridge.reading.vaccine_names import vaccine_name
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource


@dataclass(frozen=True)
class Title:
    """`plain` is printed large, `clinical` small beside it (empty when it would only repeat)."""

    plain: Said
    clinical: str


TYPE_NAMES: dict[str, Phrase] = {
    "AllergyIntolerance": phrase("An allergy"),
    "BodyStructure": phrase("A part of the body"),
    "CarePlan": phrase("A plan for your care"),
    "CareTeam": phrase("Your care team"),
    "Claim": phrase("A bill sent to insurance"),
    "Condition": phrase("A health problem"),
    "Coverage": phrase("Insurance"),
    "Device": phrase("A medical device"),
    "DiagnosticReport": phrase("A report"),
    "DocumentReference": A_DOCUMENT,
    "Encounter": phrase("A visit"),
    "ExplanationOfBenefit": phrase("What insurance paid"),
    "FamilyMemberHistory": phrase("Illness in your family"),
    "Goal": phrase("A goal"),
    "ImagingStudy": phrase("A scan"),
    "Immunization": phrase("A shot (vaccine)"),
    "Location": phrase("A place"),
    "Media": phrase("A picture or recording"),
    "Medication": phrase("A medicine"),
    "MedicationAdministration": phrase("A medicine you were given"),
    "MedicationDispense": phrase("A medicine from the pharmacy"),
    "MedicationRequest": phrase("A medicine that was ordered"),
    "Observation": phrase("A test or measurement"),
    "Organization": phrase("An organization"),
    "Patient": phrase("You"),
    "Practitioner": phrase("A care team member"),
    "PractitionerRole": phrase("A care team member"),
    "Procedure": phrase("A procedure"),
    "Provenance": phrase("Where an entry came from"),
    "QuestionnaireResponse": phrase("Answers you gave"),
    "RelatedPerson": phrase("Someone close to you"),
    "ServiceRequest": phrase("Something that was ordered"),
    "Specimen": phrase("A sample that was taken"),
    "SupplyDelivery": phrase("Supplies you were given"),
}

_BY_NAME = frozenset({"Organization", "Location", "Practitioner", "RelatedPerson", "Patient"})
WITHOUT_A_DAY = _BY_NAME | {"PractitionerRole", "CareTeam", "Medication"}
"""Types of which an entry is of no day, unless it says one: people, places, names of medicines."""

SOMETHING_ELSE = phrase("Something else in your record")


def title_of(resource: Resource, medication: Resource | None = None) -> Title:
    """The title of an entry; `medication` is the resource its medicationReference names, when at hand. Never raises."""
    type_name = text(resource.get("resourceType"))
    concept = _concept(resource, type_name, medication)
    clinical = clinical_text(concept)
    plain = _plain(resource, type_name, concept)
    if plain is None:
        own = without_tag(concept_text(concept)) or _name_of(resource)
        plain = own or TYPE_NAMES.get(type_name, SOMETHING_ELSE)
    said = str(plain).casefold()
    return Title(plain, "" if clinical.casefold() in said else clinical)


def _concept(resource: Resource, type_name: str, medication: Resource | None) -> Any:
    if type_name.startswith("Medication") and type_name != "Medication":
        return medication_concept(resource, medication)
    for name in ("code", "vaccineCode", "type", "description", "relationship", "category", "serviceType"):
        value = resource.get(name)
        if name == "description" and isinstance(value, str):
            return {"text": value}
        if (isinstance(value, dict | list)) and concept_text(value):
            return value
    return None


def medication_concept(resource: Resource, medication: Resource | None = None) -> Any:
    """The medicine of an order, dispense or administration: its concept, the contained or referenced Medication's."""
    concept = resource.get("medicationCodeableConcept")
    if concept_text(concept):
        return concept
    reference = obj(resource.get("medicationReference"))
    target = text(reference.get("reference"))
    for one in objects(resource.get("contained")):
        if target.startswith("#") and text(one.get("id")) == target[1:]:
            return one.get("code")
    if medication is not None and concept_text(medication.get("code")):
        return medication.get("code")
    return {"text": text(reference.get("display"))}


def _plain(resource: Resource, type_name: str, concept: Any) -> Said | None:
    if type_name in ("Observation", "DiagnosticReport"):
        return _result_name(resource, type_name, concept)
    if type_name == "DocumentReference":
        return note_name(concept)
    if type_name == "Condition" and not is_uncertain(resource):
        diagnosis = diagnosis_of(concept)
        return plain_name(diagnosis) if diagnosis is not None else problem_name(concept)
    if type_name in _BY_NAME:
        return _name_of(resource) or None
    if type_name == "FamilyMemberHistory" and concept_text(concept):
        return phrase("Illness in your family: %(who)s", who=without_tag(concept_text(concept)))
    if type_name == "Immunization":
        return vaccine_name(concept)
    if type_name == "Procedure":
        return procedure_name(concept)
    if type_name.startswith("Medication"):
        drugs = drugs_in(concept)
        return " + ".join(drug.name.capitalize() for drug in drugs) if drugs else None
    return None


def _result_name(resource: Resource, type_name: str, concept: Any) -> Said | None:
    marker, receptor = blood_marker_of(resource), receptor_of(resource)
    if marker is not None:
        return BLOOD_MARKERS[marker]
    if receptor is not None and type_name == "Observation":
        return RECEPTORS[receptor]
    known = (TEST_NAMES.get(coding.code) for coding in codings(concept))
    return next((name for name in known if name is not None), None) or note_name(concept)


def _name_of(resource: Resource) -> str:
    """A person's, organization's or device's name, else any title."""
    for name in objects(resource.get("name")):
        whole = text(name.get("text")) or " ".join([*texts(name.get("given")), text(name.get("family"))]).strip()
        if whole:
            return whole
    for field in ("name", "title", "deviceName", "distinctIdentifier"):
        if said := text(resource.get(field)):
            return said
    first = objects(resource.get("deviceName")) + objects(resource.get("payor")) + objects(resource.get("practitioner"))
    return next((text(one.get("name")) or text(one.get("display")) for one in first), "")


def medication_reference(resource: Resource) -> str | None:
    """The reference that names the medicine, when it is not inside the entry."""
    found = references(resource.get("medicationReference"))
    return found[0] if found and not found[0].startswith("#") else None
