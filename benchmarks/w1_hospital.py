"""The hospital of W1: a FHIR server of 40 searches, 25 of them empty, that waits before each answer and counts.

`python -m benchmarks.w1_hospital [RESOURCES]` writes its port and serves until its input ends. `POST /manner` sets how
it answers (`latency_ms`, `page`, `dates`: whether searches take days, `fails`: a type that answers 500, `slows`: a type
that answers 429 once) and forgets its counts; `GET /counts` gives requests, the most that were under way at once, and
the processor seconds of this process since then. What it answers is made once and then sent as it stands: it is the
same work for all arms and none of theirs.
"""

from __future__ import annotations

import asyncio
import sys
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import orjson

from fhir_bridge.retrieve.plan import CATEGORIES, CORE_TYPES, EXTRA_TYPES
from fhir_bridge.retrieve.ranges import DATE_PARAMETERS

PATIENTS = 16
OBSERVATIONS = tuple(("Observation", category) for category in CATEGORIES["Observation"])
SEARCHES = (*OBSERVATIONS, *((name, "") for name in (*CORE_TYPES, *EXTRA_TYPES) if name != "Observation"))
PAGES = {
    ("Observation", "laboratory"): 18, ("Observation", "vital-signs"): 9, ("DocumentReference", ""): 7,
    ("Encounter", ""): 6, ("MedicationRequest", ""): 5, ("Condition", ""): 4, ("DiagnosticReport", ""): 4,
    ("Procedure", ""): 3, ("Observation", "social-history"): 3, ("Immunization", ""): 2, ("Claim", ""): 2,
    ("CarePlan", ""): 1, ("Goal", ""): 1, ("CareTeam", ""): 1, ("AllergyIntolerance", ""): 1,
}  # fmt: skip
SIZES = {one: pages * 50 - (28 if pages == 18 else 23) for one, pages in PAGES.items()}
NEWEST, DAYS = date(2026, 11, 1).toordinal(), 3650
LOINC = ("2345-7", "718-7", "6690-2", "777-3", "2160-0", "1742-6", "1920-8", "17861-6", "2951-2", "2823-3")


@dataclass
class Listed:
    """One search's matches, newest first: their days (falling) and their entries as text."""

    days: list[int]
    entries: list[bytes]


@dataclass
class Manner:
    latency_ms: float = 50.0
    page: int = 50
    dates: bool = False
    fails: str = ""
    slows: str = ""
    requests: int = 0
    at_once: int = 0
    most_at_once: int = 0
    cpu_at_start: float = field(default_factory=time.process_time)
    slowed: set[str] = field(default_factory=set)


def resource(kind: str, category: str, number: int, day: int, patient: str) -> dict[str, Any]:
    """About 900 bytes of a valid R4 resource, as a hospital writes one."""
    at = date.fromordinal(day).isoformat()
    who = {"reference": f"Patient/{patient}"}
    code = LOINC[number % len(LOINC)]
    text = {"coding": [{"system": "http://loinc.org", "code": code, "display": f"Measurement {code}"}], "text": code}
    found: dict[str, Any] = {
        "resourceType": kind, "id": f"{kind[:4].lower()}-{category[:6]}-{number}", "language": "en-US",
        "meta": {"versionId": "1", "lastUpdated": f"{at}T08:00:00Z", "profile": [f"http://hl7.org/fhir/{kind}"]},
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">' + "Text. " * 50 + "</div>"},
    }  # fmt: skip
    if kind == "Observation":
        system = "http://terminology.hl7.org/CodeSystem/observation-category"
        found |= {
            "status": "final", "code": text, "subject": who, "effectiveDateTime": f"{at}T07:30:00Z",
            "category": [{"coding": [{"system": system, "code": category}]}],
            "encounter": {"reference": f"Encounter/enco--{number % 200}"},
            "performer": [{"reference": f"Practitioner/d{number % 7}"}],
            "valueQuantity": {"value": 4 + number % 90, "unit": "mg/dL", "system": "http://unitsofmeasure.org"},
        }  # fmt: skip
    else:
        found |= _SHAPES[kind](who, text, at)
    return found


