"""Letting a doctor open a record by a link, and closing one's account."""

from __future__ import annotations

import base64
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fhir_bridge.export.health_link import shlink, unbase64url
from patient_portal.in_touch.access_reminders import remind
from patient_portal.in_touch.texting import texting_of
from patient_portal.taking_away.making import Form
from patient_portal.wiring import now
from tests.parts.patient_portal.test_access import TODAY, noted, written
from tests.parts.patient_portal.test_take_away import forget_old, resources_of, taken
from tests.support.pdf import Pdf
from tests.support.portal import Client, Portal, signed_in_client
from tests.support.testdata import testdata


@pytest.fixture
def client(portal: Portal) -> Client:
    return signed_in_client(portal, "rv-p06")


A_LINK = {"what": "ips", "lasts": "week", "passcode": "plum tree 7"}


def payload_of(page: str) -> dict[str, Any]:
    """The link as a viewer reads it from the page: after the viewer's address, base64url of JSON (SHL-01)."""
    found = re.search(r"shl#shlink:/([\w-]+)", page)
    assert found
    payload = orjson.loads(unbase64url(found[1]))
    assert len(payload["url"]) <= 128
    assert len(payload["key"]) == 43
    assert payload["v"] == 1
    return dict(payload)


def decrypted(token: str, key: str) -> tuple[dict[str, Any], bytes]:
    """Our own reading of RFC 7516 (dir, A256GCM, raw DEFLATE), which shares nothing with what wrote it."""
    head, wrapped, iv, body, tag = token.split(".")
    assert wrapped == ""
    header = orjson.loads(unbase64url(head))
    plain = AESGCM(unbase64url(key)).decrypt(unbase64url(iv), unbase64url(body) + unbase64url(tag), head.encode())
    return header, zlib.decompress(plain, -15) if header.get("zip") == "DEF" else plain


def test_the_published_links_are_read_as_ours_are() -> None:
    """SHL-01, SHL-03: links and files that others published, read by the same reader that the tests below use."""
    folder = testdata("smart/health-links")
    for name in ("CARIN_INS_CD-bundle-01", "IPS_IG-bundle-01"):
        link = (folder / f"{name}-shl.txt").read_text().strip()
        payload = orjson.loads(unbase64url(link.rpartition("shlink:/")[2]))
        told = orjson.loads((folder / f"{name}-shl-details.json").read_bytes())
        assert payload == told.get("shlinkJsonPayload", told)
    header, content = decrypted((folder / "IPS_IG-bundle-01-enc.txt").read_text().strip(), payload["key"])
    assert (header["alg"], header["enc"]) == ("dir", "A256GCM")
    assert orjson.loads(content) == orjson.loads((folder / "IPS_IG-bundle-01.json").read_bytes())
    # What CARIN's link leads to is a signed health card and no encrypted file: three parts, which hold its Bundle.
    card = (folder / "CARIN_INS_CD-bundle-01-enc.txt").read_text().strip().split(".")
    signed = orjson.loads(zlib.decompress(unbase64url(card[1]), -15))
    inside = signed["vc"]["credentialSubject"]["fhirBundle"]["entry"]
    assert (len(card), inside) == (3, orjson.loads((folder / "CARIN_INS_CD-bundle-01.json").read_bytes()))
    for number, passcode in ((1, True), (2, False)):
        published = orjson.loads((folder / f"shl-payload-{number}.json").read_bytes())
        key, label = unbase64url(published["key"]), published.get("label", "x" * 99)
        made = shlink(url=published["url"], key=key, label=label, expires=1, passcode=passcode)
        ours = orjson.loads(unbase64url(made.removeprefix("shlink:/")))
        assert (ours["url"], ours["key"]) == (published["url"], published["key"])
        assert (ours["label"], ours["exp"]) == (label[:80], 1)
        for one in (published, ours):
            assert len(one["url"]) <= 128
            assert len(one["key"]) == 43
            assert one["flag"] == "".join(sorted(one["flag"]))
            assert ("P" in one["flag"], "U" in one["flag"]) == (passcode, not passcode)
            assert len(one.get("label", "")) <= 80
    files = orjson.loads((folder / "shl-manifest-1.json").read_bytes())["files"]
    assert {name for one in files for name in one} >= {"contentType", "location", "embedded", "lastUpdated", "status"}


