"""The allow-list: for each kind of resource, the elements that may leave a de-identified donation (HIP-20…23).

What is missing is meant: narrative, notes, text, displays, names, contacts, addresses, identifiers, attachments,
images, serial numbers, performers, organizations, contained resources, `meta`, and extensions but the coded few.
Kinds that are not here do not leave at all.
"""

from __future__ import annotations

from msgspec import field

from research.deidentify.elements import (
    Age,
    Coded,
    Coding,
    Concept,
    Count,
    Element,
    Period,
    Quantity,
    Range,
    Ratio,
    Ref,
    Word,
    Year,
)


class Resource(Element, tag_field="resourceType"):
    """What every allowed resource has. `id` is the release's own; `subject` names the release's patient."""

    id: str | None = None
    status: Word | None = None
    subject: Ref | None = None
    extension: list[Coded] | None = None


class Stage(Element):
    summary: Concept | None = None
    type: Concept | None = None
    assessment: list[Ref] | None = None


class Condition(Resource, tag="Condition"):
    clinical_status: Concept | None = None
    verification_status: Concept | None = None
    category: list[Concept] | None = None
    severity: Concept | None = None
    code: Concept | None = None
    body_site: list[Concept] | None = None
    encounter: Ref | None = None
    onset_date_time: Year | None = None
    onset_period: Period | None = None
    onset_age: Age | None = None
    abatement_date_time: Year | None = None
    abatement_period: Period | None = None
    abatement_age: Age | None = None
    recorded_date: Year | None = None
    stage: list[Stage] | None = None


class ReferenceRange(Element):
    low: Quantity | None = None
    high: Quantity | None = None
    type: Concept | None = None


class Component(Element):
    code: Concept | None = None
    value_quantity: Quantity | None = None
    value_codeable_concept: Concept | None = None
    value_boolean: bool | None = None
    value_integer: Count | None = None
    value_ratio: Ratio | None = None
    value_range: Range | None = None
    data_absent_reason: Concept | None = None
    interpretation: list[Concept] | None = None
    reference_range: list[ReferenceRange] | None = None


class Observation(Resource, tag="Observation"):
    category: list[Concept] | None = None
    code: Concept | None = None
    focus: list[Ref] | None = None
    encounter: Ref | None = None
    effective_date_time: Year | None = None
    effective_period: Period | None = None
    issued: Year | None = None
    value_quantity: Quantity | None = None
    value_codeable_concept: Concept | None = None
    value_boolean: bool | None = None
    value_integer: Count | None = None
    value_ratio: Ratio | None = None
    value_range: Range | None = None
    data_absent_reason: Concept | None = None
    interpretation: list[Concept] | None = None
    body_site: Concept | None = None
    method: Concept | None = None
    specimen: Ref | None = None
    reference_range: list[ReferenceRange] | None = None
    has_member: list[Ref] | None = None
    derived_from: list[Ref] | None = None
    component: list[Component] | None = None


class Procedure(Resource, tag="Procedure"):
    category: Concept | None = None
    code: Concept | None = None
    encounter: Ref | None = None
    performed_date_time: Year | None = None
    performed_period: Period | None = None
    reason_code: list[Concept] | None = None
    reason_reference: list[Ref] | None = None
    body_site: list[Concept] | None = None
    outcome: Concept | None = None
    complication: list[Concept] | None = None


class DoseAndRate(Element):
    type: Concept | None = None
    dose_quantity: Quantity | None = None
    rate_quantity: Quantity | None = None


class Dosage(Element):
    route: Concept | None = None
    dose: Quantity | None = None
    dose_and_rate: list[DoseAndRate] | None = None


class MedicationRequest(Resource, tag="MedicationRequest"):
    intent: Word | None = None
    category: list[Concept] | None = None
    status_reason: Concept | None = None
    medication_codeable_concept: Concept | None = None
    medication_reference: Ref | None = None
    encounter: Ref | None = None
    authored_on: Year | None = None
    reason_code: list[Concept] | None = None
    reason_reference: list[Ref] | None = None
    dosage_instruction: list[Dosage] | None = None


