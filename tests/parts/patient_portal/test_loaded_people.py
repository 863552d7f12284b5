"""Every chart of the shared test data, from a folder through a hospital and the real retrieval to the pages.

One hospital holds them all and one database takes them all, so each person is also proof that nobody else's entries
reach them.
"""

from __future__ import annotations

import csv
import html
import io
import logging
import os
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import orjson
import pytest
import requests
from structlog.testing import capture_logs

from database.keyring import KeyRing
from database.prepare import create_database, urls_for, with_database
from database.unit_of_work import Database
from fhir_bridge.reading.kinds import Kind
from fhir_bridge.record_standing import ASKED_TYPES
from fhir_bridge.retrieve.plan import REFERENCED_TYPES
from patient_portal.taking_away.making import make_copy
from patient_portal.wiring import now
from sandbox.hospital.configuration import HospitalConfig
from sandbox.hospital.matching import references
from sandbox.hospital.records import Chart, ChartEntry
from sandbox.hospital.server import start
from tests.support.portal import Client, Outside, Portal, opened, token_in
from tests.support.portal_files import provider_table
from tests.support.postgres import Server, TestDatabase
from tests.support.testdata import TESTDATA, testdata

LARGEST = "Curt_Lowe"
ENTRY = re.compile(r'<li><span><a href="(/record/entry/[0-9a-f-]{36})"')
TOTAL = re.compile(r'<p class="quiet">([\d,]*\d) (?:entry|entries), newest first')
REFERENCED = re.compile(f"(?:{'|'.join(REFERENCED_TYPES)})/[^/?]+")
LACKING = re.compile(r"(\d+) parts? could not be fetched")
TILE = re.compile(r'<h3><a href="/record/kind/([a-z-]+)">[^<]*</a></h3>\s*<p>([\d,]*\d)')


def files_of_people() -> list[str]:
    """One file per person, by the catalogue of the test data and the one collection that it does not list."""
    catalogue = TESTDATA / "fhir" / "CATALOG.json"
    if not catalogue.exists():
        return ["absent"]
    listed = [f"{row['collection']}/{row['file']}" for row in orjson.loads(catalogue.read_bytes())]
    return sorted(listed) + sorted(
        str(path.relative_to(catalogue.parent)) for path in catalogue.parent.glob("onco-pack/*/oncology-*.json")
    )


def closely_read(files: list[str]) -> set[str]:
    """The first person of each collection, and the one with the longest record: these are read page by page."""
    first = {name.split("/")[0]: name for name in reversed(files)}
    return set(first.values()) | {name for name in files if LARGEST in name}


FILES = files_of_people()
CLOSELY = closely_read(FILES)


