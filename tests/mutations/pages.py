"""Spoiled entries as a hospital's answers: brought in over HTTP, then every page and form of the record asked for."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from html import unescape
from pathlib import Path
from random import Random
from typing import Any

from flask import Response
from sqlalchemy import create_engine, text
from werkzeug.test import TestResponse

from database.keyring import KeyRing
from database.unit_of_work import sqlalchemy_url
from fhir_bridge.reading.kinds import TYPES_OF_KIND, Kind
from patient_portal.taking_away.making import Form
from sandbox.hospital import faults
from tests.mutations.trials import corpus
from tests.mutations.ways import spoiled
from tests.support import portal as portal_support
from tests.support import postgres as postgres_support
from tests.support.portal import Client, Portal, signed_in_client

PATIENT = "rv-p06"
LINK = re.compile(r'href="(/record[^"#]*)"')
FIRST = (
    "/record", "/record/progress", "/record/reading", "/record/mine", "/record/appointment", "/record/download",
    "/record/share", *(f"/record/kind/{kind}{more}" for kind in Kind for more in ("", "/find?q=a")),
    *(f"/record/kind/{kind}/tests" for kind in Kind if "Observation" in TYPES_OF_KIND[kind]),
)  # fmt: skip
MOST_PAGES = 600
ALLOWED_A_MINUTE = 6


class _Folders:
    """What the fixtures ask pytest for: folders that are gone at the end."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="portal-mutations-"))

    def mktemp(self, name: str) -> Path:
        made = self.root / name
        made.mkdir()
        return made


@contextmanager
def front_door() -> Iterator[Portal]:
    """The application over a fresh database with two sandbox hospitals, as tests have it."""
    server = contextmanager(inspect.unwrap(postgres_support.postgres))
    database = contextmanager(inspect.unwrap(postgres_support.database))
    outside = contextmanager(inspect.unwrap(portal_support.outside))
    folders = _Folders()
    with ExitStack() as open_until_the_end:
        open_until_the_end.callback(shutil.rmtree, folders.root, ignore_errors=True)
        kept = open_until_the_end.enter_context(database(open_until_the_end.enter_context(server()), _keyring()))
        world = open_until_the_end.enter_context(outside(folders))
        yield open_until_the_end.enter_context(portal_support.opened(world, kept, folders.root))


def _keyring() -> KeyRing:
    return KeyRing.fresh(demo=True)


@contextmanager
def own_answers(portal: Portal) -> Iterator[Callable[..., None]]:
    """Makes the hospital answer for a type with these very bytes."""
    usual, answering = faults.answer_for, portal.hospitals["riverside"].hospital.faults

    def answer_for(fault: dict[str, Any]) -> Response | None:
        return Response(fault["bytes"], mimetype="application/fhir+json") if "bytes" in fault else usual(fault)

    def with_bytes(**bodies: bytes) -> None:
        answering.set({"types": {kind: {"bytes": body} for kind, body in bodies.items()}})

    faults.answer_for = answer_for
    try:
        yield with_bytes
    finally:
        faults.answer_for = usual
        answering.set({})


def answers_of(random: Random, count: int, *types: str) -> dict[str, bytes]:
    """The hospital's answers, by type, with `count` spoiled entries of `types` (of every type when none is named)."""
    whole, rows = [one for one in corpus() if not types or one["resourceType"] in types], defaultdict(list)
    for number in range(count):
        one = random.choice(whole)
        kind = str(one["resourceType"])
        changed = spoiled(one, random) | {"id": f"{kind}-{number}"}
        about = next((name for name in ("subject", "patient", "beneficiary") if name in one), "subject")
        rows[kind].append(changed | {about: {"reference": f"Patient/{PATIENT}"}})
    return {
        kind: json.dumps(
            {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in found]}
        ).encode()
        for kind, found in rows.items()
    }


def look_everywhere(client: Client, check: Callable[[str, TestResponse], object] | None = None) -> Counter[str]:
    """Ask for every page that a record's pages lead to, and for each form of copy; how often each status came, and by
    which kind of address where it was 5xx. `check` gets each page."""
    found: Counter[str] = Counter()
    waiting, seen = list(FIRST), set(FIRST)
    while waiting and found.total() < MOST_PAGES:
        if found.total() % ALLOWED_A_MINUTE == 0:
            _empty(client.portal, "rate_count")
        path = waiting.pop()
        response = client.get(path)
        _count(found, path, response.status_code)
        if response.mimetype == "text/html":
            if check is not None:
                check(path, response)
            new = {unescape(one) for one in LINK.findall(response.text)} - seen
            seen |= new
            waiting += sorted(new)
    for form in Form:
        _empty(client.portal, "rate_count")
        response = client.post("/record/download", {"form": form.value})
        _count(found, f"/record/download {form.value}", response.status_code)
    return found


def one_record(portal: Portal, random: Random, count: int) -> Counter[str]:
    """A record of `count` spoiled entries beside the person's own shots, brought in and looked at."""
    _empty(portal, "record_entry", "cancer_summary", "rate_count")
    with own_answers(portal) as answer_with:
        answer_with(**answers_of(random, count))
        client = signed_in_client(portal, PATIENT)
    return look_everywhere(client)


def _empty(portal: Portal, *tables: str) -> None:
    """Without the record of before, or how often was asked: no page shall be spared for being asked for too fast."""
    engine = create_engine(sqlalchemy_url(portal.database.superuser_url))
    with engine.begin() as session:
        for table in tables:
            session.execute(text(f"DELETE FROM {table}"))
    engine.dispose()


def _count(found: Counter[str], path: str, status: int) -> None:
    found[f"{status // 100}xx"] += 1
    if status >= 500:
        found[f"{status} for {re.sub(r'[0-9a-f-]{36}', '…', path)}"] += 1