class MedicationAdministration(Resource, tag="MedicationAdministration"):
    status_reason: list[Concept] | None = None
    category: Concept | None = None
    medication_codeable_concept: Concept | None = None
    medication_reference: Ref | None = None
    effective_date_time: Year | None = None
    effective_period: Period | None = None
    reason_code: list[Concept] | None = None
    reason_reference: list[Ref] | None = None
    request: Ref | None = None
    dosage: Dosage | None = None


class MedicationDispense(Resource, tag="MedicationDispense"):
    category: Concept | None = None
    medication_codeable_concept: Concept | None = None
    medication_reference: Ref | None = None
    authorizing_prescription: list[Ref] | None = None
    type: Concept | None = None
    quantity: Quantity | None = None
    days_supply: Quantity | None = None
    when_handed_over: Year | None = None


class MedicationStatement(Resource, tag="MedicationStatement"):
    category: Concept | None = None
    medication_codeable_concept: Concept | None = None
    medication_reference: Ref | None = None
    effective_date_time: Year | None = None
    effective_period: Period | None = None
    reason_code: list[Concept] | None = None


class Medication(Resource, tag="Medication"):
    code: Concept | None = None
    form: Concept | None = None


class Reaction(Element):
    substance: Concept | None = None
    manifestation: list[Concept] | None = None
    severity: Word | None = None


class AllergyIntolerance(Resource, tag="AllergyIntolerance"):
    patient: Ref | None = None
    clinical_status: Concept | None = None
    verification_status: Concept | None = None
    type: Word | None = None
    category: list[Word] | None = None
    criticality: Word | None = None
    code: Concept | None = None
    onset_date_time: Year | None = None
    recorded_date: Year | None = None
    reaction: list[Reaction] | None = None


class Immunization(Resource, tag="Immunization"):
    patient: Ref | None = None
    vaccine_code: Concept | None = None
    occurrence_date_time: Year | None = None
    primary_source: bool | None = None
    status_reason: Concept | None = None


class DiagnosticReport(Resource, tag="DiagnosticReport"):
    category: list[Concept] | None = None
    code: Concept | None = None
    encounter: Ref | None = None
    effective_date_time: Year | None = None
    effective_period: Period | None = None
    issued: Year | None = None
    specimen: list[Ref] | None = None
    result: list[Ref] | None = None
    imaging_study: list[Ref] | None = None
    conclusion_code: list[Concept] | None = None


class Encounter(Resource, tag="Encounter"):
    class_: Coding | None = field(default=None, name="class")
    type: list[Concept] | None = None
    period: Period | None = None
    reason_code: list[Concept] | None = None
    reason_reference: list[Ref] | None = None


class ImagingStudy(Resource, tag="ImagingStudy"):
    modality: list[Coding] | None = None
    encounter: Ref | None = None
    started: Year | None = None
    procedure_code: list[Concept] | None = None
    reason_code: list[Concept] | None = None


class Collection(Element):
    collected_date_time: Year | None = None
    method: Concept | None = None
    body_site: Concept | None = None


class Specimen(Resource, tag="Specimen"):
    type: Concept | None = None
    collection: Collection | None = None


class BodyStructure(Resource, tag="BodyStructure"):
    patient: Ref | None = None
    morphology: Concept | None = None
    location: Concept | None = None
    location_qualifier: list[Concept] | None = None


class ServiceRequest(Resource, tag="ServiceRequest"):
    intent: Word | None = None
    category: list[Concept] | None = None
    code: Concept | None = None
    encounter: Ref | None = None
    occurrence_date_time: Year | None = None
    authored_on: Year | None = None
    reason_code: list[Concept] | None = None
    reason_reference: list[Ref] | None = None
    body_site: list[Concept] | None = None


ALLOWED: dict[str, type[Resource]] = {
    each.__name__: each
    for each in (
        Condition, Observation, Procedure, MedicationRequest, MedicationAdministration, MedicationDispense,
        MedicationStatement, Medication, AllergyIntolerance, Immunization, DiagnosticReport, Encounter, ImagingStudy,
        Specimen, BodyStructure, ServiceRequest,
    )
}  # fmt: skip