def test_a_doctor_opens_a_link(portal: Portal, client: Client) -> None:
    """SHL-01, SHL-02, SHL-03: code, passcode, manifest, encrypted file; the owner sees who came and ends it."""
    made = client.post("/record/share", A_LINK)
    assert made.status_code == 303
    page = client.get(made.headers["Location"])
    assert "<svg" in page.text
    payload = payload_of(page.text)
    assert payload["flag"] == "P"
    doctor = portal.app.test_client()

    def ask(**body: Any) -> Any:
        return doctor.post(payload["url"], json=body, headers={"Origin": "https://viewer.example"})

    wrong = ask(recipient="Dr. Second Opinion", passcode="plum")
    assert (wrong.status_code, wrong.json) == (401, {"remainingAttempts": 9})
    right = ask(recipient="Dr. Second Opinion", passcode="plum tree 7")
    assert right.status_code == 200
    assert right.headers["Access-Control-Allow-Origin"] == "*"
    (file,) = right.json["files"]
    assert (file["contentType"], file["status"]) == ("application/fhir+json", "finalized")
    got = doctor.get(file["location"])
    assert got.content_type == "application/jose"
    header, content = decrypted(got.text, payload["key"])
    assert header == {"alg": "dir", "enc": "A256GCM", "cty": "application/fhir+json", "zip": "DEF"}
    assert orjson.loads(content)["entry"][0]["resource"]["resourceType"] == "Composition"
    inside = ask(recipient="Dr. Second Opinion", passcode="plum tree 7", embeddedLengthMax=10_000_000)
    assert decrypted(inside.json["files"][0]["embedded"], payload["key"])[1] == content
    assert [ask(passcode="x").status_code, doctor.post(payload["url"], data="[1").status_code] == [422, 422]
    assert doctor.get(payload["url"], query_string={"recipient": "x"}).status_code == 404
    assert doctor.options(payload["url"]).headers["Access-Control-Allow-Headers"] == "Content-Type"
    seen = client.get(made.headers["Location"]).text
    assert seen.count("Dr. Second Opinion") == 3
    assert "wrong passcode" in seen
    assert client.post(f"{made.headers['Location']}/end", page="/record/share").status_code == 303
    assert ask(recipient="Dr. Second Opinion", passcode="plum tree 7").status_code == 404
    assert doctor.get(file["location"]).status_code == 404
    assert portal.rows("SELECT * FROM shared_file") == []
    assert "does not work any more" in client.get(made.headers["Location"]).text


def test_tries_are_counted_under_parallel_requests(portal: Portal, client: Client) -> None:
    """SHL-02: thirty wrong passcodes at once use up ten tries and no more; then even the right one is 404."""
    payload = payload_of(client.get(client.post("/record/share", A_LINK).headers["Location"]).text)

    def guess(number: int) -> tuple[int, Any]:
        response = portal.app.test_client().post(
            payload["url"], json={"recipient": "guesser", "passcode": f"wrong {number}"},
            environ_overrides={"REMOTE_ADDR": f"10.9.0.{number}"},
        )  # fmt: skip
        return response.status_code, (response.json or {}).get("remainingAttempts")

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(guess, range(30)))
    assert sorted(left for status, left in answers if status == 401) == list(range(10))
    assert [status for status, _left in answers].count(404) == 20
    right = {"recipient": "late", "passcode": A_LINK["passcode"]}
    assert portal.app.test_client().post(payload["url"], json=right).status_code == 404


