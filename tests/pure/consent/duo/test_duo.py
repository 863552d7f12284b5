"""The Data Use Ontology: our terms are its terms, and each code says no to what it should."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.duo.match import Aim, Request, Terms, match
from consent.duo.plain_choices import SAYS, Limit, PlainChoice, Scope, terms_of
from consent.duo.terms import CANCER, PERMISSIONS, Code, diseases, is_kind_of, terms
from tests.support.testdata import testdata

DAY = date(2026, 11, 22)
LUNG, NON_SMALL, MELANOMA, BREAST = "MONDO:0008903", "MONDO:0005233", "MONDO:0005105", "MONDO:0007254"
# A request that fits every modifier; each test spoils one thing.
GOOD = Request(
    aim=Aim.DISEASE,
    on=DAY,
    disease=LUNG,
    genetic=True,
    for_profit_organization=False,
    commercial_use=False,
    publishes=True,
    publishes_from=date(2030, 1, 1),
    collaborates=True,
    returns_results=True,
    ethics_approval=True,
    country="US",
    who={Code.US: "dr-a", Code.PS: "project-1", Code.IS: "riverside", Code.RS: "pediatric"},
)
GRU = Terms(
    Code.GRU,
    countries=frozenset({"US"}),
    until=date(2027, 1, 1),
    not_before=date(2029, 1, 1),
    named={
        Code.US: frozenset({"dr-a"}),
        Code.PS: frozenset({"project-1"}),
        Code.IS: frozenset({"riverside"}),
        Code.RS: frozenset({"pediatric"}),
    },
)


def test_our_terms_are_the_ontologys() -> None:
    """DUO-01: every code, shorthand and label of the ontology's own list, and no other."""
    with testdata("duo/duo.csv").open(encoding="utf-8", newline="") as file:
        theirs = {row["id"]: (row["shorthand"], row["label"]) for row in csv.DictReader(file) if row["shorthand"]}
    assert {code.value: (term.shorthand, term.label) for code, term in terms().items()} == theirs
    assert all(code.name == term.shorthand for code, term in terms().items())
    assert set(terms()) == set(Code)


def test_the_trees_hold_together() -> None:
    """DUO-01, DUO-02: every parent is there, every disease is a cancer, no circle."""
    assert {term.parent for term in diseases().values()} - {None} <= set(diseases())
    assert all(is_kind_of(code, CANCER) for code in diseases())
    owl = testdata("duo/duo-basic.owl").read_text(encoding="utf-8")
    for code, term in terms().items():
        if term.parent:
            about = owl.split(f'owl:Class rdf:about="http://purl.obolibrary.org/obo/{code.value.replace(":", "_")}"')[1]
            assert (
                f'subClassOf rdf:resource="http://purl.obolibrary.org/obo/{term.parent.replace(":", "_")}"'
                in about[:400]
            )


@pytest.mark.parametrize(
    ("permission", "aims"),
    [
        (Code.NRES, {*Aim}),
        (Code.GRU, {Aim.DISEASE, Aim.HEALTH, Aim.ANCESTRY, Aim.METHODS, Aim.OTHER}),
        (Code.HMB, {Aim.DISEASE, Aim.HEALTH, Aim.METHODS}),
        (Code.DS, {Aim.DISEASE}),
        (Code.POA, {Aim.ANCESTRY}),
    ],
)
def test_permissions(permission: Code, aims: set[Aim]) -> None:
    """DUO-02: HMB excludes ancestry-only use; DS is for its disease alone; POA for ancestry alone."""
    allowed = Terms(permission, diseases=frozenset({LUNG}))
    assert {aim for aim in Aim if match(allowed, replace(GOOD, aim=aim)).fits} == aims


def test_descendants() -> None:
    """DUO-02: the purpose must be the donor's disease or a kind of it, never something wider or beside it."""
    pool = {
        "lung": Terms(Code.DS, diseases=frozenset({LUNG})),
        "cancer": Terms(Code.DS, diseases=frozenset({CANCER})),
        "health": Terms(Code.HMB),
        "research": Terms(Code.GRU),
        "ancestry": Terms(Code.POA),
        "nothing": Terms(Code.DS),
    }

    def donors(disease: str | None) -> set[str]:
        return {name for name, allowed in pool.items() if match(allowed, replace(GOOD, disease=disease)).fits}

    assert donors(CANCER) == {"cancer", "health", "research"}
    assert donors(MELANOMA) == {"cancer", "health", "research"}
    assert donors(NON_SMALL) == {"lung", "cancer", "health", "research"}
    assert donors("MONDO:9999999") == donors(None) == {"health", "research"}


