"""Other people's charts from a folder of FHIR files, each file either shown as a person or named and explained."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zlib import error as zlib_error

import orjson

from sandbox.hospital.matching import patient_of
from sandbox.hospital.records import ChartEntry

Resource = dict[str, Any]
Bundle = dict[str, Any]
UNDATED = "2026-01-01T00:00:00Z"
_CANCER_WORDS = ("cancer", "carcinoma", "neoplasm", "malignan", "leukemia", "leukaemia", "lymphoma", "melanoma",
                 "myeloma", "sarcoma")  # fmt: skip


@dataclass(frozen=True)
class LoadReport:
    """What a folder held: people (with the files they came from), and every other file with the reason."""

    people: tuple[ChartEntry, ...]
    explained: tuple[tuple[str, str], ...]


class NotAPerson(Exception):
    """Why a file, or a part of it, is not somebody's chart."""


def load_folder(folder: Path) -> LoadReport:
    """Look through `folder` and its sub-folders. Bundles with the same patient id, name and birth date are one person.

    A chart is read again when it is opened, so a large folder costs time once and no memory.
    """
    people: dict[str, ChartEntry] = {}
    explained: list[tuple[str, str]] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = str(path.relative_to(folder))
        try:
            found = [_chart_entry(name, path, number, bundle) for number, bundle in enumerate(bundles_in(path))]
        except NotAPerson as reason:
            explained.append((name, str(reason)))
            continue
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            explained.append((name, f"a Bundle that is not well-formed FHIR ({type(error).__name__})"))
            continue
        for entry in found:
            _add(people, entry)
    return LoadReport(tuple(people.values()), tuple(explained))


def bundles_in(path: Path) -> Iterator[Bundle]:
    """The one-patient Bundles of a file. Raises NotAPerson, with a sentence, when the file is anything else."""
    name = path.name.lower().removesuffix(".gz")
    if not name.endswith((".json", ".ndjson")):
        raise NotAPerson(f"not a FHIR JSON file (its name ends in “{path.suffix or path.name}”)")
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.name.lower().endswith(".gz") else data
        rows = [json.loads(line) for line in data.splitlines() if line.strip()] if name.endswith("ndjson") else None
        content = orjson.loads(data) if rows is None else None
    except (OSError, EOFError, zlib_error, ValueError, RecursionError) as error:
        raise NotAPerson(f"cannot be read as JSON: {type(error).__name__}") from error
    if rows is None:
        yield _one_patient(content)
    elif rows and all(isinstance(r, dict) and r.get("resourceType") == "Bundle" for r in rows):
        yield from (_one_patient(row) for row in rows)
    else:
        yield _one_patient({"resourceType": "Bundle", "entry": [{"resource": row} for row in rows]})


def _one_patient(content: Any) -> Bundle:
    if isinstance(content, list):
        raise NotAPerson("a list, not a FHIR resource (a catalogue of files, for example)")
    if not isinstance(content, dict) or not isinstance(content.get("resourceType"), str):
        raise NotAPerson("JSON, but not a FHIR resource")
    kind = content["resourceType"]
    if kind != "Bundle":
        raise NotAPerson(f"a single {kind} that belongs to no Bundle, so to nobody's chart")
    patients = [r for r in _resources(content) if r["resourceType"] == "Patient"]
    if len(patients) != 1:
        many = "no Patient" if not patients else f"{len(patients)} Patients"
        raise NotAPerson(f"a Bundle ({content.get('type', 'no type')}) with {many}; a chart needs exactly one")
    return content


