"""The facts of one entry, element by element, each with a plain label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fhir_bridge.reading.answers import answer_said, result_said
from fhir_bridge.reading.dates import FhirDate, read_date
from fhir_bridge.reading.labels import CODE_WORDS, CODED_ELEMENTS, label_of
from fhir_bridge.reading.quantity import (
    NO,
    NOT_RECORDED,
    YES,
    flag_of,
    number_text,
    quantity_text,
    reference_range,
)
from fhir_bridge.reading.radiation import treatment_facts
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import absent, concept_text, obj, objects, text, texts, without_tag
from fhir_bridge.reading.titles import title_of
from vocabulary.phrase import phrase
from vocabulary.resource import Resource

Resolve = Callable[[str], Resource | None]
"""Finds the resource that a reference of this entry names, None when it is not in the record."""

MOST_VALUES = 40


@dataclass(frozen=True)
class Fact:
    """One line of an entry's page; `value` is a phrase, the provider's words, or a date to format."""

    label: Said
    value: Said | FhirDate


_SHOWN_ELSEWHERE = frozenset({
    "resourceType", "id", "meta", "text", "contained", "extension", "modifierExtension", "implicitRules", "language",
    "code", "vaccineCode", "status", "subject", "patient", "beneficiary", "note", "identifier", "content",
    "presentedForm", "photo", "link", "instantiatesUri", "instantiatesCanonical", "dataAbsentReason", "component",
    "medicationCodeableConcept", "medicationReference", "signature", "masterIdentifier", "referenceRange",
    "questionnaire",
    "interpretation", "doNotPerform", "item", "clinicalStatus",
})  # fmt: skip


_PEOPLE = frozenset({"participant", "performer", "agent"})
_WHOM = ("member", "actor", "individual", "who")
_WHAT_FOR = ("role", "function", "type")


def facts_of(resource: Resource, elements: tuple[str, ...], resolve: Resolve) -> tuple[Fact, ...]:
    """The facts of an entry: its result first, then `elements` in order, then what is said to be not recorded."""
    found = _result_facts(resource)
    # The kind of a document is its title; beside its category it would be said twice.
    told = {"valueQuantity", "type"} if resource.get("resourceType") == "DocumentReference" else {"valueQuantity"}
    for name in dict.fromkeys((*elements, *map(str, resource))):
        if name in _SHOWN_ELSEWHERE or name.startswith(("_", "value")) or name in told:
            continue
        told.add(name)
        if name in _PEOPLE and (people := _people(name, resource, resolve)):
            found += people
            continue
        for value in _worded(name, shown(resource.get(name), resolve)[:MOST_VALUES]):
            found.append(Fact(label_of(name, resource.get("resourceType")), value))
    found += [Fact(label, said) for label, said in treatment_facts(resource, resolve)]
    found += [Fact(label_of(name[1:]), NOT_RECORDED) for name in resource if _is_absent(resource, name)]
    return tuple(found)


def _people(element: str, resource: Resource, resolve: Resolve) -> list[Fact]:
    """Who took part, each under what they are there for; empty when one of them is told in another way."""
    found = []
    for one in objects(resource.get(element))[:MOST_VALUES]:
        who = next((shown(one[name], resolve) for name in _WHOM if one.get(name)), [])
        role = next((without_tag(said) for name in _WHAT_FOR if (said := concept_text(one.get(name)))), "")
        if len(who) != 1:
            return []
        found.append(Fact(role or label_of(element, resource.get("resourceType")), who[0]))
    return found


def _worded(element: str, values: list[Said | FhirDate]) -> list[Said | FhirDate]:
    """Codes that stand for themselves said in words, where we have them."""
    if element not in CODED_ELEMENTS:
        return values
    return [_code_words(element, value) if isinstance(value, str) else value for value in values]


def _code_words(element: str, value: str) -> Said:
    """By code or by the standard's own name for it: "problem-list-item", "Problem List Item"."""
    code = value.lower().replace(" ", "-")
    return CODE_WORDS.get(f"{element}:{code}") or CODE_WORDS.get(code) or value


def _is_absent(resource: Resource, name: str) -> bool:
    return name.startswith("_") and name[1:] not in resource and absent(resource, name[1:])