MODIFIERS: list[tuple[Code, dict[str, Any]]] = [
    (Code.NMDS, {"aim": Aim.METHODS}),
    (Code.GSO, {"genetic": False}),
    (Code.NPUNCU, {"for_profit_organization": True}),
    (Code.NPUNCU, {"commercial_use": True}),
    (Code.NPU, {"for_profit_organization": True}),
    (Code.NCU, {"commercial_use": True}),
    (Code.PUB, {"publishes": False}),
    (Code.COL, {"collaborates": False}),
    (Code.IRB, {"ethics_approval": False}),
    (Code.GS, {"country": "FR"}),
    (Code.GS, {"country": None}),
    (Code.MOR, {"publishes_from": date(2028, 12, 31)}),
    (Code.MOR, {"publishes_from": None}),
    (Code.TS, {"on": date(2027, 1, 1)}),
    (Code.RTN, {"returns_results": False}),
    (Code.NPOA, {"aim": Aim.ANCESTRY}),
    *((code, {"who": {code: "other"}}) for code in (Code.US, Code.PS, Code.IS, Code.RS)),
    *((code, {"who": None}) for code in (Code.US, Code.PS, Code.IS, Code.RS)),
]


@pytest.mark.parametrize(("code", "spoiled"), MODIFIERS, ids=lambda value: getattr(value, "name", None))
def test_each_modifier(code: Code, spoiled: dict[str, Any]) -> None:
    """DUO-03: with the code and all it needs, yes; one thing missing, no, and it says which code."""
    allowed = replace(GRU, modifiers=frozenset({code}))
    assert match(allowed, GOOD).fits
    assert match(allowed, replace(GOOD, **spoiled)).blocked_by == (code,)
    assert match(GRU, replace(GOOD, **spoiled)).fits


def test_every_modifier_is_in_the_table() -> None:
    """DUO-03: a code that no test spoils would be a code that no one checks; CC alone widens."""
    assert {code for code, _ in MODIFIERS} == set(Code) - PERMISSIONS - {Code.CC}
    care = replace(GOOD, aim=Aim.CARE)
    assert not match(GRU, care).fits
    assert match(replace(GRU, modifiers=frozenset({Code.CC})), care).fits


def test_organization_and_use_differ() -> None:
    """DUO-03: NPU looks at who asks, NCU at what for."""
    company_free_use = replace(GOOD, for_profit_organization=True)
    charity_for_sale = replace(GOOD, commercial_use=True)
    npu, ncu = (replace(GRU, modifiers=frozenset({code})) for code in (Code.NPU, Code.NCU))
    assert [match(npu, company_free_use).fits, match(npu, charity_for_sale).fits] == [False, True]
    assert [match(ncu, company_free_use).fits, match(ncu, charity_for_sale).fits] == [True, False]


def test_what_a_code_needs_and_lacks_blocks() -> None:
    """CON-10: a limit without its date, country or name allows nobody; an unknown permission neither."""
    bare = Terms(Code.GRU)
    for code in (Code.TS, Code.MOR, Code.GS, Code.US, Code.PS, Code.IS, Code.RS):
        assert match(replace(bare, modifiers=frozenset({code})), GOOD).blocked_by == (code,)
    assert match(Terms(Code.NMDS), GOOD).blocked_by == (Code.NMDS,)
    assert match(replace(bare, modifiers=frozenset({Code.GRU})), GOOD).blocked_by == (Code.GRU,)


@given(st.sets(st.sampled_from(sorted(set(Code) - PERMISSIONS - {Code.CC}))), st.sampled_from(list(Aim)))
def test_a_limit_never_widens(modifiers: set[Code], aim: Aim) -> None:
    """CON-10: adding a limit never allows more."""
    request = replace(GOOD, aim=aim)
    for fewer in (modifiers - {code} for code in modifiers):
        if match(replace(GRU, modifiers=frozenset(modifiers)), request).fits:
            assert match(replace(GRU, modifiers=frozenset(fewer)), request).fits


def test_plain_words() -> None:
    """DUO-04: "any health research", "only my kind of cancer", "no companies", and which efforts follow."""
    efforts = {
        "lung": GOOD,
        "lung-company": replace(GOOD, for_profit_organization=True, commercial_use=True),
        "breast": replace(GOOD, disease=BREAST),
        "all-cancers": replace(GOOD, disease=CANCER),
        "ancestry": replace(GOOD, aim=Aim.ANCESTRY),
        "heart": replace(GOOD, aim=Aim.HEALTH, disease=None, country="FR", ethics_approval=False),
    }

    def follow(scope: Scope, *limits: Limit) -> set[str]:
        choice = PlainChoice(scope, frozenset(limits), frozenset({LUNG}), "US")
        return {name for name, asked in efforts.items() if match(terms_of(choice), asked).fits}

    everything = set(efforts) - {"ancestry"}
    assert follow(Scope.ANY_HEALTH) == everything
    assert follow(Scope.ANY_HEALTH, Limit.NO_ANCESTRY) == everything
    assert follow(Scope.ANY_CANCER) == everything - {"heart"}
    assert follow(Scope.MY_CANCER) == {"lung", "lung-company"}
    assert follow(Scope.MY_CANCER, Limit.NO_COMPANIES) == {"lung"}
    assert follow(Scope.ANY_HEALTH, Limit.ETHICS_REVIEW) == follow(Scope.ANY_HEALTH, Limit.MY_COUNTRY)
    assert not match(terms_of(PlainChoice(Scope.MY_CANCER)), GOOD).fits
    assert set(SAYS) == {*Scope, *Limit}
