"""What the hospital says about itself: SMART configuration, OpenID configuration, keys, CapabilityStatement."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from sandbox.hospital.brands import brand_bundle
from sandbox.hospital.hospital import Hospital

SEARCH_PARAMETERS = ("patient", "_id", "category", "code", "intent", "status", "_lastUpdated")
TYPES = (
    "Patient", "AllergyIntolerance", "Binary", "BodyStructure", "CarePlan", "CareTeam", "Condition", "Coverage",
    "Device", "DiagnosticReport", "DocumentReference", "Encounter", "FamilyMemberHistory", "Goal", "ImagingStudy",
    "Immunization", "Location", "Medication", "MedicationAdministration", "MedicationDispense", "MedicationRequest",
    "Observation", "Organization", "Practitioner", "PractitionerRole", "Procedure", "Provenance",
    "QuestionnaireResponse", "RelatedPerson", "ServiceRequest", "Specimen",
)  # fmt: skip
# Types that only loaded folders hold.
MORE_TYPES = (
    "Account", "AdverseEvent", "AuditEvent", "Claim", "ClaimResponse", "ClinicalImpression", "Communication",
    "Composition", "Consent", "DetectedIssue", "EpisodeOfCare", "ExplanationOfBenefit", "Group", "List", "Media",
    "MolecularSequence", "NutritionOrder", "PlanDefinition", "Questionnaire", "ResearchStudy", "ResearchSubject",
    "RiskAssessment", "SupplyDelivery", "SupplyRequest", "Task",
)  # fmt: skip
CAPABILITIES = (
    "launch-standalone", "launch-ehr", "client-public", "client-confidential-symmetric",
    "client-confidential-asymmetric", "sso-openid-connect", "context-standalone-patient", "context-ehr-patient",
    "context-ehr-encounter", "context-banner", "permission-patient", "permission-user", "permission-offline",
    "permission-online", "permission-v1", "permission-v2", "authorize-post",
)  # fmt: skip


_SMART_SECURITY = {
    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
    "code": "SMART-on-FHIR",
}


def smart_configuration(hospital: Hospital) -> dict[str, Any]:
    """`.well-known/smart-configuration` (SMART App Launch 2.2, conformance), faults applied."""
    told: dict[str, Any] = {
        "issuer": hospital.issuer,
        "jwks_uri": f"{hospital.url}/.well-known/jwks.json",
        "authorization_endpoint": hospital.authorize_url,
        "token_endpoint": hospital.token_url,
        "revocation_endpoint": hospital.revoke_url,
        "introspection_endpoint": hospital.introspect_url,
        "management_endpoint": f"{hospital.url}/",
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "response_types_supported": ["code"],
        "scopes_supported": ["openid", "fhirUser", "launch", "launch/patient", "offline_access", "online_access",
                             "patient/*.rs", "user/*.rs", *(f"patient/{name}.rs" for name in TYPES)],
        "code_challenge_methods_supported": ["S256"],
        "capabilities": list(CAPABILITIES),
        "authorization_response_iss_parameter_supported": hospital.config.names_issuer,
        "user_access_brand_bundle": f"{hospital.url}/brands.json",
    }  # fmt: skip
    fault = hospital.faults.get("configuration")
    if fault == "no_s256":
        told["code_challenge_methods_supported"] = []
    elif fault == "plain":
        told["code_challenge_methods_supported"] = ["plain"]
    elif fault == "v1_only":
        told["capabilities"].remove("permission-v2")
    elif fault == "relative":
        told["authorization_endpoint"], told["token_endpoint"] = "../oauth/authorize", "../oauth/token"
    elif isinstance(fault, dict):
        told = {key: value for key, value in (told | fault).items() if value is not None}
    return told


def openid_configuration(hospital: Hospital) -> dict[str, Any]:
    """OpenID Connect Discovery 1.0 metadata."""
    return {
        "issuer": hospital.issuer,
        "jwks_uri": f"{hospital.url}/.well-known/jwks.json",
        "authorization_endpoint": hospital.authorize_url,
        "token_endpoint": hospital.token_url,
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "fhirUser"],
        "claims_supported": ["iss", "aud", "sub", "exp", "iat", "nonce", "fhirUser"],
    }


def capability_statement(hospital: Hospital) -> dict[str, Any]:
    """A short R4 CapabilityStatement; the OAuth endpoints are in the SMART configuration only (SMART-01)."""
    parameters = [{"name": name, "type": "reference" if name == "patient" else "date" if "Up" in name else "token"}
                  for name in SEARCH_PARAMETERS]  # fmt: skip
    rows = [
        {
            "type": name,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": parameters,
            "searchRevInclude": ["Provenance:target"],
        }
        for name in TYPES
    ]
    rows[0]["operation"] = [
        {"name": "everything", "definition": "http://hl7.org/fhir/OperationDefinition/Patient-everything"}
    ]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-01",
        "kind": "instance",
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "implementation": {"description": f"{hospital.config.name} (sandbox)", "url": hospital.fhir_url},
        "rest": [
            {
                "mode": "server",
                "security": {"service": [{"coding": [_SMART_SECURITY]}]},
                "resource": rows,
            }
        ],
    }


def discovery(hospital: Hospital) -> Blueprint:
    """The public routes that tell clients where things are."""
    pages = Blueprint("discovery", __name__)

    @pages.get("/fhir/.well-known/smart-configuration")
    def smart() -> Response:
        fault = hospital.faults.get("configuration")
        if fault in ("500", "503"):
            return Response("down", int(fault), {"Retry-After": "1"})
        return jsonify(smart_configuration(hospital))

    @pages.get("/.well-known/openid-configuration")
    def openid() -> Response:
        return jsonify(openid_configuration(hospital))

    @pages.get("/.well-known/jwks.json")
    def keys() -> Response:
        return jsonify(hospital.keys.public())

    @pages.get("/brands.json")
    def brands() -> Response:
        return jsonify(brand_bundle(hospital.config, hospital.fhir_url))

    @pages.get("/fhir/metadata")
    def metadata() -> Response:
        answer = jsonify(capability_statement(hospital))
        answer.mimetype = "application/fhir+json"
        return answer

    return pages
