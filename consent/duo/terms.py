"""The terms themselves: codes, shorthands, labels, and which disease is a kind of which (DUO-01)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent


class Code(StrEnum):
    """Each DUO term by its shorthand; the value is its identifier."""

    NRES = "DUO:0000004"
    GRU = "DUO:0000042"
    HMB = "DUO:0000006"
    DS = "DUO:0000007"
    POA = "DUO:0000011"
    RS = "DUO:0000012"
    NMDS = "DUO:0000015"
    GSO = "DUO:0000016"
    NPUNCU = "DUO:0000018"
    PUB = "DUO:0000019"
    COL = "DUO:0000020"
    IRB = "DUO:0000021"
    GS = "DUO:0000022"
    MOR = "DUO:0000024"
    TS = "DUO:0000025"
    US = "DUO:0000026"
    PS = "DUO:0000027"
    IS = "DUO:0000028"
    RTN = "DUO:0000029"
    CC = "DUO:0000043"
    NPOA = "DUO:0000044"
    NPU = "DUO:0000045"
    NCU = "DUO:0000046"


PERMISSIONS = frozenset({Code.NRES, Code.GRU, Code.HMB, Code.DS, Code.POA})
CANCER = "MONDO:0004992"


@dataclass(frozen=True)
class Term:
    """One term: `parent` is None at the top of what this service keeps."""

    code: str
    shorthand: str
    label: str
    parent: str | None


@cache
def terms() -> Mapping[Code, Term]:
    """Every DUO term with its label, as the ontology has it."""
    groups = _read("terms.toml")
    rows = {code: row for group in groups.values() for code, row in group.items()}
    return {Code(code): Term(code, row[0], row[1], row[2] or None) for code, row in rows.items()}


@cache
def diseases() -> Mapping[str, Term]:
    """Every disease of the extract by its MONDO identifier."""
    return {code: Term(code, "", row[0], row[1] or None) for code, row in _read("diseases.toml")["disease"].items()}


def is_kind_of(disease: str, of: str) -> bool:
    """Whether `disease` is `of` or one of its descendants; False for what is not known (DUO-02)."""
    known = diseases()
    if of not in known:
        return False
    at: str | None = disease
    while at is not None and at in known:
        if at == of:
            return True
        at = known[at].parent
    return False


def _read(name: str) -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((_FOLDER / name).read_text(encoding="utf-8"))
