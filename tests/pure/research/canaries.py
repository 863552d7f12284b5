"""A resource of every allowed kind with the eighteen identifiers of Safe Harbor planted wherever they could hide."""

from __future__ import annotations

from typing import Any, get_args, get_origin, get_type_hints

import orjson

from research.deidentify.allowed import ALLOWED
from research.deidentify.delivery import Source

# 45 CFR 164.514(b)(2)(i)(A)-(R), one of each; C has a full date and an age.
CANARIES: dict[str, str] = {
    "A-name": "Zebediah Quackenbush",
    "B-street": "4417 Wobblethorpe Crescent",
    "B-city": "Squidville",
    "B-zip": "80205-1234",
    "C-date": "1968-03-14",
    "C-age": "97 years old",
    "D-phone": "303-555-0177",
    "E-fax": "303-555-0188",
    "F-mail": "zebediah@quack.example",
    "G-ssn": "078-05-1120",
    "H-mrn": "MRN-90210-77",
    "I-plan": "PLN-445566",
    "J-account": "ACCT-0099887",
    "K-licence": "LIC-X7781",
    "L-vehicle": "1FTFW1ET5DFC10312",
    "M-device": "SN-DEV-31337",
    "N-url": "https://people.example/zebediah",
    "O-ip": "203.0.113.77",
    "P-biometric": "FINGERPRINT-AAB1",
    "Q-photo": "cGhvdG8tb2YtemViZWRpYWg",
    "R-code": "CLINICAL-TRIAL-SUBJECT-0042",
}
_PRIMITIVES = {str, int, float, bool}
_hints: dict[type[Any], dict[str, Any]] = {}


def planted(kind: str, canary: str) -> dict[str, Any]:
    """A resource of `kind` that carries `canary` in each element of FHIR R4 where an identifier may stand, and in
    each element that the allow-list reads."""
    resource: dict[str, Any] = _everywhere(ALLOWED[kind], canary) if kind in ALLOWED else {}
    resource |= {
        "resourceType": kind,
        "id": f"id-{canary}",
        "meta": {"source": f"https://h.example/{canary}", "tag": [{"system": canary, "code": canary}]},
        "implicitRules": canary,
        "language": canary,
        "text": {"status": "generated", "div": f"<div>{canary}</div>"},
        "contained": [{"resourceType": "Patient", "id": canary, "name": [{"text": canary}]}],
        "extension": [
            {"url": f"https://x.example/{canary}", "valueString": canary, "valueCodeableConcept": concept(canary)},
            {
                "url": "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-procedure-intent",
                "valueCodeableConcept": concept(canary),
                "valueString": canary,
            },
            {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race", "valueString": canary,
             "extension": [{"url": "ombCategory", "valueCoding": {"system": canary, "code": canary}},
                           {"url": "text", "valueString": canary}]},
        ],
        "modifierExtension": [{"url": canary, "valueString": canary}],
        "identifier": [{"system": canary, "value": canary}],
        "name": [{"family": canary, "given": [canary], "text": canary}],
        "telecom": [{"system": "phone", "value": canary}],
        "address": [
            {"line": [canary], "city": canary, "district": canary, "state": canary, "postalCode": canary,
             "country": canary, "text": canary},
            {"state": canary, "postalCode": "10001"},
            {"state": "CO", "postalCode": canary, "city": canary, "period": {"start": canary}},
        ],
        "photo": [{"data": canary, "url": canary, "title": canary}],
        "contact": [{"name": {"text": canary}}],
        "note": [{"text": canary, "authorString": canary}],
        "performer": [{"reference": f"Practitioner/{canary}", "display": canary}],
        "presentedForm": [{"contentType": "application/pdf", "data": canary, "title": f"{canary}.pdf", "url": canary}],
        "conclusion": canary,
        "valueString": canary,
        "valueAttachment": {"data": canary, "title": f"{canary}.png"},
        "device": {"reference": f"Device/{canary}", "display": canary},
        "udiCarrier": [{"deviceIdentifier": canary}],
        "series": [{"uid": canary}],
        "lotNumber": canary,
    }  # fmt: skip
    return resource


def concept(canary: str) -> dict[str, Any]:
    return {
        "text": canary,
        "coding": [
            {"system": "http://snomed.info/sct", "code": canary, "display": canary, "version": canary},
            {"system": canary, "code": canary, "display": canary},
            {"system": "http://loinc.org", "code": "718-7", "display": canary, "userSelected": True},
            {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": canary},
        ],
    }


def _everywhere(kind: type[Any], canary: str) -> dict[str, Any]:
    """Each element of the allow-list's own struct, filled with the canary in its right shape."""
    if kind not in _hints:  # read once: the allow-list is asked for each planted resource
        _hints[kind] = get_type_hints(kind)
    hints = _hints[kind]
    names = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    return {names[name]: _filled(hints[name], name, canary) for name in names}


def _filled(hint: Any, name: str, canary: str) -> Any:
    inner = [each for each in get_args(hint) if each is not type(None)]
    if get_origin(hint) is list:
        return [_filled(inner[0], name, canary)]
    if inner:
        return _filled(inner[0], name, canary)
    if hint in _PRIMITIVES:
        return {str: canary, int: 0, float: 0.5, bool: True}[hint]
    if hint.__name__ == "Concept":
        return concept(canary)
    if hint.__name__ == "Coding":
        return concept(canary)["coding"][0]
    if hint.__name__ == "Ref":
        return {"reference": f"Observation/{canary}", "display": canary, "identifier": {"value": canary}}
    return _everywhere(hint, canary)


def sources(canary: str) -> list[Source]:
    """One planted resource of every allowed kind, a Patient, and kinds that never leave."""
    kinds = [*ALLOWED, "Patient", "DocumentReference", "Practitioner", "Device", "Coverage", "Binary"]
    made = []
    for kind in kinds:
        resource = planted(kind, canary)
        made.append(Source("riverside", kind, str(resource["id"]), orjson.dumps(resource)))
    return made
