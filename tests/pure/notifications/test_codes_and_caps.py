"""Codes that prove a number, ceilings on texts, and the proof of an opt-in."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.caps import next_under_caps, window_start
from notifications.codes import LIFETIME, TRIES, HeldCode, as_typed, judge, new_code
from notifications.opt_in import OptInProof, check_opt_in, opt_in_text
from vocabulary.errors import Invalid

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def hashed(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()


@given(st.binary(min_size=16, max_size=64))
def test_code_is_six_digits(entropy: bytes) -> None:
    """SMS-13: six digits, leading zeros kept."""
    code = new_code(entropy)
    assert as_typed(code) == code
    assert len(code) == 6


def test_code_needs_entropy() -> None:
    """SMS-13: a code is never made from little randomness."""
    with pytest.raises(ValueError):
        new_code(b"short")


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("123456", "123456"),
        (" 123 456 ", "123456"),
        ("123-456", "123456"),
        ("12345", ""),
        ("١٢٣٤٥٦", ""),
        ("a" * 99, ""),
    ],
)
def test_codes_as_people_type_them(typed: str, read: str) -> None:
    """A11Y-02: pasted and spaced codes are taken."""
    assert as_typed(typed) == read


@pytest.mark.parametrize(
    ("held", "given", "verdict"),
    [
        (HeldCode(hashed("123456"), NOW + LIFETIME, 0), "123456", "right"),
        (HeldCode(hashed("123456"), NOW + LIFETIME, TRIES - 1), "123456", "right"),
        (HeldCode(hashed("123456"), NOW + LIFETIME, 0), "123457", "wrong"),
        (HeldCode(hashed("123456"), NOW + LIFETIME, TRIES), "123456", "too-many"),
        (HeldCode(hashed("123456"), NOW, 0), "123456", "expired"),
        (HeldCode(None, None, 0), "123456", "expired"),
    ],
)
def test_code_rules(held: HeldCode, given: str, verdict: str) -> None:
    """SMS-02: ten minutes, five tries, once."""
    assert judge(held, hashed(given), NOW) == verdict


def test_one_a_day_three_a_week() -> None:
    """SMS-07: started texts wait for the ceilings; others never ask."""
    day = timedelta(days=1)
    assert next_under_caps([], NOW) == NOW
    assert next_under_caps([NOW - timedelta(hours=1)], NOW) == NOW + timedelta(hours=23)
    assert next_under_caps([NOW - 2 * day, NOW - 3 * day], NOW) == NOW
    assert next_under_caps([NOW - 2 * day, NOW - 3 * day, NOW - 5 * day], NOW) == NOW + 2 * day
    assert next_under_caps([NOW - 8 * day] * 9, NOW) == NOW


@given(st.lists(st.integers(0, 60 * 24 * 14), max_size=8))
def test_ceilings_hold_for_any_history(minutes: list[int]) -> None:
    """SMS-07: at the moment given there is room for one more."""
    sent = [NOW - timedelta(minutes=one) for one in minutes]
    # A history that itself keeps the ceilings.
    kept: list[datetime] = []
    for moment in sorted(sent):
        if next_under_caps(kept, moment) == moment:
            kept.append(moment)
    later = next_under_caps(kept, NOW)
    assert next_under_caps(kept, later) == later


def test_windows_are_fixed() -> None:
    """SMS-07: counting windows begin at the same moment for every process."""
    assert window_start(NOW + timedelta(minutes=59), 3600) == NOW
    assert window_start(NOW + timedelta(minutes=60), 3600) == NOW + timedelta(hours=1)


PROOF = OptInProof(
    "Yes, send me texts.", "en", "2026-11-22", "+16175550150", "web", "127.0.0.1", "Firefox", NOW.isoformat()
)


def test_opt_in_proof_is_complete_and_comes_back() -> None:
    """SMS-01: time, exact text, number, address, browser, means and version are all kept."""
    check_opt_in(PROOF, box_ticked=True)
    assert OptInProof.read(PROOF.sealed_form()) == PROOF


@pytest.mark.parametrize("missing", ["text", "language", "version", "number", "address", "agent", "recorded_at"])
def test_opt_in_without_a_part_is_refused(missing: str) -> None:
    """SMS-01: take any part away and there is no opt-in."""
    with pytest.raises(Invalid):
        check_opt_in(OptInProof(**{**asdict(PROOF), missing: ""}), box_ticked=True)


def test_opt_in_needs_the_box() -> None:
    """SMS-01: the box starts empty and only the person ticks it; care does not depend on it."""
    with pytest.raises(Invalid):
        check_opt_in(PROOF, box_ticked=False)
    text = str(opt_in_text("My Record Portal", "(888) 282-2552"))
    for part in ("3 texts a week", "rates may apply", "STOP", "HELP", "nothing about your care"):
        assert part in text
