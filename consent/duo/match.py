"""Does a request fit what a donor allows, in DUO's terms? Pure, and no when in doubt (DUO-02, DUO-03, CON-10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from consent.duo.terms import PERMISSIONS, Code, is_kind_of


class Aim(StrEnum):
    """What a study is about; the first that fits."""

    DISEASE = "disease"
    HEALTH = "health"
    ANCESTRY = "ancestry"
    METHODS = "methods"
    CARE = "care"
    OTHER = "other"


@dataclass(frozen=True)
class Terms:
    """What a donor allows: exactly one permission, and modifiers with what they need.

    `diseases` for DS; `countries` (ISO 3166-1 alpha-2) for GS; `until` for TS (the day after the last); `not_before`
    for MOR; `named` for US, PS, IS and RS: the approved users, projects, institutions and kinds of research.
    """

    permission: Code
    modifiers: frozenset[Code] = frozenset()
    diseases: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    until: date | None = None
    not_before: date | None = None
    named: Mapping[Code, frozenset[str]] | None = None


@dataclass(frozen=True)
class Request:
    """What a requester states. Anything not stated counts against them."""

    aim: Aim
    on: date
    disease: str | None = None
    genetic: bool = False
    for_profit_organization: bool = True
    commercial_use: bool = True
    publishes: bool = False
    publishes_from: date | None = None
    collaborates: bool = False
    returns_results: bool = False
    ethics_approval: bool = False
    country: str | None = None
    who: Mapping[Code, str] | None = None


@dataclass(frozen=True)
class Match:
    """`blocked_by`: every term that says no, in the ontology's order of codes; empty when it fits."""

    blocked_by: tuple[Code, ...]

    @property
    def fits(self) -> bool:
        return not self.blocked_by


def match(terms: Terms, request: Request) -> Match:
    """Whether a request fits the donor's terms, and which of them block it."""
    blocked = {terms.permission} if not _permits(terms, request) else set()
    for modifier in terms.modifiers:
        allows = _MODIFIERS.get(modifier)
        if allows is None or not allows(terms, request):
            blocked.add(modifier)
    return Match(tuple(sorted(blocked)))


def _permits(terms: Terms, request: Request) -> bool:
    """The permission: GRU above HMB above DS; POA is for ancestry alone."""
    care = request.aim is Aim.CARE
    if terms.permission not in PERMISSIONS:
        return False
    if care:
        return Code.CC in terms.modifiers or terms.permission is Code.NRES
    if terms.permission is Code.NRES:
        return True
    if request.aim is Aim.ANCESTRY:
        return terms.permission in (Code.GRU, Code.POA)
    if terms.permission is Code.GRU:
        return True
    if terms.permission is Code.HMB:
        return request.aim in (Aim.DISEASE, Aim.HEALTH, Aim.METHODS)
    if terms.permission is Code.DS:
        about = request.disease
        return request.aim is Aim.DISEASE and about is not None and any(is_kind_of(about, d) for d in terms.diseases)
    return False


def _named(code: Code) -> Callable[[Terms, Request], bool]:
    """US, PS, IS and RS: the requester is, or does, one of those the donor named."""

    def allows(terms: Terms, request: Request) -> bool:
        return (request.who or {}).get(code, "") in (terms.named or {}).get(code, frozenset())

    return allows


_MODIFIERS: Mapping[Code, Callable[[Terms, Request], bool]] = {
    Code.NMDS: lambda _, request: request.aim is not Aim.METHODS,
    Code.GSO: lambda _, request: request.genetic,
    Code.NPUNCU: lambda _, request: not request.for_profit_organization and not request.commercial_use,
    Code.NPU: lambda _, request: not request.for_profit_organization,
    Code.NCU: lambda _, request: not request.commercial_use,
    Code.PUB: lambda _, request: request.publishes,
    Code.COL: lambda _, request: request.collaborates,
    Code.IRB: lambda _, request: request.ethics_approval,
    Code.GS: lambda terms, request: request.country in terms.countries,
    Code.MOR: lambda terms, request: (
        terms.not_before is not None
        and (not request.publishes or (request.publishes_from or date.min) >= terms.not_before)
    ),
    Code.TS: lambda terms, request: terms.until is not None and request.on < terms.until,
    Code.RTN: lambda _, request: request.returns_results,
    Code.CC: lambda _terms, _request: True,  # widens: care is allowed too
    Code.NPOA: lambda _, request: request.aim is not Aim.ANCESTRY,
    **{code: _named(code) for code in (Code.US, Code.PS, Code.IS, Code.RS)},
}
