"""Ways to spoil one entry: everywhere in its tree, by type, by size, by name, by what text may hold."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**30, 1e308, "", " ", {}, [], [[]], [None], {"": ""}, "\u202eabc", "\x00", "é" * 3000,
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "=HYPERLINK(1)", "../../etc/passwd", "9999-99-99",
    "2024-02-30T25:61:61Z", "0000", "-5", "Patient/p1", "#nothing", "http://[::1", "NaN", {"value": {"value": {}}},
    {"coding": [{"code": 5, "system": []}], "text": {}}, {"reference": 7}, {"start": "x", "end": []},
)  # fmt: skip
RENAMED = (
    "resourcetype",
    "Id",
    "status ",
    "code[x]",
    "__proto__",
    "extension",
    "modifierExtension",
    "contained",
    "text",
)


def spoiled(resource: dict[str, Any], random: Random) -> dict[str, Any]:
    """A copy of the entry with one to three things changed."""
    made = copy.deepcopy(resource)
    for _ in range(random.randint(1, 3)):
        random.choice((_replace, _drop, _repeat, _wrap, _rename, _deepen, _graft))(made, random)
    return made


def _place(resource: dict[str, Any], random: Random) -> tuple[Any, Any]:
    """A container in the tree and a key or index of it; deeper places are as likely as near ones."""
    places = list(_places(resource))
    return random.choice(places) if places else (resource, "resourceType")


def _places(node: Any) -> list[tuple[Any, Any]]:
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [found for key in keys for found in ((node, key), *_places(node[key]))]


def _replace(resource: dict[str, Any], random: Random) -> None:
    node, key = _place(resource, random)
    node[key] = copy.deepcopy(random.choice(HOSTILE))


def _drop(resource: dict[str, Any], random: Random) -> None:
    node, key = _place(resource, random)
    node.pop(key, None) if isinstance(node, dict) else node.pop(key)


def _repeat(resource: dict[str, Any], random: Random) -> None:
    node, key = _place(resource, random)
    held = node.get(key) if isinstance(node, dict) else node[key]
    node[key] = [copy.deepcopy(held) for _ in range(2 if isinstance(held, dict | list) else 40)]


def _wrap(resource: dict[str, Any], random: Random) -> None:
    node, key = _place(resource, random)
    held = node.get(key) if isinstance(node, dict) else node[key]
    node[key] = [held] if random.random() < 0.5 else {"value": held}


def _rename(resource: dict[str, Any], random: Random) -> None:
    node, key = _place(resource, random)
    if isinstance(node, dict) and key in node:
        node[random.choice(RENAMED)] = node.pop(key)


def _deepen(resource: dict[str, Any], random: Random) -> None:
    node, key = _place(resource, random)
    held = node.get(key) if isinstance(node, dict) else node[key]
    for _ in range(random.choice((5, 60, 110))):
        held = {"extension": [held]}
    node[key] = held


def _graft(resource: dict[str, Any], random: Random) -> None:
    """A piece of the entry where another piece belongs."""
    (node, key), (other, place) = _place(resource, random), _place(resource, random)
    piece = other.get(place) if isinstance(other, dict) else other[place]
    node[key] = copy.deepcopy(piece)
