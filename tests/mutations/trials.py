"""Pages of good and spoiled entries through the reading of answers and every form of showing and taking away."""

from __future__ import annotations

import json
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import orjson

from fhir_bridge.export.copy_facts import CopyFacts
from fhir_bridge.export.ips import ips_document
from fhir_bridge.export.mcode import mcode_bundle
from fhir_bridge.export.ndjson import ndjson_files
from fhir_bridge.export.plain_text import text_pieces
from fhir_bridge.export.spreadsheet import csv_files
from fhir_bridge.reading.entry import read_entry
from fhir_bridge.reading.kinds import kind_of
from fhir_bridge.reading.line import read_line
from fhir_bridge.reading.same import folded, runs
from fhir_bridge.reading.sieve import sifted
from fhir_bridge.reading.summary import story_of, summarise
from fhir_bridge.reading.summary_model import CancerSummary
from fhir_bridge.record_copy import Copied, Wanted
from fhir_bridge.record_over_time import is_same_test
from fhir_bridge.retrieve.page import Received, read_page
from tests.mutations.ways import spoiled
from tests.support.testdata import testdata

BASE, PATIENT = "https://hospital.example/fhir", "p1"
OURS = {"reference": f"Patient/{PATIENT}"}
WHO = {"resourceType": "Patient", "id": PATIENT, "name": [{"family": "Example"}]}
FOLDERS = ("mcode-ig-4.0.0-examples", "us-core-6.1.0-examples")
MADE = datetime(2026, 11, 22, tzinfo=UTC)
FACTS = CopyFacts(MADE, "en", {"a": "A"}, (("a", MADE),), (), False, Wanted())
GOOD_IN_A_PAGE = 20


@dataclass
class Told:
    """What became of it. `lost`: good entries that did not come through; `unnamed`: spoiled ones that were left out
    without being named; `broken`: what raised, by where."""

    spoiled: int = 0
    good: int = 0
    lost: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    unnamed: int = 0
    broken: Counter[str] = field(default_factory=Counter)

    @property
    def kept_share(self) -> float:
        return 1 - self.lost / max(1, self.good)


@dataclass(frozen=True)
class _Listed:
    provider_id: str
    line: Any


def corpus() -> list[dict[str, Any]]:
    """Entries about one patient, of every type that the published examples have."""
    found = []
    for folder in FOLDERS:
        for path in sorted(testdata(f"fhir/{folder}").glob("*.json")):
            resource = orjson.loads(path.read_bytes())
            if resource.get("resourceType") in (None, "Bundle", "Patient", "Group"):
                continue
            for name in ("subject", "patient", "beneficiary"):
                if name in resource:
                    resource[name] = dict(OURS)
            found.append(resource)
    return found


def run(count: int, seed: int) -> Told:
    """Read `count` spoiled entries or a few more, twenty to sixty among twenty good ones at a time."""
    random, told, entries = Random(seed), Told(), corpus()
    while told.spoiled < count:
        good = random.sample(entries, GOOD_IN_A_PAGE)
        bad = [spoiled(random.choice(entries), random) for _ in range(random.randint(20, 60))]
        _one_page(good, bad, random, told)
    return told


def _one_page(good: Sequence[dict[str, Any]], bad: Sequence[dict[str, Any]], random: Random, told: Told) -> None:
    sent = [("good", one) for one in good] + [("bad", one) for one in bad]
    random.shuffle(sent)
    body = json.dumps({"resourceType": "Bundle", "entry": [{"resource": one} for _, one in sent]}).encode()
    page = read_page(body, str(good[0]["resourceType"]), PATIENT, BASE)
    told.spoiled, told.good = told.spoiled + len(bad), told.good + len(good)
    came = [one.resource for one in page.received]
    told.lost += sum(one not in came for one in good)
    told.dropped.update(one.reason for one in page.dropped)
    told.unnamed += max(0, len(sent) - len(page.received) - len(page.dropped) - len(page.notices))
    told.unnamed += sum(not one.reason for one in page.dropped)
    for what, show in _FORMS.items():
        try:
            show(page.received)
        except Exception as problem:  # noqa: BLE001  # whatever breaks is what is looked for
            last = traceback.extract_tb(problem.__traceback__)[-1]
            told.broken[f"{what}: {type(problem).__name__} in {last.name}"] += 1


def _copied(received: Iterable[Received]) -> list[Copied]:
    who = Copied("a", BASE, "Patient", kind_of(WHO).value, orjson.dumps(WHO))
    return [who, *(Copied("a", BASE, one.type, kind_of(one.resource).value, one.raw) for one in received)]


def _lists(received: Sequence[Received]) -> None:
    lines = [read_line(one.resource) for one in received]
    runs(folded([_Listed(str(number % 2), line) for number, line in enumerate(lines)]))


def _pages(received: Sequence[Received]) -> None:
    by_key = {f"{one.type}/{one.id}": one.resource for one in received}
    for one in received:
        read_entry(one.resource, by_key.get)
        is_same_test(one.resource, received[0].resource)


def _story(received: Sequence[Received]) -> None:
    story = summarise([one.resource for one in received])
    assert CancerSummary.from_json(orjson.loads(orjson.dumps(story.to_json()))) == story
    passed_by = story_of(sifted(lambda types: [(one.type, one.raw) for one in received if one.type in types]))
    assert passed_by == story


def _read(files: Iterable[tuple[str, Iterable[bytes]]]) -> None:
    for _name, pieces in files:
        b"".join(pieces)


_FORMS: dict[str, Callable[[Sequence[Received]], object]] = {
    "list": _lists,
    "entry": _pages,
    "story": _story,
    "ips": lambda received: orjson.dumps(ips_document(_copied(received), FACTS, str)),
    "mcode": lambda received: orjson.dumps(mcode_bundle(_copied(received), FACTS, str)),
    "ndjson": lambda received: _read(ndjson_files(_copied(received), FACTS, str)),
    "tables": lambda received: _read(csv_files(sorted(_copied(received), key=lambda one: one.kind), {}, FACTS, str)),
    "text": lambda received: b"".join(text_pieces(sorted(_copied(received), key=lambda one: one.kind), {}, FACTS, str)),
}
