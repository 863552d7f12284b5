"""SMART User-access Brands: which hospitals and clinics, by the names people know, sign in where.

Source: SMART App Launch 2.2, User-access Brands and Endpoints. A bundle holds Organizations (the brands, with place,
logo and the portal people know) and Endpoints (FHIR bases); a place of a larger brand stands under it by `partOf` and
signs in where that one does.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_bridge.reading.shape import obj, objects, text, texts
from fhir_bridge.us_states import also_called
from vocabulary.plain_text import folded
from vocabulary.resource import Resource

EXTENSIONS = "http://hl7.org/fhir/StructureDefinition/"
BRAND, PORTAL = EXTENSIONS + "organization-brand", EXTENSIONS + "organization-portal"
FHIR_REST = "hl7-fhir-rest"
MOST_STEPS_UP = 10
MOST_LOGO_BYTES = 40_000
_DATA_IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,([A-Za-z0-9+/=]+)")
_MAGIC = {"png": b"\x89PNG", "jpeg": b"\xff\xd8\xff", "gif": b"GIF8", "webp": b"RIFF"}


@dataclass(frozen=True)
class Brand:
    """One name under which people know a place that signs in at `fhir_base_url`.

    `part_of` has the names of what it belongs to, which are searched too. `logo` is a small data URL or empty, never an
    address: a page that shows it tells nobody.
    """

    fhir_base_url: str
    name: str
    known_as: tuple[str, ...] = ()
    part_of: tuple[str, ...] = ()
    city: str = ""
    state: str = ""
    postal_code: str = ""
    logo: str = ""

    @property
    def searched(self) -> str:
        """What a search looks in: folded words, each after a space. People write a state out, or by its two letters."""
        words = (self.name, *self.known_as, *self.part_of, self.place, also_called(self.state))
        return " ".join(["", *folded(" ".join(words)).split()])

    @property
    def place(self) -> str:
        return " ".join(filter(None, (self.city, self.state, self.postal_code)))


def read_brands(bundle: Any) -> list[Brand]:
    """Every brand of the bundle that names where to sign in, each place and address once. Never raises."""
    resources = [each for each in (obj(entry.get("resource")) for entry in _entries(bundle)) if each]
    organizations = {f"Organization/{one['id']}": one for one in resources if _is(one, "Organization")}
    endpoints = {f"Endpoint/{one['id']}": text(one.get("address")) for one in resources if _is_fhir(one)}
    for entry in _entries(bundle):  # bundles name things by address as often as by id
        resource, address = obj(entry.get("resource")), text(entry.get("fullUrl"))
        if address and _is(resource, "Organization"):
            organizations[address] = resource
        elif address and _is_fhir(resource):
            endpoints[address] = text(resource.get("address"))
    found: dict[Brand, None] = {}
    for organization in organizations.values():
        if organization.get("active") is not False:
            found.update(dict.fromkeys(_brands_of(organization, organizations, endpoints)))
    return list(found)


def wanted_words(query: str) -> list[str]:
    """The words of what somebody typed, folded; at most eight."""
    return re.findall(r"\w+", folded(query[:200]))[:8]


def _entries(bundle: Any) -> list[Resource]:
    return objects(bundle.get("entry")) if isinstance(bundle, dict) else []


def _is(resource: Resource, kind: str) -> bool:
    return resource.get("resourceType") == kind and bool(text(resource.get("id")))


def _is_fhir(resource: Resource) -> bool:
    if not _is(resource, "Endpoint") or resource.get("status", "active") != "active":
        return False
    return text(obj(resource.get("connectionType")).get("code")) in (FHIR_REST, "") and _is_web(resource.get("address"))


def _is_web(address: Any) -> bool:
    return isinstance(address, str) and address.startswith(("https://", "http://"))


def _brands_of(
    organization: Resource, organizations: Mapping[str, Resource], endpoints: Mapping[str, str]
) -> Iterator[Brand]:
    line = list(_line_up(organization, organizations))
    bases = next((found for one in line if (found := _bases(one, endpoints))), [])
    called = text(organization.get("name"))
    logo = next((shown for one in line if (shown := _logo(one))), "")
    known_as = tuple(dict.fromkeys(_names(organization, but=called)))
    part_of = tuple(dict.fromkeys(name for one in line[1:] for name in _names(one)))
    for base in bases if called else ():
        for where in objects(organization.get("address")) or [{}]:
            city, state, postal = (text(where.get(key)) for key in ("city", "state", "postalCode"))
            yield Brand(base.rstrip("/"), called[:200], known_as, part_of, city[:80], state[:40], postal[:20], logo)


def _line_up(organization: Resource, organizations: Mapping[str, Resource]) -> Iterator[Resource]:
    """The organization, the one it is part of, and so on."""
    for _ in range(MOST_STEPS_UP):
        yield organization
        above = organizations.get(text(obj(organization.get("partOf")).get("reference")))
        if above is None or above is organization:
            return
        organization = above


def _bases(organization: Resource, endpoints: Mapping[str, str]) -> list[str]:
    named = [one.get("reference") for one in objects(organization.get("endpoint"))]
    named += [
        obj(part.get("valueReference")).get("reference") for part in _parts(organization, PORTAL, "portalEndpoint")
    ]
    return list(dict.fromkeys(endpoints[text(each)] for each in named if text(each) in endpoints))


def _names(organization: Resource, *, but: str = "") -> Iterator[str]:
    """What an organization is called: by name, by other names, by the name of its portal."""
    portals = (text(part.get("valueString")) for part in _parts(organization, PORTAL, "portalName"))
    for name in (text(organization.get("name")), *texts(organization.get("alias")), *portals):
        if name and name != but:
            yield name[:200]


def _logo(organization: Resource) -> str:
    for part in _parts(organization, BRAND, "brandLogo"):
        match = _DATA_IMAGE.fullmatch(text(part.get("valueUrl")))
        if match and _is_picture(match[1], match[2]):
            return match[0]
    return ""


def _is_picture(kind: str, encoded: str) -> bool:
    if len(encoded) > MOST_LOGO_BYTES * 4 // 3 + 4:
        return False
    try:
        return base64.b64decode(encoded, validate=True).startswith(_MAGIC[kind])
    except (binascii.Error, ValueError):
        return False


def _parts(organization: Resource, url: str, name: str) -> Iterator[Resource]:
    for extension in objects(organization.get("extension")):
        if extension.get("url") == url:
            yield from (part for part in objects(extension.get("extension")) if part.get("url") == name)
