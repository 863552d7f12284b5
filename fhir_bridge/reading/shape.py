"""Looking into raw FHIR JSON of any shape without ever failing: wrong types read as absent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from vocabulary.resource import Resource

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"

_LONGEST_TEXT = 200_000
_LONGEST_NAME = 2000

_SYSTEM_NAMES = {
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
    "urn:oid:2.16.840.1.113883.6.90": "http://hl7.org/fhir/sid/icd-10-cm",
}


class Coding(NamedTuple):
    """One code; texts are empty when absent. Systems given as OIDs are read as their FHIR URLs."""

    system: str
    code: str
    display: str


def objects(value: Any) -> list[dict[str, Any]]:
    """`value` as a list of objects: a list's objects, a lone object, or nothing."""
    if isinstance(value, dict):
        return [value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def obj(value: Any) -> dict[str, Any]:
    """`value` when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """`value` when it is text, trimmed and cut at a length that no page can bear, else empty."""
    return value.strip()[:_LONGEST_TEXT] if isinstance(value, str) else ""


def texts(value: Any) -> list[str]:
    return [one for one in (text(item) for item in (value if isinstance(value, list) else [])) if one]


def codings(concept: Any) -> list[Coding]:
    """The codings of a CodeableConcept, of several, or a bare Coding."""
    if isinstance(concept, dict) and isinstance(listed := concept.get("coding"), list):  # as nearly all are written
        return [_coding(one) for one in listed if isinstance(one, dict)]
    found = []
    for one in objects(concept):
        for coding in objects(one.get("coding")) or ([one] if "code" in one and "coding" not in one else []):
            found.append(_coding(coding))
    return found


def _coding(coding: dict[str, Any]) -> Coding:
    system = text(coding.get("system"))
    return Coding(_SYSTEM_NAMES.get(system, system), text(coding.get("code")), text(coding.get("display")))


def codes(concept: Any) -> set[str]:
    """Every code of a concept, whatever the system."""
    return {coding.code for coding in codings(concept) if coding.code}


def concept_text(concept: Any) -> str:
    """The provider's own words for a concept: text, else the first display, else the first code."""
    for one in objects(concept):
        if said := text(one.get("text")):
            return said
    found = codings(concept)
    return next((c.display for c in found if c.display), "") or next((c.code for c in found if c.code), "")


def clinical_text(concept: Any) -> str:
    """The clinical name of a concept: the first display (without SNOMED's tag), else its text, else its code."""
    found = codings(concept)
    display = next((c.display for c in found if c.display), "")
    return without_tag(display) if display else concept_text(concept)


def without_tag(name: str) -> str:
    """A SNOMED name without its semantic tag: "Lumpectomy of breast (procedure)" becomes "Lumpectomy of breast"."""
    head, bracket, tail = name.rpartition(" (")
    return head if bracket and tail.rstrip(")") in _TAGS else name


_TAGS = {
    "procedure", "disorder", "finding", "situation", "body structure", "qualifier value", "observable entity",
    "regime/therapy", "morphologic abnormality", "record artifact", "substance", "product", "tumor staging", "event",
    "physical object", "occupation", "assessment scale", "medicinal product", "environment",
}  # fmt: skip


def searchable(concept: Any) -> str:
    """All words of a concept in lower case, for matching by words."""
    parts = [text(one.get("text")) for one in objects(concept)] + [c.display for c in codings(concept)]
    return " ".join(part[:_LONGEST_NAME] for part in parts).lower()


def extensions(element: Any, ending: str) -> list[dict[str, Any]]:
    """The extensions of `element` whose url ends with `ending`."""
    return [e for e in objects(obj(element).get("extension")) if text(e.get("url")).endswith(ending)]


def references(value: Any) -> list[str]:
    """The reference texts of a Reference or a list of them."""
    return [ref for ref in (text(one.get("reference")) for one in objects(value)) if ref]


def key_of(reference: str) -> str:
    """`Type/id` of a reference (versions and hosts left out); a urn or fragment stays as it is."""
    if reference.startswith(("urn:", "#")):
        return reference
    segments = reference.split("?")[0].rstrip("/").split("/")
    if "_history" in segments:
        segments = segments[: segments.index("_history")]
    return "/".join(segments[-2:])


def same_thing(reference: str, resource_key: str) -> bool:
    """Whether a reference names the resource `Type/id`, `urn:uuid:id` included."""
    key = key_of(reference)
    return key == resource_key or (key.startswith("urn:uuid:") and key[9:] == resource_key.rpartition("/")[2])


def key(resource: Resource) -> str:
    """`Type/id` of a resource."""
    return f"{text(resource.get('resourceType'))}/{text(resource.get('id'))}"


def profiles(resource: Resource) -> list[str]:
    return texts(obj(resource.get("meta")).get("profile"))


def profile_names(resource: Resource) -> set[str]:
    """The last parts of the profiles' URLs, without versions: `mcode-tnm-stage-group`."""
    return {one.split("|")[0].rpartition("/")[2] for one in profiles(resource)}


def has_profile(resource: Resource, name: str) -> bool:
    """Whether `meta.profile` claims the mCODE profile `name` (any version of the URL)."""
    return name in profile_names(resource)


def value_of(element: Any) -> tuple[str, Any]:
    """The value[x] of an Observation or component: its type suffix ("Quantity") and the value; ("", None) if none."""
    for name, value in obj(element).items():
        if name.startswith("value") and len(name) > 5 and name[5].isupper() and value is not None:
            return name[5:], value
    return "", None


def absent(element: Any, name: str) -> bool:
    """Whether `element.name` is said to be absent by the data-absent-reason extension on the primitive."""
    return bool(extensions(obj(element).get("_" + name), "/data-absent-reason"))


def walk(value: Any, most: int = 100_000) -> Iterator[dict[str, Any]]:
    """Every object inside `value`, in no promised order, at most `most` steps."""
    waiting, steps = [value], 0
    while waiting and steps < most:
        one = waiting.pop()
        steps += 1
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
