"""The hospital and its clinics as SMART User-access Brands (SMART App Launch 2.2): names, places, where to sign in."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

from sandbox.hospital.configuration import HospitalConfig

_BASE = "http://hl7.org/fhir/StructureDefinition/organization-"
# id, name, other names, street, city, state, postal code; the first is the hospital, the others are part of it
PLACES: dict[str, tuple[tuple[str, str, tuple[str, ...], str, str, str, str], ...]] = {
    "riverside": (
        ("riverside", "Riverside Cancer Center", ("RCC",), "1 River Street", "Springfield", "MA", "01103"),
        ("riverside-north", "Riverside Infusion North", (), "88 Mill Road", "Northampton", "MA", "01060"),
        (
            "riverside-breast",
            "Riverside Breast Clinic",
            ("The Breast Center",),
            "5 Elm Street",
            "Holyoke",
            "MA",
            "01040",
        ),
    ),
    "lakeside": (
        ("lakeside", "Lakeside Medical Group", ("LMG",), "20 Lake Avenue", "Worcester", "MA", "01604"),
        ("lakeside-oncology", "Lakeside Oncology of Fitchburg", (), "3 Main Street", "Fitchburg", "MA", "01420"),
    ),
}
_SINCE = "2026-01-01T00:00:00Z"
COLOURS = {"riverside": (15, 100, 96), "lakeside": (36, 68, 120)}


def brand_bundle(config: HospitalConfig, fhir_url: str) -> dict[str, Any]:
    """The bundle: one brand with its logo and endpoint, and a brand for each clinic under it."""
    places = PLACES.get(config.id, ((config.id, config.name, (), "", "", "", ""),))
    entries = [_organization(place, config.id, first=place is places[0]) for place in places]
    endpoint = {
        "resourceType": "Endpoint", "id": "fhir-r4", "status": "active", "name": f"{config.name} FHIR R4",
        "connectionType": {
            "system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type", "code": "hl7-fhir-rest",
        },
        "payloadType": [{"coding": [{"code": "none"}]}], "address": fhir_url,
    }  # fmt: skip
    return {
        "resourceType": "Bundle", "id": f"{config.id}-brands", "type": "collection", "timestamp": _SINCE,
        "entry": [{"fullUrl": f"urn:sandbox:{one['id']}", "resource": one} for one in [*entries, endpoint]],
    }  # fmt: skip


def _organization(
    place: tuple[str, str, tuple[str, ...], str, str, str, str], hospital: str, *, first: bool
) -> dict[str, Any]:
    identity, name, known_as, street, city, state, postal_code = place
    made: dict[str, Any] = {"resourceType": "Organization", "id": identity, "active": True, "name": name}
    if known_as:
        made["alias"] = list(known_as)
    if city:
        made["address"] = [{"line": [street], "city": city, "state": state, "postalCode": postal_code, "country": "US"}]
    if not first:
        return {**made, "partOf": {"reference": f"Organization/{hospital}"}}
    logo = {"url": "brandLogo", "valueUrl": f"data:image/png;base64,{_logo(COLOURS.get(hospital, (90, 90, 90)))}"}
    portal = {"url": "portalName", "valueString": f"My{name.split()[0]}"}
    made["extension"] = [
        {"url": _BASE + "brand", "extension": [logo]}, {"url": _BASE + "portal", "extension": [portal]},
    ]  # fmt: skip
    return {**made, "endpoint": [{"reference": "Endpoint/fhir-r4"}]}


def _logo(colour: tuple[int, int, int], side: int = 48) -> str:
    """A disc of one colour on white, as PNG (RFC 2083), in base64."""
    middle, rows = (side - 1) / 2, b""
    for y in range(side):
        inside = (((x - middle) ** 2 + (y - middle) ** 2) ** 0.5 < middle for x in range(side))
        rows += b"\x00" + b"".join(bytes(colour) if dot else b"\xff\xff\xff" for dot in inside)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()
