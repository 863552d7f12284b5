"""Whole records, the sandbox's and those of other makers, through the allow-list."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from research.deidentify.delivery import Source, deidentify
from sandbox.people.population import population
from tests.support.testdata import testdata

SEED = b"0123456789abcdef"
YEAR = 2026


def _left(found: list[Source]) -> str:
    return "\n".join(line.decode() for line in deidentify(found, SEED, YEAR) if line is not None)


def _in_bundles(root: Path) -> Iterator[list[Source]]:
    for path in sorted(root.rglob("*")):
        if not path.is_file() or not path.name.endswith((".json", ".json.gz")) or path.name == "CATALOG.json":
            continue
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        try:
            document = orjson.loads(raw)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(document, dict):
            continue
        entries = document.get("entry") if document.get("resourceType") == "Bundle" else [{"resource": document}]
        found = [one["resource"] for one in entries or [] if isinstance(one.get("resource"), dict)]
        yield [Source("h", str(one.get("resourceType")), str(one.get("id", "")), orjson.dumps(one)) for one in found]


def test_every_file_of_the_test_data_goes_through() -> None:
    """HIP-20: real records of other makers pass without failure, and no name, address line or record number of
    theirs is left in what leaves."""
    files = lines = 0
    for found in _in_bundles(testdata("fhir")):
        files += 1
        left = _left(found)
        lines += left.count("\n")
        for one in found:
            if one.type == "Patient":
                for word in _identity(orjson.loads(one.raw)):
                    assert word not in left, (one.id, word)
    assert files > 300
    assert lines > 3_000


def _identity(patient: dict[str, Any]) -> list[str]:
    found = [str(one.get("value", "")) for one in patient.get("identifier", []) + patient.get("telecom", [])]
    for one in patient.get("name", []):
        found += [str(one.get("family", "")), *map(str, one.get("given", []))]
    for one in patient.get("address", []):
        found += [str(one.get("city", "")), *map(str, one.get("line", []))]
    born = str(patient.get("birthDate", ""))
    return [word for word in [*found, born if len(born) == 10 else ""] if len(word) > 4 and not word.isdigit()]


def test_all_of_the_sandbox_goes_through() -> None:
    """HIP-20, HIP-22: nobody of the sandbox is named in what would leave, and no id, date or reference is kept."""
    for person in population():
        resources = person.resources()
        found = [Source(person.hospital, one["resourceType"], one["id"], orjson.dumps(one)) for one in resources]
        left = _left(found)
        for word in (person.given, person.family, person.mrn, person.phone, *person.address[:2], person.address[3]):
            assert f'"{word}' not in left
            assert f" {word}" not in left
        assert re.search(r"\d{4}-\d{2}-\d{2}", left) is None
        assert not any(f'"{one["id"]}"' in left or f'/{one["id"]}"' in left for one in resources)