@pytest.fixture(scope="module")
def outside(outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    """Riverside with the whole tree of test data in place of the run's own hospitals."""
    folder = tmp_path_factory.mktemp("loaded")
    loaded = start(
        HospitalConfig(id="riverside", state_dir=folder / "state", portal=outside.address, patients=testdata("fhir"))
    )
    for name in ("riverside.json", "store-secret", "stores.toml"):
        shutil.copy(outside.folder / name, folder / name)
    (folder / "providers.toml").write_text(provider_table("riverside", loaded))
    yield Outside(folder, outside.address, {"riverside": loaded}, outside.serve, outside.staff)
    loaded.stop()


@pytest.fixture(scope="module")
def database(postgres: Server, keyring: KeyRing) -> Iterator[TestDatabase]:
    """One database for everybody."""
    name = f"test_{os.getpid()}_loaded_people"
    create_database(postgres.superuser_url, name, "portal_template")
    urls = urls_for(postgres.superuser_url, name, postgres.passwords)
    web, worker, maintenance = (Database(url, pool_size=4) for url in (urls.web, urls.worker, urls.maintenance))
    yield TestDatabase(urls, with_database(postgres.superuser_url, name), web, worker, maintenance, keyring)
    for each in (web, worker, maintenance):
        each.close()


@pytest.fixture(scope="module")
def portal(outside: Outside, database: TestDatabase) -> Iterator[Portal]:
    """One application for everybody, as in life."""
    with opened(outside, database, outside.folder) as made:
        yield made


def person_of(portal: Portal, file: str) -> ChartEntry:
    people = portal.hospitals["riverside"].hospital.load_report.people
    return next(one for one in people if file in {name.removesuffix(".gz") for name in one.loaded_from})


def come_in(portal: Portal, patient: str) -> Client:
    """Sign in through the hospital's own screens, sharing everything; each person comes from an address of their own,
    as eighty people a minute from one address are too many."""
    browser = portal.app.test_client()
    number = list(portal.hospitals["riverside"].hospital.records.entries).index(patient)
    browser.environ_base["REMOTE_ADDR"] = f"10.0.1.{number}"
    form = {"csrf_token": token_in(browser.get("/sign-in/riverside", base_url=portal.url).text), "offline": "yes"}
    sent = browser.post("/sign-in/riverside", data=form, base_url=portal.url)
    assert sent.status_code == 303, sent.text
    query, login = urlsplit(sent.headers["Location"]).query, f"Patient/{patient}"
    hospital = portal.hospitals["riverside"].url
    page = requests.post(f"{hospital}/oauth/consent?{query}", {"login": login}, timeout=10)
    groups = re.findall(r'name="group" value="([^"]+)"', page.text)
    decided = {"login": login, "decision": "allow", "group": groups, "offline": "yes"}
    back = requests.post(f"{hospital}/oauth/decision?{query}", decided, allow_redirects=False, timeout=10)
    answer = {key: values[0] for key, values in parse_qs(urlsplit(back.headers["Location"]).query).items()}
    landed = browser.get("/callback/riverside", query_string=answer, base_url=portal.url)
    assert landed.status_code == 303, landed.text
    (waiting,) = portal.rows("SELECT person_id FROM retrieval WHERE state = 'waiting'")
    return Client(portal, waiting.person_id, browser)


def held_for(chart: Chart) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """What the hospital serves of the types that are asked for and of what these refer to, by `Type/id`; and the names
    of what they refer to that it does not have."""
    held = {f"{kind}/{one['id']}": one for kind in ASKED_TYPES for one in chart.of_type(kind)}
    absent: set[str] = set()
    new = held
    for _round in range(2):
        named = {name for one in new.values() for name in references(one) if REFERENCED.fullmatch(name)}
        new = {name: found for name in named - held.keys() if (found := chart.read(name))}
        held = held | new
        absent |= named - held.keys()
    return held, absent


def downloaded(client: Client) -> dict[str, dict[str, Any]]:
    """The Bundle that the person takes along, by `Type/id`."""
    bundle = orjson.loads(taken(client, "fhir-bundle"))
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "collection")
    resources = [entry["resource"] for entry in bundle["entry"]]
    found = {f"{one['resourceType']}/{one['id']}": one for one in resources}
    assert len(found) == len(resources), "an entry is in the copy twice"
    return found


def taken(client: Client, form: str) -> bytes:
    """A file in one form; a long record is made by the worker."""
    response = client.post("/record/download", {"form": form})
    if response.status_code == 303:
        page = response.headers["Location"]
        make_copy(client.portal.worker, client.person, UUID(page.rsplit("/", 1)[1]), now())
        response = client.get(f"{page}/file")
    assert response.status_code == 200
    return bytes(response.data)


def taken_in_other_forms(client: Client, copy: dict[str, dict[str, Any]]) -> None:
    """DL-01, DL-03, MC-12: read again, lines and tables hold as many of each type, and the others what they must."""
    lines = zipfile.ZipFile(io.BytesIO(taken(client, "ndjson")))
    held = [name for name in lines.namelist() if name.endswith(".ndjson")]
    assert {name[:-7]: len(lines.read(name).splitlines()) for name in held} == by_type(copy)
    tables = zipfile.ZipFile(io.BytesIO(taken(client, "csv")))
    bodies = [tables.read(name).decode("utf-8-sig") for name in tables.namelist() if name.endswith(".csv")]
    assert by_type(row["Entry"] for body in bodies for row in csv.DictReader(io.StringIO(body))) == by_type(copy)
    for form, count in (("ips", 1), ("mcode", 1)):
        types = by_type(one["resource"]["resourceType"] for one in orjson.loads(taken(client, form))["entry"])
        assert types["Patient"] == count


