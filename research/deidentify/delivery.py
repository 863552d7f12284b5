"""A person's chosen resources as they leave in a de-identified donation. Pure: random bytes and the year come in.

Every id is new in every delivery and made from random bytes and a running number, from nothing of the person's, so
that two deliveries do not join by their ids and no id can be guessed back (HIP-22).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from research.deidentify.allowed import ALLOWED, Observation, Resource
from research.deidentify.clean import Release, asks_for_age, clean, names_an_identity
from research.deidentify.person import Patient, coarse_patient, over_89

_DECODERS = {name: msgspec.json.Decoder(kind) for name, kind in ALLOWED.items()}
_PATIENT = msgspec.json.Decoder(Patient)
_ENCODER = msgspec.json.Encoder()
# A resource that has only these after cleaning says nothing and does not leave.
_EMPTY_WITHOUT = {"id", "status", "subject", "patient", "encounter", "intent"}


class _Named(msgspec.Struct):
    id: str = ""


_NAMED = msgspec.json.Decoder(_Named)


@dataclass(frozen=True)
class Source:
    """One resource as received: `source` is the hospital it came from, within which its id is unique."""

    source: str
    type: str
    id: str
    raw: bytes

    @classmethod
    def of(cls, source: str, kind: str, raw: bytes) -> Source:
        """With the id read from the resource itself; empty when it has none."""
        try:
            return cls(source, kind, _NAMED.decode(raw).id, raw)
        except msgspec.DecodeError:
            return cls(source, kind, "", raw)


def deidentify(resources: Sequence[Source], seed: bytes, this_year: int) -> list[bytes | None]:
    """What leaves of each resource, one line of JSON, in the order given; None where nothing may leave.

    `resources`: all that was chosen, of one person; references lead only to what leaves with them. `seed`: random
    bytes of this delivery, at least 16.
    """
    people = {one.source: _patient(one.raw) for one in resources if one.type == "Patient"}
    old = not people or any(over_89(patient, this_year) for patient in people.values())
    return _in_release(resources, seed, this_year, old)


def deidentify_of(resources: Sequence[Source], seed: bytes, this_year: int, *, is_over_89: bool) -> list[bytes | None]:
    """As `deidentify`, where the caller knows the age group, for the Patient itself may not be among the chosen."""
    return _in_release(resources, seed, this_year, is_over_89)


def may_be_over_89(patients: Sequence[bytes], this_year: int) -> bool:
    """Whether the person of these Patient resources may be over 89; with none, or none that can be read, they may."""
    return not patients or any(over_89(_patient(raw), this_year) for raw in patients)


def _in_release(resources: Sequence[Source], seed: bytes, this_year: int, old: bool) -> list[bytes | None]:
    own_ids = [_own_id(seed, number) for number in range(len(resources))]
    by_source: dict[str, dict[tuple[str, str], str]] = {}
    for one, own in zip(resources, own_ids, strict=True):
        if one.type == "Patient" or one.type in ALLOWED:
            by_source.setdefault(one.source, {})[(one.type, one.id)] = own
    releases = {source: Release(this_year, old, ids) for source, ids in by_source.items()}
    return [
        _line(one, own, releases[one.source]) if one.source in releases else None
        for one, own in zip(resources, own_ids, strict=True)
    ]


def _line(one: Source, own: str, release: Release) -> bytes | None:
    if one.type == "Patient":
        patient = _patient(one.raw)
        return msgspec.json.encode(coarse_patient(patient, own, release.this_year)) if patient else None
    decoder = _DECODERS.get(one.type)
    if decoder is None:
        return None
    try:
        read: Resource = decoder.decode(one.raw)
    except msgspec.DecodeError:
        return None
    if isinstance(read, Observation) and names_an_identity(read.code):
        return None
    if isinstance(read, Observation) and asks_for_age(read.code):
        read.value_quantity = read.value_quantity if _plain_age(read) and not release.over_89 else None
        read.value_integer = read.value_integer if (read.value_integer or 0) <= 89 and not release.over_89 else None
    made = clean(read, release)
    if made is None or not set(_set_fields(made)) - _EMPTY_WITHOUT:
        return None
    made.id = own
    return _ENCODER.encode(made)


def _plain_age(read: Observation) -> bool:
    value = read.value_quantity.value if read.value_quantity else None
    return value is not None and value <= 89


def _set_fields(made: Resource) -> list[str]:
    return [name for name in made.__struct_fields__ if getattr(made, name) is not None]


def _patient(raw: bytes) -> Patient | None:
    try:
        return _PATIENT.decode(raw)
    except msgspec.DecodeError:
        return None


def _own_id(seed: bytes, number: int) -> str:
    return hashlib.sha256(seed + number.to_bytes(8, "big")).hexdigest()[:24]
