"""The files of a release and the manifest that says what is in them (X-08, REL-03). Pure but for the files it writes.

One NDJSON file a type of resource, one resource a line; people in the order of their random codes, a person's lines in
the order of their random text, so that order tells nothing. Each line carries the person's code as a tag. Equal input
gives equal bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from consent.decision import DataCategory
from research.deidentify.delivery import Source
from research.requests.clause import ClauseRef
from research.selection import Chosen, lines_of, select

SUBJECT = "https://patient-portal.example/fhir/NamingSystem/release-subject"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Release:
    """What a manifest says beside its files. `built_at` is UTC in ISO form.

    `ledger_position`: every decision that stands before this position was heard; who said no before it can prove by it
    that they were out (docs/ledger.md).
    """

    request: str
    dataset: str
    parts: frozenset[DataCategory]
    agreement: str
    clause: ClauseRef
    code_version: str
    built_at: str
    ledger_position: int


@dataclass(frozen=True)
class Included:
    """One person's part of a release: the random code, the version of the consent it rests on, and the lines."""

    subject: str
    version: int
    lines: Sequence[bytes]


@dataclass
class _File:
    """A file being written."""

    out: BinaryIO
    rows: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    fields: Counter[str] = field(default_factory=Counter)

    def add(self, resource: Mapping[str, Any]) -> None:
        line = orjson.dumps(resource) + b"\n"
        self.out.write(line)
        self.digest.update(line)
        self.rows += 1
        self.fields.update(resource.keys())


def lines_for(sources: Sequence[Source], chosen: Chosen, request: bytes, subject: str, this_year: int) -> list[bytes]:
    """One person's de-identified lines. The ids in them are made from the request's random id and the random code."""
    return lines_of(select(sources, chosen, request + subject.encode(), this_year), chosen.holds)


def write_release(folder: Path, release: Release, people: Iterable[Callable[[], Included]]) -> dict[str, Any]:
    """Write the files and the manifest into `folder`, which is empty; the manifest.

    `people`: in the order of their codes, each read when it is its turn, so that memory stays flat.
    """
    files: dict[str, _File] = {}
    subjects = []
    try:
        for read in people:
            included = read()
            subjects.append(
                {"subject": included.subject, "consent_version": included.version, "rows": len(included.lines)}
            )
            for line in included.lines:
                _add(folder, files, included.subject, line)
    finally:
        for file in files.values():
            file.out.flush()
            os.fsync(file.out.fileno())
            file.out.close()
    manifest = _manifest(release, subjects, files)
    with _create(folder / MANIFEST) as out:
        out.write(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        out.flush()
        os.fsync(out.fileno())
    return manifest


def _add(folder: Path, files: dict[str, _File], subject: str, line: bytes) -> None:
    resource = orjson.loads(line)
    name = f"{resource['resourceType']}.ndjson"
    if name not in files:
        files[name] = _File(_create(folder / name))
    files[name].add({**resource, "meta": {"tag": [{"system": SUBJECT, "code": subject}]}})


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _manifest(release: Release, subjects: list[dict[str, Any]], files: Mapping[str, _File]) -> dict[str, Any]:
    rested_on = "".join(f"{one['subject']} {one['consent_version']}\n" for one in subjects)
    return {
        "request": release.request,
        "dataset": release.dataset,
        "parts": sorted(release.parts),
        "agreement": release.agreement,
        "clause": release.clause.as_json(),
        "code_version": release.code_version,
        "built_at": release.built_at,
        "ledger_position": release.ledger_position,
        "subjects": len(subjects),
        "consents_sha256": hashlib.sha256(rested_on.encode()).hexdigest(),
        "consents": subjects,
        "files": [
            {
                "name": name,
                "rows": file.rows,
                "fields": dict(sorted(file.fields.items())),
                "sha256": file.digest.hexdigest(),
            }
            for name, file in sorted(files.items())
        ],
    }
