"""What of a record leaves for one effort, and what stays and why: asked by the preview and by the delivery. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from consent.decision import DataCategory, SensitiveClass
from consent.efforts import Holds
from fhir_bridge.reading.standing import is_mistake
from research.categories import category_of
from research.deidentify.clean import local_key
from research.deidentify.delivery import Source, deidentify_of, may_be_over_89
from research.sensitive import NOT_SENSITIVE, Key, Sensitivity, sensitivity_of, spread
from vocabulary.resource import Resource


class Stays(StrEnum):
    """Why an entry stays; the page turns it into a sentence."""

    NOT_CHOSEN = "part-not-chosen"
    SENSITIVE = "sensitive-kind-is-off"
    NEVER = "never-shared"
    MISTAKE = "marked-as-a-mistake"
    NOTHING_LEFT = "nothing-left-without-names"


@dataclass(frozen=True)
class Chosen:
    """What a yes lets through, and whether names may go along."""

    categories: frozenset[DataCategory]
    sensitive: frozenset[SensitiveClass]
    holds: Holds


@dataclass(frozen=True)
class Leaving:
    """One entry's fate: the `line` that leaves, or why it `stays`."""

    source: Source
    resource: Resource
    category: DataCategory | None
    line: bytes | None
    stays: Stays | None


def select(entries: Sequence[Source], chosen: Chosen, seed: bytes, this_year: int) -> list[Leaving]:
    """Every entry's fate, in the order given. `seed`: random bytes of the delivery; see `deidentify`."""
    resources = [_read(one.raw) for one in entries]
    sensitive = sensitivities(
        ((one.source, one.type, one.id), resource) for one, resource in zip(entries, resources, strict=True)
    )
    fates = [
        _stays(resource, chosen, sensitive[(one.source, one.type, one.id)])
        for one, resource in zip(entries, resources, strict=True)
    ]
    going = [one for one, stays in zip(entries, fates, strict=True) if stays is None]
    if chosen.holds is Holds.DE_IDENTIFIED:
        old = may_be_over_89([one.raw for one in entries if one.type == "Patient"], this_year)
        lines = iter(deidentify_of(going, seed, this_year, is_over_89=old))
    else:
        named = DataCategory.GENERAL in chosen.categories
        lines = iter([identifiable_line(one.raw, named=named) for one in going])
    made = []
    for one, resource, stays in zip(entries, resources, fates, strict=True):
        line = next(lines) if stays is None else None
        nothing = Stays.NOTHING_LEFT if stays is None and line is None else stays
        made.append(Leaving(one, resource, category_of(resource), line, nothing))
    return made


def lines_of(fates: Sequence[Leaving], holds: Holds) -> list[bytes]:
    """The lines to send. De-identified lines go in the order of their random text, so that order tells nothing."""
    lines = [fate.line for fate in fates if fate.line is not None]
    return sorted(lines, key=lambda line: hashlib.sha256(line).digest()) if holds is Holds.DE_IDENTIFIED else lines


def _stays(resource: Resource, chosen: Chosen, sensitivity: Sensitivity) -> Stays | None:
    category = category_of(resource)
    if category is None:
        return Stays.NEVER
    if is_mistake(resource):
        return Stays.MISTAKE
    if category not in chosen.categories:
        return Stays.NOT_CHOSEN
    return None if sensitivity.may_leave(chosen.sensitive) else Stays.SENSITIVE


def sensitivities(entries: Iterable[tuple[Key, Resource]]) -> dict[Key, Sensitivity]:
    """What each entry of a record tells of, by what stands in it and by what it refers to; they pass by once."""
    found: dict[Key, Sensitivity] = {}
    references: dict[Key, list[Key]] = {}
    for key, resource in entries:
        own = sensitivity_of(resource)
        before = found.get(key, NOT_SENSITIVE)
        found[key] = Sensitivity(before.classes | own.classes, before.restricted or own.restricted)
        references.setdefault(key, []).extend((key[0], *target) for target in _references(resource))
    return spread(found, references)


def _references(node: Any) -> Iterator[tuple[str, str]]:
    stack = [node]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            reference = each.get("reference")
            key = local_key(reference) if isinstance(reference, str) else None
            if key is not None:
                yield key
            stack.extend(each.values())
        elif isinstance(each, list):
            stack.extend(each)


_ATTACHED = ("photo", "presentedForm")


def identifiable_line(raw: bytes, *, named: bool) -> bytes:
    """The resource as received, on one line. Attached files and pictures stay, for no list can tell what is in them;
    without the general part, names and narrative stay too."""
    resource = _read(raw)
    if named and not any(name in resource for name in _ATTACHED):
        return raw.replace(b"\n", b" ").replace(b"\r", b" ")
    kept = {name: value for name, value in resource.items() if name not in _ATTACHED}
    return orjson.dumps(kept if named else _without_names(kept))


def _without_names(resource: Resource) -> Resource:
    kept = {name: value for name, value in resource.items() if name not in ("text", "contained")}
    stripped = _nameless(kept)
    assert isinstance(stripped, dict)
    return stripped


def _nameless(node: Any) -> Any:
    if isinstance(node, list):
        return [_nameless(one) for one in node]
    if not isinstance(node, dict):
        return node
    drop = ("display", "identifier") if "reference" in node else ()
    return {name: _nameless(value) for name, value in node.items() if name not in drop}


def _read(raw: bytes) -> Resource:
    try:
        read = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return read if isinstance(read, dict) else {}