_SHAPES: dict[str, Any] = {
    "DocumentReference": lambda who, text, at: {
        "status": "current", "type": text, "subject": who, "date": f"{at}T07:30:00Z",
        "content": [{"attachment": {"contentType": "text/plain", "data": "VGV4dC4="}}],
    },
    "Encounter": lambda who, text, at: {
        "status": "finished", "class": {"code": "AMB"}, "type": [text], "subject": who, "period": {"start": at},
    },
    "MedicationRequest": lambda who, text, at: {
        "status": "active", "intent": "order", "medicationCodeableConcept": text, "subject": who, "authoredOn": at,
    },
    "Condition": lambda who, text, at: {"code": text, "subject": who, "recordedDate": at},
    "DiagnosticReport": lambda who, text, at: {
        "status": "final", "code": text, "subject": who, "effectiveDateTime": at,
    },
    "Procedure": lambda who, text, at: {"status": "completed", "code": text, "subject": who, "performedDateTime": at},
    "Immunization": lambda who, text, at: {
        "status": "completed", "vaccineCode": text, "patient": who, "occurrenceDateTime": at,
    },
    "Claim": lambda who, text, at: {
        "status": "active", "type": text, "use": "claim", "patient": who, "created": at, "provider": {"display": "x"},
        "priority": text, "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "x"}}],
    },
    "CarePlan": lambda who, _text, at: {
        "status": "active", "intent": "plan", "subject": who, "period": {"start": at},
    },
    "Goal": lambda who, text, at: {
        "lifecycleStatus": "active", "description": text, "subject": who, "startDate": at,
    },
    "CareTeam": lambda who, _text, at: {"status": "active", "subject": who, "period": {"start": at}},
    "AllergyIntolerance": lambda who, text, at: {"code": text, "patient": who, "recordedDate": at},
}  # fmt: skip


