"""A use of data that a pipeline states in DUO's terms, held against what an effort told people about itself. Pure.

Whoever said yes to an effort said yes to what it stated (`stated.py`), and to nothing wider. What it stated is
therefore read as terms, as if a donor had written them. A use that fits them is as narrow as the statement in every
term, so it fits whatever kinds of research people left open to the effort (ADR 0012): no sealed choice has to be
opened. What a pipeline leaves out counts against it (DUO-03).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from consent.duo.match import Aim, Request, Terms, match
from consent.duo.stated import stated
from consent.duo.terms import Code, diseases
from vocabulary.errors import Invalid

AIMS: Mapping[Code, Aim] = {
    Code.DS: Aim.DISEASE,
    Code.HMB: Aim.HEALTH,
    Code.POA: Aim.ANCESTRY,
    Code.GRU: Aim.OTHER,
    Code.NRES: Aim.OTHER,
    Code.CC: Aim.CARE,
}
_NAMED = frozenset({Code.US, Code.PS, Code.IS, Code.RS})
_VALUED = _NAMED | {Code.GS, Code.MOR}
MODIFIERS = _VALUED | {
    Code.NPUNCU, Code.NPU, Code.NCU, Code.PUB, Code.COL, Code.IRB, Code.RTN, Code.GSO, Code.NMDS, Code.NPOA,
}  # fmt: skip
"""What can be said of a use. TS and CC are a giver's words: a limit in time, and leave for care."""
_ANY_DAY = date.min  # only TS looks at the day, and no effort states one
LONGEST_VALUE = 200


@dataclass(frozen=True)
class Use:
    """What the data is for: `purpose` one of AIMS, the disease (MONDO) that DS needs, and what limits the use.

    `limits` holds MODIFIERS, each with its value ("" where it needs none): GS a country (ISO 3166-1 alpha-2), MOR the
    first day of publication, US, PS, IS and RS a name.
    """

    purpose: Code
    disease: str | None = None
    limits: frozenset[tuple[Code, str]] = frozenset()


def is_duo(word: str) -> bool:
    """Whether a purpose is in DUO's terms: an identifier, or a shorthand that can be one."""
    return word.startswith("DUO:") or word in {code.name for code in AIMS}


def use_of(purpose: str, disease: str = "", modifiers: Sequence[str] = ()) -> Use:
    """The use in these words: `DUO:0000007` (or `DS`), `MONDO:0004992`, `DUO:0000046`, `GS=US`. Invalid says what is
    wrong."""
    code = _code(purpose)
    if code is None or code not in AIMS:
        raise Invalid("unknown-purpose", {"purpose": purpose})
    if (code is Code.DS) != bool(disease):
        raise Invalid("disease-and-purpose", {"purpose": purpose})
    if disease and disease not in diseases():
        raise Invalid("unknown-disease", {"disease": disease})
    return Use(code, disease or None, frozenset(_limit(word) for word in modifiers))


def blocked_by(effort_id: str, use: Use) -> tuple[Code, ...]:
    """Every term of what the effort stated that says no to this use; empty when the use is within it."""
    said = stated(effort_id, _ANY_DAY)
    asked = request_of(use)
    if said.aim is Aim.OTHER or (said.aim is Aim.METHODS and asked.aim is not Aim.METHODS):
        return (use.purpose,)
    return match(terms_stated(said), asked).blocked_by


def terms_stated(said: Request) -> Terms:
    """What a yes to an effort allows: its own statement, each part a term."""
    permission = {Aim.DISEASE: Code.DS, Aim.HEALTH: Code.HMB, Aim.ANCESTRY: Code.POA, Aim.METHODS: Code.HMB}
    holds = {
        Code.NMDS: said.aim is not Aim.METHODS,
        Code.NPOA: said.aim is not Aim.ANCESTRY,
        Code.CC: said.aim is Aim.CARE,
        Code.GSO: said.genetic,
        Code.NPU: not said.for_profit_organization,
        Code.NCU: not said.commercial_use,
        Code.PUB: said.publishes,
        Code.COL: said.collaborates,
        Code.IRB: said.ethics_approval,
        Code.RTN: said.returns_results,
        Code.GS: said.country is not None,
        Code.MOR: True,
        **{code: code in (said.who or {}) for code in _NAMED},
    }
    return Terms(
        permission.get(said.aim, Code.DS),  # DS of no disease: nothing, but care where it is stated
        frozenset(code for code, stands in holds.items() if stands),
        diseases=frozenset({said.disease} if said.disease and said.aim is Aim.DISEASE else ()),
        countries=frozenset({said.country} if said.country else ()),
        not_before=(said.publishes_from or date.min) if said.publishes else date.max,
        named={code: frozenset({name}) for code, name in (said.who or {}).items()},
    )


def request_of(use: Use) -> Request:
    """The use as a request: whatever it does not state counts against it."""
    said = dict(use.limits)
    return Request(
        AIMS[use.purpose],
        _ANY_DAY,
        disease=use.disease,
        genetic=Code.GSO in said,
        for_profit_organization=said.keys().isdisjoint({Code.NPU, Code.NPUNCU}),
        commercial_use=said.keys().isdisjoint({Code.NCU, Code.NPUNCU}),
        publishes=Code.PUB in said,
        publishes_from=date.fromisoformat(said[Code.MOR]) if Code.MOR in said else None,
        collaborates=Code.COL in said,
        returns_results=Code.RTN in said,
        ethics_approval=Code.IRB in said,
        country=said.get(Code.GS),
        who={code: said[code] for code in _NAMED & said.keys()},
    )


def _limit(word: str) -> tuple[Code, str]:
    name, equals, value = word.partition("=")
    code = _code(name)
    if code is None or code not in MODIFIERS:
        raise Invalid("unknown-modifier", {"modifier": name})
    if bool(value) != (code in _VALUED) or bool(equals) != bool(value) or len(value) > LONGEST_VALUE:
        raise Invalid("modifier-value", {"modifier": name})
    if code is Code.MOR:
        try:
            date.fromisoformat(value)
        except ValueError:
            raise Invalid("modifier-value", {"modifier": name}) from None
    return code, value


def _code(word: str) -> Code | None:
    """A term by its identifier or its shorthand."""
    return next((code for code in Code if word in (code.value, code.name)), None)
