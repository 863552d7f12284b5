"""The sandbox hospital's screens: plain, labelled, honest about being invented; and the process itself."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox.hospital.server import RunningHospital
from tests.parts.sandbox.smart_client import SECRET, Client, hospital
from tests.support.testdata import ROOT


@pytest.fixture(scope="module")
def lakeside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHospital]:
    with hospital(tmp_path_factory.mktemp("lakeside")) as running:
        yield running


def pages(at: RunningHospital) -> dict[str, str]:
    query = Client(at).query()
    with requests.Session() as browser:
        shown = {
            "sign in": browser.get(f"{at.url}/oauth/authorize", params=query, timeout=5),
            "consent": browser.post(f"{at.url}/oauth/consent", {"login": "Patient/lk-p01"}, params=query, timeout=5),
            "clinician": browser.post(f"{at.url}/oauth/consent", {"login": "Practitioner/lk-nurse-diaz"},
                                      params=query, timeout=5),
            "front": browser.get(at.url, timeout=5),
            "chart sign in": browser.get(f"{at.url}/chart", timeout=5),
            "chart list": browser.post(f"{at.url}/chart/sign-in", {"login": "Practitioner/lk-nurse-diaz"}, timeout=5),
            "chart": browser.get(f"{at.url}/chart/lk-p01", timeout=5),
            "loaded": browser.get(f"{at.url}/sandbox/patients", timeout=5),
            "problem": browser.get(f"{at.url}/oauth/authorize?client_id=x", timeout=5),
        }  # fmt: skip
    return {name: answer.text for name, answer in shown.items()}


def test_every_page_is_plain_and_labelled(lakeside: RunningHospital) -> None:
    """A11Y-01: language, title, one main and one h1, every field labelled, no script; the sandbox says so."""
    for name, text in pages(lakeside).items():
        assert '<html lang="en">' in text, name
        assert re.search(r"<title>\S.*</title>", text), name
        assert text.count("<main") == text.count("<h1") == text.count("<header") == 1, name
        assert "Invented people" in text, name
        assert "<script" not in text, name
        assert 'content="width=device-width' in text, name
        for field in re.findall(r"<(?:input|select)[^>]*>", text):
            if 'type="hidden"' not in field:
                made = re.search(r'id="([^"]+)"', field)
                assert made, field
                assert f'<label for="{made[1]}"' in text, field


def test_sign_in_lists_people_by_name_age_and_cancer(lakeside: RunningHospital) -> None:
    """The sign-in page names each person with age and cancer, and the care team."""
    text = pages(lakeside)["sign in"]
    for words in ("Walter Brooks", "Chronic leukemia (CLL)", " years", "Nurse Luz Diaz", "Practitioner/lk-dr-haddad"):
        assert words in text


def test_what_people_type_is_escaped(lakeside: RunningHospital) -> None:
    """SMART-14: text from a request never becomes markup."""
    evil = '"><script>alert(1)</script>'
    for url in (f"{lakeside.url}/oauth/authorize", f"{lakeside.url}/chart"):
        text = requests.get(url, params=Client(lakeside).query(state=evil) | {"find": evil}, timeout=5).text
        assert "<script>alert" not in text


def test_cookie_has_its_own_name(lakeside: RunningHospital) -> None:
    """Cookies ignore ports, so each sandbox part has its own cookie name."""
    with requests.Session() as browser:
        browser.post(f"{lakeside.url}/chart/sign-in", {"login": "Practitioner/lk-nurse-diaz"}, timeout=5)
        assert [cookie.name for cookie in browser.cookies] == ["sandbox_lakeside"]


def test_process_says_ready_and_stops_on_sigterm(tmp_path: Path) -> None:
    """`python -m sandbox.hospital` prints one JSON line, serves, and ends with 0 on SIGTERM."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    command = [sys.executable, "-m", "sandbox.hospital", "--id", "lakeside", "--port", "0", "--state-dir",
               str(tmp_path / "state"), "--client-secret-file", str(secret)]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            ready = json.loads(process.stdout.readline())
            assert ready["fhir"] == f"{ready['ready']}/fhir"
            assert requests.get(f"{ready['fhir']}/metadata", timeout=5).status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert process.stderr
        assert process.stderr.read() == ""


def test_process_explains_why_it_does_not_start(tmp_path: Path) -> None:
    """A missing secret or folder ends with 2 and a sentence, not a traceback."""
    for more in ([], ["--patients", str(tmp_path / "nowhere")]):
        command = [sys.executable, "-m", "sandbox.hospital", "--id", "lakeside", "--state-dir", str(tmp_path), *more]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
        assert ended.returncode == 2
        assert "Traceback" not in ended.stderr
        assert ended.stderr
