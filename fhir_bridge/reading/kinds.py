"""The kinds in which a record is shown. Every resource belongs to exactly one."""

from __future__ import annotations

from enum import StrEnum

from fhir_bridge.reading.markers import GENOMIC_CODES
from fhir_bridge.reading.measurement_names import ABOUT_YOU as ABOUT_YOU_CODES
from fhir_bridge.reading.measurement_names import TUMOR_FINDINGS
from fhir_bridge.reading.measurement_names import VITAL_SIGNS as VITAL_CODES
from fhir_bridge.reading.shape import codes, profiles, text
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource


class Kind(StrEnum):
    TEST_RESULTS = "test-results"
    VITAL_SIGNS = "vital-signs"
    MEDICINES = "medicines"
    PROBLEMS = "problems"
    ALLERGIES = "allergies"
    IMMUNIZATIONS = "immunizations"
    PROCEDURES = "procedures"
    NOTES_AND_REPORTS = "notes-and-reports"
    SCANS = "scans"
    CARE_TEAM = "care-team"
    APPOINTMENTS = "appointments"
    INSURANCE = "insurance"
    GENOMICS = "genomics"
    ABOUT_YOU = "about-you"
    EVERYTHING_ELSE = "everything-else"


KIND_NAMES: dict[Kind, Phrase] = {
    Kind.TEST_RESULTS: phrase("Test results"),
    Kind.VITAL_SIGNS: phrase("Weight, blood pressure and other measurements"),
    Kind.MEDICINES: phrase("Medicines"),
    Kind.PROBLEMS: phrase("Health problems"),
    Kind.ALLERGIES: phrase("Allergies"),
    Kind.IMMUNIZATIONS: phrase("Shots (vaccines)"),
    Kind.PROCEDURES: phrase("Operations and procedures"),
    Kind.NOTES_AND_REPORTS: phrase("Notes and reports"),
    Kind.SCANS: phrase("Scans"),
    Kind.CARE_TEAM: phrase("Care team"),
    Kind.APPOINTMENTS: phrase("Visits"),
    Kind.INSURANCE: phrase("Insurance"),
    Kind.GENOMICS: phrase("Gene tests"),
    Kind.ABOUT_YOU: phrase("About you"),
    Kind.EVERYTHING_ELSE: phrase("Everything else"),
}

TYPES_OF_KIND: dict[Kind, tuple[str, ...]] = {
    Kind.TEST_RESULTS: ("Observation", "DiagnosticReport"),
    Kind.VITAL_SIGNS: ("Observation", "DiagnosticReport"),
    Kind.MEDICINES: ("MedicationRequest", "MedicationDispense", "MedicationAdministration"),
    Kind.PROBLEMS: ("Condition",),
    Kind.ALLERGIES: ("AllergyIntolerance",),
    Kind.IMMUNIZATIONS: ("Immunization",),
    Kind.PROCEDURES: ("Procedure",),
    Kind.NOTES_AND_REPORTS: ("DocumentReference", "DiagnosticReport"),
    Kind.SCANS: ("ImagingStudy", "DiagnosticReport", "Observation"),
    Kind.CARE_TEAM: ("CareTeam", "Practitioner", "PractitionerRole", "RelatedPerson"),
    Kind.APPOINTMENTS: ("Encounter",),
    Kind.INSURANCE: ("Coverage",),
    Kind.GENOMICS: ("Observation", "DiagnosticReport", "DocumentReference"),
    Kind.ABOUT_YOU: ("Patient", "Observation", "FamilyMemberHistory", "QuestionnaireResponse"),
    Kind.EVERYTHING_ELSE: (
        "CarePlan", "Goal", "Device", "Provenance", "ServiceRequest", "Specimen", "BodyStructure", "Medication",
        "Location", "Organization",
    ),
}  # fmt: skip
"""The types that feed each kind: "none" may be said of a kind only when each of these was fetched (FHIR-10)."""

