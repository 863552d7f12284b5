"""`portal providers`: what a hospital lacks is said, what fits is written, brands are found in the picker."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from joserfc.jwk import RSAKey
from pytest_httpserver import HTTPServer

from fhir_bridge.providers import load_providers
from patient_portal.commands.providers import providers
from tests.support.actors import Cast
from tests.support.portal import Outside
from tests.support.postgres import TestDatabase


def run(*arguments: str) -> Result:
    return CliRunner().invoke(providers, list(arguments))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "providers.toml"
    monkeypatch.setenv("PORTAL_PROVIDERS", str(path))
    monkeypatch.setenv("PORTAL_BASE_URL", "http://127.0.0.1:8000")
    monkeypatch.delenv("PORTAL_PROVIDERS_FILE", raising=False)
    return path


def test_a_hospital_is_added_and_found_sound(outside: Outside, file: Path) -> None:
    """SMART-01 to SMART-06, SMART-35, SMART-43: from nothing but its address to a block that loads, with keys of ours;
    types are asked for by name."""
    base = outside.hospitals["riverside"].fhir_url
    shown = run("add", base, "--id", "new-one", "--name", 'The "New" One')
    assert shown.exit_code == 0, shown.output
    assert "http://127.0.0.1:8000/callback/new-one" in shown.output
    assert not file.exists()
    refused = run("add", base, "--id", "new-one", "--write")
    assert refused.exit_code == 1
    assert "keys/new-one.json" in refused.output
    assert not file.exists()
    (file.parent / "keys").mkdir()
    assert run("keys", str(file.parent / "keys" / "new-one.json")).exit_code == 0
    written = run("add", base, "--id", "new-one", "--name", 'The "New" One', "--state", "MA", "--write")
    assert written.exit_code == 0, written.output
    (loaded,) = load_providers(file, {}, production=False)
    assert (loaded.id, loaded.name, loaded.fhir_base_url, loaded.client_auth) == (
        "new-one", 'The "New" One', base, "private_key_jwt",
    )  # fmt: skip
    assert "patient/Observation.rs" in loaded.scopes
    assert "patient/*" not in loaded.scopes
    report = run("test", "--json")
    assert report.exit_code == 0, report.output
    findings = json.loads(report.output)["new-one"]
    assert {one["verdict"] for one in findings} == {"ok"}
    assert {"SMART-01", "SMART-02", "SMART-03", "SMART-05", "SMART-42", "SMART-60", "FHIR-08"} <= {
        one["id"] for one in findings
    }
    assert "new-one: The" in run("test", "new-one").output
    assert run("test", "nobody").exit_code == 1
    twice = run("add", base, "--id", "another", "--client-auth", "public", "--write")
    assert "is used twice" in twice.output
    assert len(load_providers(file, {}, production=False)) == 1


def test_what_a_hospital_lacks_is_said(outside: Outside, file: Path) -> None:
    """SMART-02, SMART-03, SMART-05: nothing is written for a hospital at which nobody could sign in."""
    hospital = outside.hospitals["lakeside"]
    hospital.hospital.faults.set({"configuration": {
        "code_challenge_methods_supported": ["plain"], "jwks_uri": None, "capabilities": ["launch-ehr"],
    }})  # fmt: skip
    try:
        found = run("add", hospital.fhir_url, "--id", "lacking", "--client-auth", "public", "--write")
    finally:
        hospital.hospital.faults.set({})
    assert found.exit_code == 1
    for words in ("SMART-03   MISSING  plain", "SMART-02   MISSING", "people could not sign in there yet"):
        assert words in found.output
    assert not file.exists()
    gone = run("add", "http://localhost:9/fhir")
    assert gone.exit_code == 1
    assert "no smart-configuration (connection)" in gone.output
    assert "cannot be used" in run("add", "https://user@host/fhir").output


def test_an_old_server_is_named_as_such(file: Path, httpserver: HTTPServer) -> None:
    """LIB-01, SMART-01: endpoints in the CapabilityStatement alone are seen, said, and not used."""
    security = {"extension": [{"url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"}]}
    rest = [{"mode": "server", "security": security, "resource": [{"type": "Patient"}]}]
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": "3.0.1", "rest": rest}
    httpserver.expect_request("/old/metadata").respond_with_json(statement)
    found = run("add", httpserver.url_for("/old"))
    assert found.exit_code == 1
    assert "oauth-uris" in found.output
    assert "FHIR 3.0.1" in found.output


def test_our_keys_are_rotated_in_three_steps(tmp_path: Path) -> None:
    """SMART-43: a new key is published before it signs, and the old one is published while anything it signed may
    still arrive."""
    file = tmp_path / "keys.json"

    def kids() -> list[str]:
        return [key["kid"] for key in json.loads(file.read_text())["keys"]]

    assert run("keys", str(file), "--promote").exit_code == 1
    run("keys", str(file))
    (old,) = kids()
    run("keys", str(file))
    assert kids()[0] == old
    new = kids()[1]
    run("keys", str(file), "--promote")
    assert kids() == [new, old]
    run("keys", str(file), "--retire")
    assert kids() == [new]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    pem = tmp_path / "key.pem"
    pem.write_bytes(RSAKey.generate_key(2048).as_pem(private=True))
    assert run("keys", str(pem)).exit_code == 0
    assert len(json.loads(pem.read_text())["keys"]) == 2
    pem.write_text("nothing")
    assert "neither a JWK" in run("keys", str(pem)).output


@pytest.fixture
def loaded(cast: Cast, outside: Outside, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Lakeside's own brands, and a clinic of somebody else."""
    database: TestDatabase = cast.portal.database
    monkeypatch.setenv("DATABASE_URL_WORKER", database.urls.worker)
    monkeypatch.setenv("PORTAL_PROVIDERS", str(outside.folder / "providers.toml"))
    other = tmp_path / "other.json"
    elsewhere = {"resourceType": "Endpoint", "id": "e", "status": "active", "address": "https://fhir.far.example/r4"}
    far = {"resourceType": "Organization", "id": "o", "name": "Far <b>Clinic</b>", "address": [{"city": "Fitchburg"}],
           "endpoint": [{"reference": "Endpoint/e"}]}  # fmt: skip
    other.write_text(json.dumps({"resourceType": "Bundle", "entry": [{"resource": elsewhere}, {"resource": far}]}))
    assert "1 places" in run("brands", str(other)).output
    told = run("brands", "lakeside")
    assert told.output == "2 places from lakeside; 2 of them sign in at a hospital of ours.\n", told.output
    yield
    assert run("brands", str(other), "--remove").exit_code == 0
    assert run("brands", "lakeside", "--remove").exit_code == 0
    assert "holds no brand" in run("brands", str(outside.folder / "riverside.json")).output


@pytest.mark.usefixtures("loaded")
def test_the_picker_finds_by_name_and_place(cast: Cast) -> None:
    """SMART-06: by a part of a name, by the town, by another name; what is not connected is said to be so; nothing is
    fetched for a page."""
    visitor = cast.newcomer()
    page = visitor.get("/sign-in?q=fitch").text
    assert "2 places found" in page
    assert page.index("Lakeside Oncology of Fitchburg") < page.index("Far &lt;b&gt;Clinic")
    assert "You sign in through Lakeside Medical Group (sandbox)." in page
    assert "Not connected to us yet." in page
    assert 'src="data:image/png;base64,' in page
    assert "Worcester MA 01604" in visitor.get("/sign-in?q=mylake 01604").text
    assert (
        "Nothing found" in visitor.get("/sign-in?q=%25").text or "places found" not in visitor.get("/sign-in?q=_").text
    )
    nothing = visitor.get("/sign-in?q=zzz").text
    assert "Check the spelling" in nothing
    assert "Riverside Cancer Center (sandbox)" in visitor.get("/sign-in?q=river").text
    adding = cast["owner"].get("/sign-in?q=fitch&add=1").text
    assert "Add another hospital" in adding
    assert 'href="/sign-in/lakeside?add=1"' in adding
