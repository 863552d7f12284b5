"""What mCODE says of radiation or an operation in extensions: what for, how, how often, how much (MC-09)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fhir_bridge.reading.quantity import number_text, quantity_text
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import concept_text, extensions, obj, references, text, without_tag
from fhir_bridge.reading.titles import title_of
from fhir_bridge.reading.treatments import intent_of
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource

_INTENT = phrase("What it is for")
_HOW = phrase("Kind of radiation")
_SESSIONS = phrase("Sessions")
_DOSE = phrase("Radiation given")


def treatment_facts(resource: Resource, resolve: Callable[[str], Resource | None]) -> Iterator[tuple[Phrase, Said]]:
    """Label and value for each; nothing for a procedure that has none of them. Never raises."""
    if resource.get("resourceType") != "Procedure":
        return
    if intent := intent_of(resource):
        yield _INTENT, intent
    for one in extensions(resource, "mcode-radiotherapy-modality-and-technique"):
        parts = [*extensions(one, "mcode-radiotherapy-modality"), *extensions(one, "mcode-radiotherapy-technique")]
        if words := ", ".join(filter(None, (_concept(part) for part in parts))):
            yield _HOW, words
    for one in extensions(resource, "mcode-radiotherapy-sessions"):
        if count := number_text(one.get("valueUnsignedInt")):
            yield _SESSIONS, count
    for one in extensions(resource, "mcode-radiotherapy-dose-delivered-to-volume"):
        if said := _dose(one, resolve):
            yield _DOSE, said


def _concept(extension: dict[str, object]) -> str:
    return without_tag(concept_text(extension.get("valueCodeableConcept")))


def _dose(extension: dict[str, object], resolve: Callable[[str], Resource | None]) -> Said:
    total = [quantity_text(one.get("valueQuantity")) for one in extensions(extension, "totalDoseDelivered")]
    times = [number_text(one.get("valueUnsignedInt")) for one in extensions(extension, "fractionsDelivered")]
    volumes = [one.get("valueReference") for one in extensions(extension, "volume")]
    where = next((place for volume in volumes if (place := _place(volume, resolve))), "")
    dose, count = next(iter(filter(None, total)), ""), next(iter(filter(None, times)), "")
    if not dose:
        return ""
    if where and count:
        return phrase("%(dose)s in %(count)s sessions: %(where)s", dose=dose, count=count, where=where)
    if count:
        return phrase("%(dose)s in %(count)s sessions", dose=dose, count=count)
    return f"{dose}: {where}" if where else dose


def _place(reference: object, resolve: Callable[[str], Resource | None]) -> str:
    """What a reference to a treated volume says of itself, or what the volume is called."""
    if said := text(obj(reference).get("display")):
        return said
    found = next((one for name in references(reference) if (one := resolve(name)) is not None), None)
    if found is None:
        return ""
    return text(found.get("description")) or concept_text(found.get("location")) or str(title_of(found).plain)