def _resources(bundle: Bundle) -> list[Resource]:
    entries = bundle.get("entry")
    rows = [e.get("resource") for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
    return [r for r in rows if isinstance(r, dict) and isinstance(r.get("resourceType"), str)]


def _chart_entry(name: str, path: Path, number: int, bundle: Bundle) -> ChartEntry:
    resources = chart_resources(name, bundle)
    patient = next(r for r in resources if r["resourceType"] == "Patient")
    return ChartEntry(
        patient_id=patient["id"],
        name=_spoken_name(patient),
        birth_date=str(patient.get("birthDate", "")),
        sex=str(patient.get("gender", "")),
        cancer=next(_cancers(resources), ""),
        mrn=_mrn(patient),
        loaded_from=(name,),
        open=partial(_open, name, path, number),
    )


def _open(name: str, path: Path, number: int) -> list[Resource]:
    return chart_resources(name, list(bundles_in(path))[number])


def _add(people: dict[str, ChartEntry], new: ChartEntry) -> None:
    """Put the person on the list: joined to the same person's other files, or under another id when the id is taken
    by somebody else."""
    ids = chain([new.patient_id], (f"{new.patient_id}-{n}"[-64:] for n in count(2)))
    for patient_id in ids:
        known = people.get(patient_id)
        if known is None or (known.name, known.birth_date) == (new.name, new.birth_date):
            break
    if patient_id != new.patient_id:
        new = replace(new, patient_id=patient_id, open=partial(_renamed, new, patient_id))
    people[patient_id] = _joined(known, new) if known else new


def _renamed(entry: ChartEntry, patient_id: str) -> list[Resource]:
    resources = entry.open()
    for resource in resources:
        if resource["resourceType"] == "Patient":
            resource["id"] = patient_id
        _rewrite(resource, {f"Patient/{entry.patient_id}": f"Patient/{patient_id}"})
    return resources


def _joined(known: ChartEntry, new: ChartEntry) -> ChartEntry:
    def both() -> list[Resource]:
        merged = {f"{r['resourceType']}/{r['id']}": r for r in [*known.open(), *new.open()]}
        return list(merged.values())

    files = known.loaded_from + new.loaded_from
    return replace(known, cancer=known.cancer or new.cancer, loaded_from=files, open=both)


def chart_resources(name: str, bundle: Bundle) -> list[Resource]:
    """The Bundle's resources as a chart: ids given where missing, Bundle-internal references made `Type/id`.

    A resource without a subject stays as it is. Each carries meta.versionId and meta.lastUpdated.
    """
    addresses: dict[str, str] = {}
    resources: list[Resource] = []
    for number, entry in enumerate(e for e in bundle["entry"] if isinstance(e, dict)):
        resource = entry.get("resource")
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            continue
        full_url = str(entry.get("fullUrl", ""))
        if not isinstance(resource.get("id"), str) or not resource["id"]:
            given = full_url.removeprefix("urn:uuid:") if full_url.startswith("urn:uuid:") else ""
            resource["id"] = given or str(uuid5(NAMESPACE_URL, f"{name}#{number}"))
        if full_url:
            addresses[full_url] = f"{resource['resourceType']}/{resource['id']}"
        meta = resource["meta"] = resource["meta"] if isinstance(resource.get("meta"), dict) else {}
        meta.setdefault("versionId", "1")
        meta["lastUpdated"] = _instant(meta.get("lastUpdated"))
        resources.append(resource)
    for resource in resources:
        _rewrite(resource, addresses)
    return resources


def _instant(value: Any) -> str:
    """`value` when it is a full instant, else a fixed one."""
    return value if isinstance(value, str) and len(value) >= 20 and "T" in value else UNDATED


_HOLDS_MORE = (dict, list)  # most of a record is words and numbers, which are not worth a call each


def _rewrite(value: Any, addresses: dict[str, str]) -> None:
    if isinstance(value, dict):
        reference = value.get("reference")
        if isinstance(reference, str):
            value["reference"] = addresses.get(reference, reference)
        inside: Iterable[Any] = value.values()
    else:
        inside = value if isinstance(value, list) else ()
    for inner in inside:
        if isinstance(inner, _HOLDS_MORE):
            _rewrite(inner, addresses)


def _spoken_name(patient: Resource) -> str:
    names = patient.get("name") or [{}]
    first = names[0] if isinstance(names, list) and isinstance(names[0], dict) else {}
    parts = [*(first.get("given") or []), first.get("family") or ""]
    return " ".join(str(p) for p in parts if p) or str(first.get("text") or "No name recorded")


def _mrn(patient: Resource) -> str:
    for one in patient.get("identifier") or []:
        kinds = [c.get("code") for c in one.get("type", {}).get("coding", [])] if isinstance(one, dict) else []
        if "MR" in kinds and one.get("value"):
            return str(one["value"])
    return ""


def _cancers(resources: list[Resource]) -> Iterator[str]:
    for resource in resources:
        if resource["resourceType"] != "Condition" or patient_of(resource) is None:
            continue
        code = resource.get("code") or {}
        texts = [code.get("text"), *(c.get("display") for c in code.get("coding", []))]
        for text in texts:
            if text and any(word in text.lower() for word in _CANCER_WORDS):
                yield str(text).removesuffix(" (disorder)")
