"""A use stated in DUO's terms, held against what an effort told people of itself."""

from __future__ import annotations

from datetime import date
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.duo.match import Aim, Request, Terms, match
from consent.duo.terms import CANCER, PERMISSIONS, Code
from consent.duo.use import MODIFIERS, blocked_by, request_of, terms_stated, use_of
from tests.support.draws import draws
from vocabulary.errors import Invalid

NEVER, LUNG, NON_SMALL, BREAST = date.min, "MONDO:0008903", "MONDO:0005233", "MONDO:0007254"
WHOLE = ("NPU", "NCU", "PUB", "IRB", "GS=US")

PARTS = {
    "aim": tuple(Aim),
    "disease": (None, CANCER, LUNG, NON_SMALL, BREAST),
    "publishes_from": (None, date(2026, 1, 1), date(2027, 1, 1)),
    "country": (None, "US", "CA"),
    "who": ({}, {Code.US: "x"}, {Code.US: "y", Code.IS: "x"}),
    **dict.fromkeys(
        ("genetic", "for_profit_organization", "commercial_use", "publishes", "collaborates", "returns_results",
         "ethics_approval"), (False, True)
    ),
}  # fmt: skip
DONORS = [
    Terms(
        permission,
        frozenset({modifier}),
        diseases=frozenset({disease}),
        countries=frozenset({"US"}),
        until=date(2030, 1, 1),
        not_before=date(2026, 6, 1),
        named={Code.US: frozenset({"x"}), Code.IS: frozenset({"x"})},
    )
    for permission in sorted(PERMISSIONS)
    for modifier in sorted(set(Code) - PERMISSIONS)
    for disease in (CANCER, LUNG)
]


@pytest.mark.parametrize("whole", [True, False])
def test_within_the_statement_is_within_every_choice(whole: bool) -> None:
    """DUO-02, DUO-03: whoever's terms the statement fits, theirs a use within the statement fits too."""
    base: dict[str, Any] = {name: values[-1 if whole else 0] for name, values in PARTS.items()}
    base |= {"aim": Aim.DISEASE, "disease": CANCER}
    within = 0
    for part, values in PARTS.items():
        for stated, used in product(values, values):
            said, use = (Request(on=NEVER, **{**base, part: value}) for value in (stated, used))
            if said.aim is Aim.METHODS or not match(terms_stated(said), use).fits:
                continue
            fits = [donor for donor in DONORS if match(donor, said).fits]
            within += len(fits)
            assert [donor for donor in fits if not match(donor, use).fits] == [], (part, stated, used)
    assert within > 500


def test_each_part_left_out_or_widened_is_refused() -> None:
    """DUO-02, DUO-03: a kind of the stated disease fits; every term left out blocks by its own name."""
    for disease in (CANCER, LUNG, NON_SMALL):
        assert blocked_by("living-well", use_of("DS", disease, WHOLE)) == ()
    assert blocked_by("living-well", use_of("DUO:0000007", CANCER, ("NPUNCU", *WHOLE[2:]))) == ()
    for left_out in WHOLE:
        rest = [word for word in WHOLE if word != left_out]
        assert blocked_by("living-well", use_of("DS", CANCER, rest)) == (Code[left_out.partition("=")[0]],)
    assert blocked_by("living-well", use_of("DS", CANCER, (*WHOLE[:4], "GS=CA"))) == (Code.GS,)
    assert blocked_by("early-signs", use_of("DS", CANCER, ("NPU", "PUB", "IRB", "GS=US"))) == ()
    for wider in ("HMB", "GRU", "NRES", "CC"):
        assert Code.DS in blocked_by("living-well", use_of(wider, "", WHOLE))
    assert blocked_by("living-well", use_of("POA", "", WHOLE)) == (Code.DS, Code.NPOA)
    assert blocked_by("unknown", use_of("DS", CANCER, WHOLE)) == (Code.DS,)
    assert blocked_by("unknown", use_of("GRU", "", WHOLE)) == (Code.GRU,)


def test_what_is_not_a_use() -> None:
    """CON-10: an unknown word, a value that is missing or too much, a disease where none goes."""
    for words in (
        ("DUO:0000046", "", ()), ("DUO:9999999", "", ()), ("DS", "", ()), ("HMB", CANCER, ()), ("DS", "MONDO:0", ()),
        ("HMB", "", ("GS",)), ("HMB", "", ("NPU=x",)), ("HMB", "", ("NPU=",)), ("HMB", "", ("MOR=soon",)),
        ("HMB", "", ("TS=2027-01-01",)), ("HMB", "", ("CC",)), ("HMB", "", ("",)), ("HMB", "", ("US=" + "x" * 201,)),
    ):  # fmt: skip
        with pytest.raises(Invalid):
            use_of(*words)


@given(st.frozensets(st.sampled_from(sorted(MODIFIERS))))
@draws(100)
def test_every_limit_said_only_opens(said: frozenset[Code]) -> None:
    """DUO-03: stating more of a use never blocks what stating less had left open."""
    values = {Code.GS: "=US", Code.MOR: "=2030-01-01", **dict.fromkeys((Code.US, Code.PS, Code.IS, Code.RS), "=x")}
    limits = [code.value + values.get(code, "") for code in said]
    more = blocked_by("living-well", use_of("DS", LUNG, [*limits, *WHOLE]))
    assert more == ()
    assert request_of(use_of("DS", LUNG, limits)).for_profit_organization is not bool(said & {Code.NPU, Code.NPUNCU})