def tiles(client: Client, partial: set[str]) -> dict[str, int]:
    """How many of each kind the overview says there are; it names `partial` types as incomplete and no other."""
    overview = client.get("/record")
    assert overview.status_code == 200
    assert [int(one) for one in LACKING.findall(overview.text)] == ([len(partial)] if partial else [])
    return {kind: int(count.replace(",", "")) for kind, count in TILE.findall(overview.text)}


def by_type(names: Any) -> Counter[str]:
    return Counter(name.split("/")[0] for name in names)


@pytest.fixture
def silent(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing may go wrong behind a page that looks right: no error is logged, ours or a library's."""
    with capture_logs() as said:
        yield
    assert [one for one in said if one["log_level"] in ("error", "critical", "exception")] == []
    assert [one.name for one in caplog.records if one.levelno >= logging.ERROR or one.exc_info] == []


@pytest.mark.usefixtures("silent")
@pytest.mark.parametrize("file", FILES)
def test_everybody_sees_their_record(portal: Portal, file: str) -> None:
    """FHIR-01, DL-01: all that the hospital serves is kept, counted in one kind, and taken along as it was sent."""
    testdata("fhir")
    person = person_of(portal, file)
    client = come_in(portal, person.patient_id)
    assert portal.bring_in_all() == ["finished"]
    chart = portal.hospitals["riverside"].hospital.records.chart(person.patient_id)
    assert chart
    (held, absent), copy = held_for(chart), downloaded(client)
    assert by_type(copy) == by_type(held)
    assert [name for name, one in copy.items() if one != held[name]] == []
    shown = tiles(client, by_type(absent).keys() & by_type(held).keys())
    assert set(shown) <= {one.value for one in Kind}
    assert sum(shown.values()) == len(held)
    if file in CLOSELY:
        read_closely(client, shown)
        if LARGEST not in file:  # its length shows nothing new here, and takes seconds
            taken_in_other_forms(client, copy)


def read_closely(client: Client, shown: dict[str, int]) -> None:
    """Each kind's page, an entry of each kind, the form that was sent; short lists to their end."""
    met: list[str] = []
    for kind, count in shown.items():
        page = client.get(f"/record/kind/{kind}")
        assert page.status_code == 200
        assert [int(one.replace(",", "")) for one in TOTAL.findall(page.text)] == [count]
        lines = walked(client, page.text) if count <= 200 else ENTRY.findall(page.text)
        assert len(lines) == count or count > 200
        met += lines
        for ending in ("", "/fhir", "/fhir?save=1"):
            assert client.get(lines[0] + ending).status_code == 200, (kind, ending)
    assert len(met) == len(set(met)), "an entry stands in two places"
    for path in ("/record/progress", "/record/download"):
        assert client.get(path).status_code == 200


def walked(client: Client, page: str) -> list[str]:
    """The entries of a list from its first page to its last."""
    found = ENTRY.findall(page)
    while older := re.search(r'href="([^"]+)" rel="next"', page):
        page = client.get(html.unescape(older.group(1))).text
        found += ENTRY.findall(page)
    return found


def test_nobody_is_forgotten(outside: Outside) -> None:
    """Stage A: the people read above are all the people that the folder holds."""
    report = outside.hospitals["riverside"].hospital.load_report
    read = {one.patient_id for one in report.people for name in one.loaded_from if name.removesuffix(".gz") in FILES}
    assert read == {one.patient_id for one in report.people}
    assert len(report.people) == len(FILES) == 80


def test_every_other_file_is_named_with_a_reason(outside: Outside) -> None:
    """Stage A: the hospital's page of loaded charts names each file of the folder, a person's or with why it is not."""
    page = requests.get(f"{outside.hospitals['riverside'].url}/sandbox/patients", timeout=10).text
    people, _, others = page.partition("Files that are nobody")
    shown = ", ".join(re.findall(r"<td>([^<]*\.(?:json|gz)[^<]*)</td></tr>", people)).split(", ")
    explained = re.findall(r'<th scope="row">([^<]+)</th><td>([^<]+)</td>', others)
    folder: Path = testdata("fhir")
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert len(shown) + len(explained) == len(files)
    assert sorted(html.unescape(name) for name in [*shown, *(name for name, _why in explained)]) == files
    assert all(len(why) > 10 for _name, why in explained)