_BY_TYPE: dict[str, Kind] = {
    "MedicationRequest": Kind.MEDICINES, "MedicationDispense": Kind.MEDICINES, "MedicationStatement": Kind.MEDICINES,
    "MedicationAdministration": Kind.MEDICINES, "Condition": Kind.PROBLEMS, "AllergyIntolerance": Kind.ALLERGIES,
    "Immunization": Kind.IMMUNIZATIONS, "ImmunizationRecommendation": Kind.IMMUNIZATIONS, "Procedure": Kind.PROCEDURES,
    "DocumentReference": Kind.NOTES_AND_REPORTS, "Composition": Kind.NOTES_AND_REPORTS, "Media": Kind.NOTES_AND_REPORTS,
    "DocumentManifest": Kind.NOTES_AND_REPORTS, "ImagingStudy": Kind.SCANS, "CareTeam": Kind.CARE_TEAM,
    "Practitioner": Kind.CARE_TEAM, "PractitionerRole": Kind.CARE_TEAM, "RelatedPerson": Kind.CARE_TEAM,
    "Encounter": Kind.APPOINTMENTS, "Appointment": Kind.APPOINTMENTS, "EpisodeOfCare": Kind.APPOINTMENTS,
    "Coverage": Kind.INSURANCE, "ExplanationOfBenefit": Kind.INSURANCE, "Claim": Kind.INSURANCE,
    "ClaimResponse": Kind.INSURANCE, "MolecularSequence": Kind.GENOMICS, "Patient": Kind.ABOUT_YOU,
    "FamilyMemberHistory": Kind.ABOUT_YOU, "QuestionnaireResponse": Kind.ABOUT_YOU,
}  # fmt: skip

_GENE_CATEGORIES = frozenset({"GE", "genomic", "genomics"})
_GENE_DOCUMENTS = frozenset({"51969-4", "81247-9", "51968-6"})
_ABOUT_CATEGORIES = frozenset(
    {"social-history", "survey", "sdoh", "functional-status", "disability-status", "cognitive-status", "activity"}
)
_DAILY_LIFE_CODES = frozenset({
    "93026-3", "93027-1", "93028-9", "93029-7", "93030-5", "93031-3", "93033-9", "93034-7", "93035-4", "93038-8",
    "56051-6", "32624-9", "63512-8", "76437-3", "63586-2", "76501-6", "63513-6", "28245-9",
})  # fmt: skip
_SCAN_CATEGORIES = frozenset({"RAD", "LP29684-5", "CT", "NMR", "NMS", "RUS", "imaging", "OUS", "VUS", "CUS"})
_REPORT_CATEGORIES = frozenset({"LP7839-6", "LP29708-2", "PAT", "SP", "CP", "CTH", "EC", "clinical-note"})
_LAB_CATEGORIES = frozenset({"LAB", "laboratory", "HM", "CH", "MB", "BLB", "IMM", "SR", "VR", "TX", "URN"})


def kind_of(resource: Resource) -> Kind:
    """The one kind to which a resource belongs. Never raises; a type we do not know is "everything else"."""
    type_name = text(resource.get("resourceType"))
    if type_name == "Observation":
        return _observation(resource)
    if type_name == "DiagnosticReport":
        return _report(resource)
    if type_name == "DocumentReference" and (
        codes(resource.get("type")) & _GENE_DOCUMENTS or codes(resource.get("category")) & _GENE_CATEGORIES
    ):
        return Kind.GENOMICS
    return _BY_TYPE.get(type_name, Kind.EVERYTHING_ELSE)


def _observation(resource: Resource) -> Kind:
    categories, code = codes(resource.get("category")), codes(resource.get("code"))
    genomic = any("genomic" in one for one in profiles(resource))
    if code & GENOMIC_CODES or categories & _GENE_CATEGORIES or genomic:
        return Kind.GENOMICS
    if categories & {"vital-signs", "vital-sign"} or code & VITAL_CODES.keys():
        return Kind.VITAL_SIGNS
    if code & ABOUT_YOU_CODES.keys() or code & _DAILY_LIFE_CODES:
        return Kind.ABOUT_YOU
    if "laboratory" in categories:
        return Kind.TEST_RESULTS
    if "imaging" in categories and not code & TUMOR_FINDINGS.keys():
        return Kind.SCANS
    if categories & _ABOUT_CATEGORIES and not code & TUMOR_FINDINGS.keys():
        return Kind.ABOUT_YOU
    return Kind.TEST_RESULTS


def _report(resource: Resource) -> Kind:
    categories, code = codes(resource.get("category")), codes(resource.get("code"))
    if categories & _GENE_CATEGORIES or code & _GENE_DOCUMENTS:
        return Kind.GENOMICS
    if code & VITAL_CODES.keys():
        return Kind.VITAL_SIGNS
    if code & ABOUT_YOU_CODES.keys():
        return Kind.ABOUT_YOU
    if categories & _SCAN_CATEGORIES or "18748-4" in code:
        return Kind.SCANS
    if categories & _REPORT_CATEGORIES:
        return Kind.NOTES_AND_REPORTS
    if categories & _LAB_CATEGORIES:
        return Kind.TEST_RESULTS
    return Kind.NOTES_AND_REPORTS if resource.get("presentedForm") else Kind.TEST_RESULTS
