"""Every record of the shared data is read, whole: nothing raises, everything has one kind, a line and a page."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_bridge.reading.entry import read_entry
from fhir_bridge.reading.kinds import KIND_NAMES, TYPES_OF_KIND, Kind, kind_of
from fhir_bridge.reading.line import LineView, read_line
from fhir_bridge.reading.sieve import Entries, sifted
from fhir_bridge.reading.summary import story_of, summarise
from fhir_bridge.reading.summary_model import CancerSummary
from tests.support.testdata import testdata

PAGES_PER_FILE = 4


def files() -> list[Path]:
    folder = testdata("fhir")
    found = [one for one in folder.rglob("*") if one.name.endswith((".json", ".json.gz")) and one.parent != folder]
    assert len(found) > 400
    return sorted(found)


def resources_in(value: Any) -> Iterator[dict[str, Any]]:
    if value.get("resourceType") == "Bundle":
        for entry in value.get("entry", []):
            yield from resources_in(entry.get("resource", {}))
    else:
        yield value


def record(path: Path) -> list[dict[str, Any]]:
    raw = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    return list(resources_in(orjson.loads(raw)))


def written(entries: list[dict[str, Any]]) -> Entries:
    """A record as it is kept: a type and a text for each entry."""
    kept = [(one.get("resourceType"), orjson.dumps(one)) for one in entries]
    return lambda types: [(kind, raw) for kind, raw in kept if kind in types]


def test_every_record_is_read() -> None:
    """FHIR-01, FHIR-13, LIB-04: each entry of each file has one kind, a line with a title, and a page; the story is the
    same from texts that pass by, most of which are not read, as from all entries."""
    seen: set[Kind] = set()
    chosen = random.Random(7)
    for path in files():
        entries = record(path)
        by_key = {f"{one.get('resourceType')}/{one.get('id')}": one for one in entries}
        for one in entries:
            kind, line = kind_of(one), read_line(one)
            seen.add(kind)
            assert str(line.title), path
        for one in chosen.sample(entries, min(PAGES_PER_FILE, len(entries))):
            assert str(read_entry(one, by_key.get).title), path
        summary = summarise(entries)
        assert CancerSummary.from_json(orjson.loads(orjson.dumps(summary.to_json()))) == summary
        assert story_of(sifted(written(entries))) == summary, path
    assert seen == set(Kind)


def test_kinds_are_complete() -> None:
    """FHIR-10: every kind has a name and the types that feed it, so that "none" is said only of what was fetched."""
    assert set(KIND_NAMES) == set(TYPES_OF_KIND) == set(Kind)


@pytest.mark.parametrize(
    ("folder", "site"),
    [("synthea-tietai/Nydia*", "breast"), ("synthea-tietai/Curt*", "lung"), ("synthea-smart/Bambi*", "colon"),
     ("synthea-smart/Don_*", "prostate"), ("onco-pack/*/oncology-oc_0004*", "colon")],
)  # fmt: skip
def test_known_patients(folder: str, site: str) -> None:
    """MC-01: synthetic people with cancer are seen to have it; Synthea writes no profiles."""
    (path,) = testdata("fhir").glob(folder)
    assert site in {one.site for one in summarise(record(path)).cancers}


def test_controls_have_no_cancer() -> None:
    """MC-01: people without cancer are not given one."""
    for path in testdata("fhir/synthea-smart-controls").iterdir():
        summary = summarise(record(path))
        assert (summary.cancers, summary.spread, summary.treatments) == ((), (), ())


JENNY = "fhir/mcode-ig-4.0.0-examples/Bundle-mcode-patient-bundle-jenny-m.json"

_junk = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just([]), st.just({}),
    st.just([None]), st.just([[{}]]), st.just({"coding": "x"}), st.just({"coding": [{"code": 5}]}),
    st.just({"reference": ["Patient/p1"]}), st.just({"value": {"value": 1}}), st.just("2019-13-45"),
)  # fmt: skip


def spots(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        pairs = list(one.items()) if isinstance(one, dict) else list(enumerate(one)) if isinstance(one, list) else []
        for name, inner in pairs:
            found.append((one, name))
            waiting.append(inner)
    return found


def shape_of(places: list[tuple[Any, Any]], entry: dict[str, Any]) -> list[tuple[Any, Any]]:
    """One of each kind of place in an entry: list places that look alike count once."""
    paths: dict[int, tuple[str, ...]] = {id(entry): ()}
    chosen: dict[tuple[str, ...], tuple[Any, Any]] = {}
    for inside, name in places:
        path = (*paths[id(inside)], str(name) if isinstance(inside, dict) else "*")
        paths[id(inside[name])] = path
        chosen.setdefault(path, (inside, name))
    return list(chosen.values())


WRONG: tuple[Any, ...] = (None, True, 7, "2019-13-45", [None], {"coding": "x"}, {"value": {"value": 1}})


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_every_place_may_hold_anything(wrong: Any) -> None:
    """FHIR-13: each kind of place of each kind of entry in turn holds a value of another kind; nothing raises."""
    met: set[tuple[str, str]] = set()
    for one in record(testdata(JENNY)):
        code = one.get("code", {}).get("coding", [{}])[0].get("code", "")
        if (one["resourceType"], code) in met:
            continue
        met.add((one["resourceType"], code))
        for inside, name in shape_of(spots(one), one):
            kept, inside[name] = inside[name], wrong
            assert isinstance(read_line(one), LineView)
            assert kind_of(one) in Kind
            summarise([one])
            inside[name] = kept
    assert len(met) > 20


@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_any_damage_is_survived(data: st.DataObject) -> None:
    """FHIR-13: a record damaged in several places still gives lines, pages and a summary."""
    entries = [orjson.loads(orjson.dumps(one)) for one in record(testdata(JENNY))]
    places = spots(entries)
    for _ in range(data.draw(st.integers(1, 12))):
        inside, name = places[data.draw(st.integers(0, len(places) - 1))]
        inside[name] = data.draw(_junk)
    whole = [one for one in entries if isinstance(one, dict)]
    summarise(whole)
    for one in whole:
        assert isinstance(read_line(one), LineView)
        assert kind_of(one) in Kind
    damaged = whole[data.draw(st.integers(0, len(whole) - 1))]
    assert str(read_entry(damaged, lambda _reference: None).title)


_json = st.recursive(
    _junk, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([
        "resourceType", "id", "code", "coding", "text", "status", "valueQuantity", "value", "unit", "component", "name",
        "stage", "bodySite", "extension", "url", "performedPeriod", "start", "content", "attachment", "reference",
        "medicationCodeableConcept", "dosageInstruction", "item", "answer", "hasMember", "focus", "contained", "div",
    ]), inner, max_size=5), max_leaves=25,
)  # fmt: skip


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.dictionaries(st.text(max_size=6) | st.sampled_from(["code", "stage", "text", "component", "content"]), _json),
    st.sampled_from(
        ["Observation", "Condition", "Procedure", "MedicationRequest", "DocumentReference", "Patient", "X"]
    ),
)
def test_any_object_is_read(fields: dict[str, Any], kind: str) -> None:
    """FHIR-13: no JSON object raises in a list, on a page or in the summary."""
    resource = {**fields, "resourceType": kind}
    assert isinstance(read_line(resource), LineView)
    assert kind_of(resource) in Kind
    read_entry(resource, lambda _reference: None)
    summarise([resource, fields])