def test_a_link_without_a_passcode_gives_its_file(portal: Portal, client: Client) -> None:
    """SHL-03: flag U, one file by GET naming who asks; a PDF inside a DocumentReference; over is 404."""
    weak = client.post("/record/share", A_LINK | {"passcode": "123"})
    assert weak.status_code == 422
    made = client.post("/record/share", {"what": "pdf", "lasts": "day", "open": "yes"})
    payload = payload_of(client.get(made.headers["Location"]).text)
    assert payload["flag"] == "U"
    anyone = portal.app.test_client()
    assert anyone.get(payload["url"]).status_code == 422
    got = anyone.get(payload["url"], query_string={"recipient": "Clinic"})
    (document,) = resources_of(decrypted(got.text, payload["key"])[1])
    paper = base64.b64decode(document["content"][0]["attachment"]["data"])
    assert Pdf(paper).says_ua_1
    with portal.database.maintenance.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE shared_link SET expires_at = now() - interval '1 second'")
        connection.exec_driver_sql("UPDATE shared_file SET expires_at = now() - interval '1 second'")
    assert anyone.get(payload["url"], query_string={"recipient": "Clinic"}).status_code == 404
    forget_old(portal)
    assert portal.rows("SELECT * FROM shared_file") == []
    assert "A link to a health record" in anyone.get("/shl", base_url=portal.url).text


# What the page says that goes: each with something in it before, and nothing after.
GOES = (
    "record_entry", "resource_version", "cancer_summary", "shared_link", "shared_file", "token", "own_statement",
    "reading_choice", "access_request", "access_event", "added_file", "export_job",
)  # fmt: skip


def test_an_account_is_closed(portal: Portal, client: Client) -> None:
    """Decisions, Data at rest: the copy, links, letters, what was set and said, tokens, reminders and sessions go;
    choices and the audit stay; coming back begins anew."""
    client.post("/record/share", A_LINK)
    client.post("/record/reading", {"later": "stage"}, page="/record/reading")
    client.post("/record/mine", {"topic": "other", "words": "I had shingles."}, page="/record/mine")
    letter = written(client)
    noted(client, letter, "asked", TODAY)
    texting = texting_of(portal.wiring)
    remind(texting, client.person, UUID(letter.rsplit("/", 1)[1]), TODAY, now())
    assert portal.rows("SELECT 1 FROM reminder WHERE state = 'set'")
    no = client.post("/choices/cancerlinq", {"answer": "no", "form": "closing-no-1"}, page="/choices/cancerlinq")
    assert no.status_code == 303
    before = portal.rows("SELECT id, version, answer FROM decision")
    held = counts_of(portal, GOES)
    assert [name for name, count in held.items() if not count] == ["added_file", "export_job"]
    assert client.post("/account/close", page="/account/close").status_code == 422
    done = client.post("/account/close", {"sure": "yes"}, page="/account/close")
    assert done.headers["Location"] == "/account/closed"
    assert "Your account is closed" in client.get("/account/closed").text
    assert client.get("/record").status_code == 303
    assert counts_of(portal, GOES) == dict.fromkeys(GOES, 0)
    assert portal.rows("SELECT 1 FROM reminder WHERE state = 'set'") == []
    assert portal.rows("SELECT id, version, answer FROM decision") == before
    assert len(portal.rows("SELECT 1 FROM audit_event WHERE event = 'record.erased'")) == 1
    assert portal.rows("SELECT 1 FROM audit_event WHERE event = 'access.asked'")
    again = signed_in_client(portal, "rv-p06")
    assert "I had shingles." not in again.get("/record/mine").text
    assert again.person == client.person
    assert len(resources_of(taken(again, Form.BUNDLE))) > 10


def counts_of(portal: Portal, tables: tuple[str, ...]) -> dict[str, int]:
    return {name: portal.rows(f"SELECT count(*) AS n FROM {name}")[0].n for name in tables}
