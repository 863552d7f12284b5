"""A decision printed as codes and read back: the same row, the same leaf, and nothing that somebody else printed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st

from consent.decision import (
    CANCERLINQ,
    Answer,
    ByWhom,
    DataCategory,
    Decision,
    Means,
    SensitiveClass,
    donation_to,
)
from consent.leaf import leaf_of
from consent.paper_twin import MOST_LETTERS, base45, from_base45, read_twin, twin_codes
from consent.seal import head_keys, sign_head
from database.keyring import KeyRing
from tests.pure.consent.decisions import T0, decided
from tests.support.draws import draws
from vocabulary.actor import ActorKind
from vocabulary.errors import Invalid

RING = KeyRing.fresh()
KEYS = head_keys(RING)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
MAYBE = st.none() | st.text(st.characters(codec="utf-8"), max_size=60)
# Any row the ledger could hold.
ANY: st.SearchStrategy[Decision] = st.builds(
    Decision,
    id=st.uuids(),
    person_id=st.uuids(),
    version=st.integers(1, 10_000),
    subject=st.sampled_from([CANCERLINQ, donation_to("living-well"), donation_to("early-signs")]),
    by=st.builds(ByWhom, st.sampled_from(list(ActorKind)), st.none() | st.uuids(), MAYBE, MAYBE),
    means=st.sampled_from(list(Means)),
    text_id=MAYBE,
    text_version=st.none() | st.integers(1, 99),
    asked_at=MOMENTS,
    recorded_at=MOMENTS,
    salt=st.binary(min_size=32, max_size=32),
    categories=st.frozensets(st.sampled_from(list(DataCategory))),
    sensitive=st.frozensets(st.sampled_from(list(SensitiveClass))),
    starts_at=st.none() | MOMENTS,
    expires_at=st.none() | MOMENTS,
    confirmed_by_person=st.booleans(),
    reason=MAYBE,
    practice=MAYBE,
    idempotency_key=st.text("abc-/_", min_size=8, max_size=90),
    evidence_sealed=st.none() | st.binary(max_size=400),
)


@draws(30)
@given(ANY, st.none() | st.integers(0, 10**9), st.randoms(use_true_random=False))
def test_any_decision_comes_back_from_paper(decision: Decision, position: int | None, chance: Random) -> None:
    """P11-01, issue 3 (paper twin): scanned in any order, twice or once, it is the same row under the same leaf."""
    head = None if position is None else sign_head(RING, position + 1, b"\x07" * 32, T0)
    codes = list(twin_codes(RING, decision, position, head))
    chance.shuffle(codes)
    twin = read_twin([*codes, codes[0]], KEYS)
    assert twin.decision == decision
    assert leaf_of(twin.decision) == leaf_of(decision)
    assert (twin.position, twin.head) == (position, head.as_json() if head else None)


def test_codes_stay_small_enough_to_scan() -> None:
    """Issue 3 (paper twin): the longest row we take still prints as codes of version 18 at most, in the letters that
    the compact mode has; a plain opt-out is one code."""
    (only,) = twin_codes(RING, decided(1, evidence_sealed=None), None, None)
    longest = decided(
        2, donation_to("living-well"), Answer.YES, reason="é" * 500, evidence_sealed=bytes(range(256)) * 2
    )
    codes = twin_codes(RING, longest, 10**7, sign_head(RING, 10**7 + 1, b"\x01" * 32, T0))
    assert 2 <= len(codes) <= 4
    for code in (only, *codes):
        assert len(code) <= MOST_LETTERS + 20
        made = segno.make_qr(code, error="m", boost_error=False)
        assert (made.mode, made.error) == ("alphanumeric", "M")
        assert isinstance(made.version, int)
        assert made.version <= 18


def test_a_paper_of_somebody_else_restores_nothing() -> None:
    """Threats section 6: a code changed, missing, mixed with another paper's, or signed by another key is refused."""
    head = sign_head(RING, 9, b"\x02" * 32, T0)
    one = twin_codes(RING, decided(1, reason="x" * 400, evidence_sealed=bytes(range(200))), 8, head)
    two = twin_codes(RING, decided(2, reason="y" * 400, evidence_sealed=bytes(range(200))), 8, head)
    assert len(one) == len(two) == 2
    turned = one[1][:-6] + ("AAA" if one[1][-6:-3] != "AAA" else "BBB") + one[1][-3:]
    wrong = [one[:1], (one[0], two[1]), (*one, two[0]), (one[0], turned), ("PPT1:1/1:00000000:AB",), ("hello",), ()]
    for scanned in wrong:
        with pytest.raises(Invalid, match="paper-"):
            read_twin(scanned, KEYS)
    with pytest.raises(Invalid, match="paper-unreadable"):
        read_twin(one, head_keys(KeyRing([])))
    others = {key: bytes(32) for key in KEYS} | dict.fromkeys(KEYS, next(iter(head_keys(KeyRing.fresh()).values())))
    with pytest.raises(Invalid, match="paper-not-signed-by-us"):
        read_twin(one, others)


def test_a_rotated_key_still_reads_old_papers() -> None:
    """Decisions (keys): retired head-signing keys are still accepted."""
    codes = twin_codes(RING, decided(1), None, None)
    assert read_twin(codes, head_keys(RING.rotated("head-signing"))).decision.version == 1


@given(st.binary(max_size=200))
def test_base45(value: bytes) -> None:
    """RFC 9285 section 4.3 and 4.4: the examples, and every value comes back."""
    assert base45(b"AB") == "BB8"
    assert base45(b"Hello!!") == "%69 VD92EX0"
    assert base45(b"base-45") == "UJCLQE7W581"
    assert from_base45("QED8WEX0") == b"ietf!"
    assert from_base45(base45(value)) == value
    for bad in ("GGW", "A"):
        with pytest.raises(Invalid):
            from_base45(bad)


def test_it_is_the_same_paper_every_day() -> None:
    """P11-01: printed again it is the same, and a later version is another."""
    first = decided(1)
    assert twin_codes(RING, first, None, None) == twin_codes(RING, first, None, None)
    assert twin_codes(RING, first, None, None) != twin_codes(RING, replace(first, version=2), None, None)
