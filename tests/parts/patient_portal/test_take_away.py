"""Taking one's record along in every form, at once and by a worker, and letting a doctor open it by a link."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from typing import Any
from uuid import UUID

import orjson
import pytest

from patient_portal.jobs import forget, make_record_copy
from patient_portal.taking_away import making as taking_away
from patient_portal.taking_away.making import FILES, Form
from patient_portal.wiring import now
from tests.support.pdf import Pdf
from tests.support.portal import Client, Portal, signed_in_client


@pytest.fixture
def client(portal: Portal) -> Client:
    return signed_in_client(portal, "rv-p06")


def taken(client: Client, form: Form, **more: Any) -> bytes:
    response = client.post("/record/download", {"form": form.value} | more)
    assert response.status_code == 200, response.text[:500]
    media, name = FILES[form]
    assert response.content_type == media
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response.headers["Cache-Control"] == "no-store"
    return bytes(response.data)


def unzipped(whole: bytes) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(whole))
    return {name: archive.read(name) for name in archive.namelist()}


def resources_of(bundle: bytes) -> list[dict[str, Any]]:
    return [one["resource"] for one in orjson.loads(bundle).get("entry", [])]


def test_every_form_holds_the_same_record(portal: Portal, client: Client) -> None:
    """DL-01, DL-02, DL-03, DL-04, DL-05, MC-12: all forms come from one set, counts equal, nothing of anybody in a
    name, each audited."""
    bundle = resources_of(taken(client, Form.BUNDLE))
    counted = Counter(one["resourceType"] for one in bundle)
    lines = unzipped(taken(client, Form.NDJSON))
    read = [
        orjson.loads(line) for name, body in lines.items() if name.endswith(".ndjson") for line in body.splitlines()
    ]
    assert sorted(map(orjson.dumps, read)) == sorted(map(orjson.dumps, bundle))
    tables = unzipped(taken(client, Form.CSV))
    rows = [
        row
        for name, body in tables.items()
        if name.endswith(".csv")
        for row in csv.DictReader(io.StringIO(body.decode("utf-8-sig")))
    ]
    assert Counter(row["Entry"].split("/")[0] for row in rows) == counted
    told = taken(client, Form.TEXT).decode()
    assert max(map(len, told.split("\r\n"))) <= 80
    composition = resources_of(taken(client, Form.IPS))[0]
    assert composition["type"]["coding"][0]["code"] == "60591-5"
    cancer = resources_of(taken(client, Form.MCODE))
    assert [one["resourceType"] for one in cancer].count("Patient") == 1
    assert len(cancer) > 3
    lined = portal.rows("SELECT detail FROM audit_event WHERE event = 'record.downloaded'")
    assert len(lined) == 6


def test_the_paper_and_the_pack(portal: Portal, client: Client) -> None:
    """DL-02, DL-04: a tagged PDF with its sources; the pack adds Bundle and files as they came."""
    paper = Pdf(taken(client, Form.PDF))
    assert paper.is_tagged
    assert paper.says_ua_1
    assert paper.tags["Table"] > 1
    assert paper.tags["TH"] > 4
    assert "My health record" in paper.text
    pack = unzipped(taken(client, Form.PACK))
    assert Pdf(pack["record-to-read.pdf"]).says_ua_1
    assert len(resources_of(pack["record-fhir-bundle.json"])) == len(resources_of(taken(client, Form.BUNDLE)))
    kept = portal.rows("SELECT count(*) AS n FROM record_entry WHERE kind = 'file'")[0].n
    assert len([name for name in pack if name.startswith("files/")]) <= kept
    assert "record-to-read.pdf" in pack["README.txt"].decode()


def test_some_kinds_and_some_years(portal: Portal, client: Client) -> None:
    """DL-05: only what was chosen, who the person is, and the file says that it is a part. An hour after signing in,
    nothing is handed out before the person signs in once more."""
    whole = resources_of(taken(client, Form.BUNDLE))
    bundle = orjson.loads(taken(client, Form.BUNDLE, kinds=["problems"], since="2020-01-01"))
    some = [one["resource"] for one in bundle["entry"]]
    assert {one["resourceType"] for one in some} == {"Condition", "Patient"}
    assert 1 < len(some) < len(whole)
    assert bundle["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert "Health problems" in bundle["meta"]["tag"][0]["display"]
    wrong = client.post("/record/download", {"form": "pdf", "since": "2024-02-01", "until": "2023-01-01"})
    assert wrong.status_code == 422
    assert "The last day is before the first" in wrong.text
    assert client.post("/record/download", {"form": "pdf", "since": "soon"}).status_code == 422
    assert client.post("/record/download", {"form": "exe"}).status_code == 422
    with portal.database.maintenance.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE web_session SET created_at = created_at - interval '1 hour'")
    for path, form in (
        ("/record/download", {"form": "pdf"}),
        ("/record/share", {"what": "ips", "lasts": "day", "open": "yes"}),
    ):
        response = client.post(path, form)
        assert response.status_code == 303
        assert response.headers["Location"].startswith("/sign-in?next=")
    assert portal.rows("SELECT * FROM shared_link") == []


def test_a_long_record_is_made_by_a_worker(portal: Portal, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """DL-05: the browser does not wait, progress shows, the copy is sealed, kept a day, and then gone."""
    whole = resources_of(taken(client, Form.BUNDLE))
    monkeypatch.setattr(taking_away, "OTHERWISE", 3)
    monkeypatch.setattr(taking_away, "EVERY", 10)
    sent = client.post("/record/download", {"form": "fhir-bundle"})
    assert sent.status_code == 303
    page = sent.headers["Location"]
    copy = UUID(page.rsplit("/", 1)[1])
    assert "Check again" in client.get(page).text
    assert client.get(f"{page}/file").headers["Location"] == page
    taking_away.make_copy(portal.worker, client.person, copy, now())
    taking_away.make_copy(portal.worker, client.person, copy, now())  # a job that comes again changes nothing
    assert "Save the file" in client.get(page).text
    assert resources_of(client.get(f"{page}/file").data) == whole
    stored = portal.rows("SELECT j.retrieval_ids, j.detail, p.content_sealed FROM export_job j, export_part p")
    assert len(stored) == 1
    assert stored[0].retrieval_ids
    assert stored[0].detail["done"] >= 10
    assert b"resourceType" not in stored[0].content_sealed
    other = signed_in_client(portal, "rv-p02", record=False)
    assert [other.get(page).status_code, other.get(f"{page}/file").status_code] == [404, 404]
    with portal.database.maintenance.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE export_job SET expires_at = now() - interval '1 second'")
    assert client.get(page).status_code == 404
    forget_old(portal)
    assert portal.rows("SELECT 1 FROM export_job UNION ALL SELECT 1 FROM export_part") == []
    assert make_record_copy.name.endswith("make-record-copy")


def forget_old(portal: Portal) -> None:
    """As the worker's timer does."""
    context = type("Context", (), {"additional_context": {"wiring": portal.worker}})()
    forget.func(context, 0)
