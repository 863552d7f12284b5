"""The CapabilityStatement: what is here, and nothing else (FHIR R4). A test asks for each thing it names."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response

from patient_portal.api.app import OPEN, needs
from patient_portal.api.sign_in import token_endpoint
from patient_portal.wiring import wiring

blueprint = Blueprint("capabilities", __name__)
PUBLISHED = "2026-11-22"

_RESOURCES: dict[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]] = {
    "Consent": (
        ("read", "vread", "history-instance", "search-type"),
        (("patient", "reference"), ("status", "token"), ("_lastUpdated", "date")),
    ),
    "Provenance": (("read", "search-type"), (("target", "reference"),)),
    "AuditEvent": (("search-type",), (("patient", "reference"),)),
}
_PATIENT = "By identifier only: patient:identifier=system|value or patient.identifier=system|value."


@blueprint.get("/fhir/metadata")
@needs(OPEN)
def metadata() -> Response:
    """The statement itself."""
    oauth = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
    document: dict[str, Any] = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": PUBLISHED,
        "kind": "instance",
        "software": {"name": "patient portal"},
        "implementation": {"description": "Decisions of patients", "url": f"{wiring().settings.api_base_url}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "service": [
                        {
                            "coding": [
                                {
                                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                                    "code": "SMART-on-FHIR",
                                }
                            ]
                        }
                    ],
                    "extension": [
                        {"url": oauth, "extension": [{"url": "token", "valueUri": token_endpoint()}]},
                    ],
                },
                "resource": [*(_resource(name) for name in _RESOURCES), _subscription()],
            }
        ],
    }
    response = Response(orjson.dumps(document), content_type="application/fhir+json; fhirVersion=4.0")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


def _resource(name: str) -> dict[str, Any]:
    interactions, searches = _RESOURCES[name]
    return {
        "type": name,
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned" if "vread" in interactions else "no-version",
        "searchParam": [
            {"name": search, "type": kind, **({"documentation": _PATIENT} if search == "patient" else {})}
            for search, kind in searches
        ],
    }


def _subscription() -> dict[str, Any]:
    """No Subscription can be made or read here; a store asks about its own (Subscriptions R5 Backport)."""
    base = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition"
    return {
        "type": "Subscription",
        "operation": [
            {"name": "status", "definition": f"{base}/backport-subscription-status"},
            {"name": "events", "definition": f"{base}/backport-subscription-events"},
        ],
    }