class Hospital:
    """The charts of PATIENTS people, all alike, made when they are first asked for."""

    def __init__(self, resources: int) -> None:
        self.times = resources / sum(SIZES.values())
        self.charts: dict[str, dict[tuple[str, str], Listed]] = {}
        self.manner = Manner()
        self.answers: dict[tuple[str, int, bool], bytes] = {}

    def chart(self, patient: str) -> dict[tuple[str, str], Listed]:
        if patient not in self.charts:
            self.charts[patient] = {one: self._listed(*one, size, patient) for one, size in SIZES.items()}
        return self.charts[patient]

    def _listed(self, kind: str, category: str, size: int, patient: str) -> Listed:
        size = max(1, round(size * self.times))
        days = [NEWEST - number * DAYS // size for number in range(size)]
        found = [resource(kind, category, number, day, patient) for number, day in enumerate(days)]
        return Listed(days, [orjson.dumps({"resource": one, "search": {"mode": "match"}}) for one in found])

    def statement(self) -> bytes:
        rows = []
        for kind in (*CORE_TYPES, *EXTRA_TYPES):
            name = DATE_PARAMETERS.get(kind)
            named = [{"name": "patient", "type": "reference"}, {"name": "category", "type": "token"}]
            dated = [{"name": name, "type": "date"}] if name and self.manner.dates else []
            rows.append({"type": kind, "searchParam": [*named, *dated]})
        rest = [{"mode": "server", "resource": rows}]
        return orjson.dumps({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest})

    def search(self, base: str, kind: str, asked: list[tuple[str, str]]) -> bytes:
        """One page; `_at` in a next link says where it begins."""
        values = dict(asked)
        chart = self.chart(values["patient"].removeprefix("Patient/"))
        listed = chart.get((kind, values.get("category", "").rpartition("|")[2]), Listed([], []))
        start, end = _within(listed.days, DATE_PARAMETERS.get(kind, ""), asked)
        size = min(int(values.get("_count", "20")), self.manner.page)
        at = start + int(values.get("_at", "0"))
        links = []
        if at + size < end:
            kept = [(name, value) for name, value in asked if name != "_at"] + [("_at", str(at + size - start))]
            query = "&".join(f"{name}={quote(value, safe='')}" for name, value in kept)
            links = [{"relation": "next", "url": f"{base}/{kind}?{query}"}]
        head = {"resourceType": "Bundle", "type": "searchset", "total": end - start, "link": links}
        entries = b",".join(listed.entries[at : min(at + size, end)])
        return orjson.dumps(head)[:-1] + (b',"entry":[' + entries + b"]}" if entries else b"}")


def _within(days: list[int], name: str, asked: list[tuple[str, str]]) -> tuple[int, int]:
    """The stretch of a falling list that lies within the days asked for."""
    start, end = 0, len(days)
    for key, value in asked:
        if name and key == name:
            first_older = bisect_left(days, 1 - date.fromisoformat(value[2:]).toordinal(), key=lambda day: -day)
            start, end = (max(start, first_older), end) if value[:2] == "lt" else (start, min(end, first_older))
    return start, max(start, end)


class Talk(asyncio.Protocol):
    """One kept connection: HTTP/1.1, as little of it as these callers need."""

    def __init__(self, hospital: Hospital) -> None:
        self.hospital, self.held = hospital, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            head = self.held[:end].decode("latin-1")
            sized = _header(head, "content-length")
            stop = end + 4 + int(sized or "0")
            if len(self.held) < stop:
                return
            body, self.held = self.held[end + 4 : stop], self.held[stop:]
            self._asked(head, body)

    def _asked(self, head: str, body: bytes) -> None:
        hospital, (verb, target, _) = self.hospital, head.split(" ", 2)
        manner = hospital.manner
        if verb == "POST":
            hospital.manner = Manner(**orjson.loads(body))
            self.transport.write(_whole("200", b"{}"))
        elif target == "/counts":
            spent = time.process_time() - manner.cpu_at_start
            told = {"requests": manner.requests, "most_at_once": manner.most_at_once, "cpu_seconds": spent}
            self.transport.write(_whole("200", orjson.dumps(told)))
        else:
            manner.requests += 1
            manner.at_once += 1
            manner.most_at_once = max(manner.most_at_once, manner.at_once)
            asyncio.get_running_loop().call_later(manner.latency_ms / 1000, self._answer, manner, target, head)

    def _answer(self, manner: Manner, target: str, head: str) -> None:
        manner.at_once -= 1
        if not self.transport.is_closing():
            self.transport.write(_answered(self.hospital, manner, target, head))


def _answered(hospital: Hospital, manner: Manner, target: str, head: str) -> bytes:
    parts = urlsplit(target)
    path = unquote(parts.path).split("/")[2:]
    if path == ["metadata"]:
        return _whole("200", hospital.statement())
    if not _header(head, "authorization").startswith("Bearer "):
        return _whole("401", b"{}")
    if path[0] == "Patient":
        return _whole("200", orjson.dumps({"resourceType": "Patient", "id": path[1], "birthDate": "1960-05-06"}))
    if path[0] == manner.fails:
        return _whole("500", b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception"}]}')
    if path[0] == manner.slows and path[0] not in manner.slowed:
        manner.slowed.add(path[0])
        return _whole("429", b"{}", "retry-after: 1\r\n")
    key = target, manner.page, manner.dates
    known = hospital.answers.get(key)
    if known is None:
        base = f"http://{_header(head, 'host')}/fhir"
        known = _whole("200", hospital.search(base, path[0], parse_qsl(parts.query, keep_blank_values=True)))
        if hospital.times <= 1:  # a longer record would be held twice
            hospital.answers[key] = known
    return known


def _whole(status: str, body: bytes, more: str = "") -> bytes:
    kind = "application/fhir+json; charset=utf-8"
    return f"HTTP/1.1 {status} .\r\ncontent-type: {kind}\r\n{more}content-length: {len(body)}\r\n\r\n".encode() + body


def _header(head: str, name: str) -> str:
    """The value of a header in a request's head, empty when it is not there."""
    _, found, rest = head.lower().partition(f"\r\n{name}:")
    start = len(head) - len(rest)
    return head[start:].partition("\r\n")[0].strip() if found else ""


async def serve(resources: int) -> None:
    hospital = Hospital(resources)
    hospital.chart("p0")  # a long one takes longer to make than anybody waits for an answer
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Talk(hospital), "127.0.0.1", 0, backlog=512)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 3_000))
