"""The cancer summary as a value: frozen, and to and from JSON, so that it can be kept beside the record."""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass, field
from typing import Any

from fhir_bridge.reading.dates import FhirDate, read_date
from fhir_bridge.reading.said import Said, said_from_json, said_to_json
from vocabulary.phrase import Phrase

SUMMARY_VERSION = 4


@dataclass(frozen=True)
class Finding:
    """Something found on a date: words, the clinical name, and the entry (`Type/id`) that says so."""

    text: Said
    clinical: str
    date: FhirDate | None
    key: str


@dataclass(frozen=True)
class Stage:
    """A stage: `value` as doctors write it (IIA), `system` (TNM, FIGO), `basis` (before or after surgery).

    `parts` are T, N and M as written (T2, N0, M0); `clinical` the provider's full words.
    """

    value: str
    system: str
    basis: Phrase | None
    date: FhirDate | None
    parts: tuple[str, ...]
    clinical: str
    key: str


@dataclass(frozen=True)
class Marker:
    """Something tested in the tumor or the genes: name, result in words, and the clinical name of the test."""

    name: Said
    result: Said
    clinical: str
    date: FhirDate | None
    key: str
    note: Phrase | None = None


@dataclass(frozen=True)
class Spread:
    """A place to which a cancer has spread."""

    title: Said
    clinical: str
    found: FhirDate | None
    key: str


@dataclass(frozen=True)
class Cancer:
    """One cancer: `title` and `side` are printed one after the other ("Breast cancer, left side").

    `stages` are newest first; `markers` are the newest of each test; `keys` the conditions that say it.
    """

    keys: tuple[str, ...]
    site: str
    title: Said
    side: Phrase | None
    clinical: str
    found: FhirDate | None
    histology: Said
    histology_clinical: str
    status: Said
    in_situ: bool
    stages: tuple[Stage, ...] = ()
    markers: tuple[Marker, ...] = ()
    genes: tuple[Marker, ...] = ()
    spread: tuple[Spread, ...] = ()
    disease_status: Finding | None = None
    tumor_size: Finding | None = None


@dataclass(frozen=True)
class Treatment:
    """One course of treatment in the time line, oldest first in a summary.

    `kind`: surgery, radiation, chemotherapy, chemo-radiation, hormone-therapy, targeted-therapy, immunotherapy,
    bone-protection, support, transplant. `names` are the medicines. `times` counts doses or sessions, 0 when unknown.
    `ongoing`: an order is still marked active in the record, which is not proof that it is being taken. `told`: nobody
    there ordered or gave it; it was written down that it was taken, and this says on whose word.
    """

    kind: str
    title: Said
    names: tuple[str, ...]
    clinical: str
    start: FhirDate | None
    end: FhirDate | None
    ongoing: bool
    times: int
    status: Said
    intent: Phrase | None
    reason_stopped: Said
    site: str
    keys: tuple[str, ...]
    told: Phrase | None = None


@dataclass(frozen=True)
class Measured:
    """One value of a tumor marker over time."""

    date: FhirDate | None
    value_text: str
    number: float | None
    flag: Phrase | None
    key: str


@dataclass(frozen=True)
class MarkerTrend:
    """A blood tumor marker or another test: its values newest first, with the range the laboratory gave.

    `unit`, `low` and `high` are the newest's; a value in another unit has no `number`.
    """

    marker: str
    name: Said
    unit: str
    usual: str
    low: float | None
    high: float | None
    values: tuple[Measured, ...]

    @property
    def latest(self) -> Measured:
        return self.values[0]


@dataclass(frozen=True)
class CancerSummary:
    """What the record says about cancer. Empty tuples mean that the record holds nothing of the kind.

    `stages` and `markers` are those that cannot be tied to one of several cancers; `spread` is spread whose first
    place is not in the record. `told_apart` are cancers that are no facts of today: in doubt, ruled out, of the past.
    """

    cancers: tuple[Cancer, ...] = ()
    stages: tuple[Stage, ...] = ()
    markers: tuple[Marker, ...] = ()
    genes: tuple[Marker, ...] = ()
    spread: tuple[Spread, ...] = ()
    spread_history: Finding | None = None
    disease_status: Finding | None = None
    performance: Finding | None = None
    tumor_size: Finding | None = None
    genes_studied: Finding | None = None
    other_illnesses: tuple[Finding, ...] = ()
    treatments: tuple[Treatment, ...] = ()
    trends: tuple[MarkerTrend, ...] = ()
    told_apart: tuple[Finding, ...] = ()
    version: int = field(default=SUMMARY_VERSION)

    def to_json(self) -> dict[str, Any]:
        """A JSON object, read back by `from_json`."""
        found = _plain(self)
        assert isinstance(found, dict)
        return found

    @classmethod
    def from_json(cls, value: Any) -> CancerSummary:
        """Read what `to_json` wrote. Raises ValueError for another version, which means: make it again."""
        if not isinstance(value, dict) or value.get("version") != SUMMARY_VERSION:
            raise ValueError("summary-version")
        found = _restore(cls, value)
        assert isinstance(found, cls)
        return found


def _plain(value: Any) -> Any:
    if isinstance(value, Phrase):
        return said_to_json(value)
    if isinstance(value, FhirDate):
        return value.text
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    return value


def _restore(wanted: Any, value: Any) -> Any:
    if value is None:
        return None
    origin = typing.get_origin(wanted)
    if origin is tuple:
        inner = typing.get_args(wanted)[0]
        return tuple(_restore(inner, item) for item in value)
    if origin in (types.UnionType, typing.Union):
        options = [one for one in typing.get_args(wanted) if one is not type(None)]
        return said_from_json(value) if Phrase in options else _restore(options[0], value)
    if wanted is Phrase:
        return said_from_json(value)
    if wanted is FhirDate:
        return read_date(value)
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        hints = typing.get_type_hints(wanted)
        return wanted(**{name: _restore(hints[name], item) for name, item in value.items() if name in hints})
    return value