def _result_facts(resource: Resource) -> list[Fact]:
    found: list[Fact] = []
    value, limits, flag = result_said(resource), reference_range(resource), flag_of(resource)
    if value:
        found.append(Fact(label_of("value"), value))
    if limits is not None:
        found.append(Fact(label_of("referenceRange"), limits.words))
    if flag is not None:
        found.append(Fact(label_of("interpretation"), flag))
    elif said := concept_text(resource.get("interpretation")):
        found.append(Fact(label_of("interpretation"), without_tag(said)))
    for part in objects(resource.get("component")):
        name = title_of({"resourceType": "Observation", "code": part.get("code")}).plain
        found.append(Fact(name, answer_said(part) or NOT_RECORDED))
    found += _answers(resource.get("item"))
    return found


def _answers(items: Any, depth: int = 0) -> list[Fact]:
    found: list[Fact] = []
    for item in objects(items) if depth < 8 else []:
        question: Said = text(item.get("text")) or text(item.get("linkId"))
        for answer in objects(item.get("answer")):
            found.append(Fact(question, answer_said(answer) or NOT_RECORDED))
            found += _answers(answer.get("item"), depth + 1)
        found += _answers(item.get("item"), depth + 1)
    return found


def shown(value: Any, resolve: Resolve, depth: int = 0) -> list[Said | FhirDate]:
    """Any FHIR value as what a person can read; empty when there is nothing to read. Never raises."""
    if isinstance(value, list):
        inner = depth + 1 if any(isinstance(item, list) for item in value[:MOST_VALUES]) else depth
        return [said for item in value[:MOST_VALUES] for said in shown(item, resolve, inner)] if inner < 6 else []
    if isinstance(value, bool):
        return [YES if value else NO] if depth == 0 else []
    if isinstance(value, int | float):
        return [number_text(value)]
    if isinstance(value, str):
        date = read_date(value) if value[:4].isdigit() and len(value) >= 10 else None
        said = text(value)
        return [date] if date is not None and date.value is not None else [said] if said else []
    return _shown_object(value, resolve, depth) if isinstance(value, dict) else []


def _shown_object(value: dict[str, Any], resolve: Resolve, depth: int) -> list[Said | FhirDate]:
    if "coding" in value or set(value) == {"text"} or ({"system", "code"} <= set(value) and "value" not in value):
        said = without_tag(concept_text(value))
        return [said] if said else []
    if "reference" in value or set(value) <= {"display", "type", "identifier"}:
        name = _name_of_reference(value, resolve)
        return [name] if name else []
    if "value" in value and not isinstance(value["value"], dict | list):
        said = quantity_text(value) or text(value.get("value"))
        return [said] if said else []
    if "start" in value or "end" in value:
        return _period(value)
    if "family" in value or "given" in value:
        own = text(value.get("text")) or " ".join([*texts(value.get("given")), text(value.get("family"))])
        return [own.strip()] if own.strip() else []
    if "line" in value or "postalCode" in value:
        parts = [
            *texts(value.get("line")),
            text(value.get("city")),
            text(value.get("state")),
            text(value.get("postalCode")),
        ]
        return [", ".join(filter(None, parts))]
    if depth >= 3:
        return []
    own = text(value.get("text"))
    inner = [said for name, item in value.items() if name not in ("extension", "id", "text", "use", "rank")
             for said in shown(item, resolve, depth + 1)]  # fmt: skip
    return [own] if own else inner


def _period(value: dict[str, Any]) -> list[Said | FhirDate]:
    start, end = read_date(value.get("start")), read_date(value.get("end"))
    if start is not None and end is not None and start.text[:10] != end.text[:10]:
        return [phrase("%(start)s to %(end)s", start=start.text[:10], end=end.text[:10])]
    only = start or end
    return [only] if only is not None else []


def _name_of_reference(value: dict[str, Any], resolve: Resolve) -> Said:
    display = text(value.get("display"))
    if display:
        return display
    target = resolve(text(value.get("reference"))) if value.get("reference") else None
    return title_of(target).plain if target is not None else text(obj(value.get("identifier")).get("value"))
