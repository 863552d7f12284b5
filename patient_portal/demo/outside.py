"""The world outside, for the demo: two hospitals, seven stores, phones, post, a staff sign-in; each is a process."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import requests

from patient_portal.demo.children import Child, Children
from patient_portal.demo.folder import DemoFolder

ACCOUNT_SID = "AC00000000000000000000000000000000"
SERVICE_SID = "MG00000000000000000000000000000000"
NIGHT_SECONDS = 120
FEED_SECONDS = 60
IDENTIFIERS = {"riverside": "urn:oid:2.16.840.1.113883.19.5", "lakeside": "urn:oid:2.16.840.1.113883.19.6"}
BOTH = ["riverside", "lakeside"]

# id, name, role in the sandbox, wire form, what it holds, why it may hold it, more of its configuration, deadline
STORES: tuple[tuple[str, str, str, str, str, str, dict[str, object], str], ...] = (
    ("cancerlinq", "CancerLinQ platform (sandbox)", "holder", "backport", "identifiable", "operations", {}, "15m"),
    ("tempus", "Tempus, curator (sandbox)", "curator", "backport", "identifiable", "operations", {}, "1h"),
    ("concerto", "Concerto HealthAI, curator (sandbox)", "curator", "ndjson", "identifiable", "operations", {}, "1d"),
    ("discovery", "CancerLinQ Discovery (sandbox)", "discovery", "ndjson", "de-identified", "operations", {}, "7d"),
    ("registry", "State cancer registry (sandbox)", "registry", "ndjson", "identifiable", "law", {}, "1d"),
    (
        "living-well", "Living Well After Cancer (invented for this demo)", "effort", "ndjson", "de-identified",
        "donation", {"effort": "living-well", "invented": True, "hospitals": []}, "1h",
    ),
    (
        "early-signs", "Early Signs Study (invented for this demo)", "effort", "backport", "identifiable",
        "donation", {"effort": "early-signs", "invented": True, "hospitals": []}, "1h",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Outside:
    """Where the outside parts answer: base URLs by name, where mail goes, and the two files that tell the portal."""

    urls: dict[str, str]
    fhir: dict[str, str]
    smtp: str
    providers: Path
    stores: Path


def start_outside(folder: DemoFolder, children: Children, portal: str, patients: Path | None) -> Outside:
    """Start every part, wait until each answers, and write providers.toml and stores.toml."""
    hospitals = {name: _hospital(folder, children, name, portal, patients) for name in BOTH}
    stores = _stores(folder, children, portal)
    more = {
        "phone": _phone(folder, children, portal), "post": _post(folder, children),
        "staff": _staff_identity(folder, children, portal),
    }  # fmt: skip
    urls = {name: str(child.wait_ready()["ready"]) for name, child in {**hospitals, **more}.items()}
    urls |= {name: str(child.ready.get("ready") or child.wait_ready()["ready"]) for name, child in stores.items()}
    for curator in (each[0] for each in STORES if each[2] == "curator"):
        requests.post(f"{urls[curator]}/feed", timeout=FEED_SECONDS)  # work with copies from the first minute on
    fhir = {name: str(child.ready["fhir"]) for name, child in hospitals.items()}
    providers, named = folder.path / "providers.toml", folder.path / "stores.toml"
    providers.write_text(_providers_toml(fhir) + _identity_toml(urls["staff"]), encoding="utf-8")
    named.write_text(_stores_toml(urls), encoding="utf-8")
    return Outside(urls, fhir, str(more["post"].ready["smtp"]), providers, named)


def _hospital(folder: DemoFolder, children: Children, name: str, portal: str, patients: Path | None) -> Child:
    command = [
        sys.executable, "-m", "sandbox.hospital", "--id", name, "--port", str(folder.port(name)),
        "--state-dir", str(folder.part(name)), "--portal", portal,
    ]  # fmt: skip
    if name == "lakeside":
        folder.secret("lakeside-secret")
        command += ["--client-secret-file", str(folder.secret_path("lakeside-secret"))]
    else:
        folder.client_key("riverside")
    if patients is not None and name == "riverside":
        command += ["--patients", str(patients)]
    return children.start(name, command, says_ready=True)


def _stores(folder: DemoFolder, children: Children, portal: str) -> dict[str, Child]:
    started: dict[str, Child] = {}
    for store, name, role, _wire, holds, _basis, more, _deadline in STORES:
        values: dict[str, object] = {
            "id": store, "name": name, "role": role, "holds": holds, "secrets": [folder.store_secret(store)],
            "portal": portal, "nightly_seconds": NIGHT_SECONDS, "hospitals": BOTH, **more,
        }  # fmt: skip
        if role in {"holder", "curator", "discovery"}:
            values["feed_token"] = folder.secret("feed-token")
        if role in {"curator", "discovery"}:
            values["platform"] = started["cancerlinq"].ready["ready"]
        config = folder.part("stores") / f"{store}.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps(values, indent=1), encoding="utf-8")
        command = [
            sys.executable, "-m", "sandbox.store", "--config", str(config), "--port", str(folder.port(store)),
            "--state-dir", str(folder.part(f"store-{store}")),
        ]  # fmt: skip
        started[store] = children.start(store, command, says_ready=True)
        if store == "cancerlinq":
            started[store].wait_ready()
    return started


def _phone(folder: DemoFolder, children: Children, portal: str) -> Child:
    folder.secret("twilio-token")
    command = [
        sys.executable, "-m", "sandbox.phone", "--port", str(folder.port("phone")),
        "--state-dir", str(folder.part("phone")), "--account-sid", ACCOUNT_SID,
        "--auth-token-file", str(folder.secret_path("twilio-token")), "--messaging-service-sid", SERVICE_SID,
        "--portal", portal,
    ]  # fmt: skip
    return children.start("phone", command, says_ready=True)


def _post(folder: DemoFolder, children: Children) -> Child:
    command = [
        sys.executable, "-m", "sandbox.post", "--port", str(folder.port("post")),
        "--smtp-port", str(folder.port("smtp")), "--state-dir", str(folder.part("post")),
    ]  # fmt: skip
    return children.start("post", command, says_ready=True)


def _staff_identity(folder: DemoFolder, children: Children, portal: str) -> Child:
    folder.secret("staff-secret")
    command = [
        sys.executable, "-m", "sandbox.staff_identity", "--port", str(folder.port("staff")), "--portal", portal,
        "--client-secret-file", str(folder.secret_path("staff-secret")),
        "--state-dir", str(folder.part("staff-identity")),
    ]  # fmt: skip
    return children.start("staff-identity", command, says_ready=True)


def _identity_toml(issuer: str) -> str:
    """Where the demo's two members of staff sign in; what says `mfa` there is their security key."""
    return (
        f'[[identity]]\nid = "cancerlinq"\nname = "Staff sign-in (sandbox)"\nsigns_in = "staff"\nissuer = "{issuer}"\n'
        'client_id = "portal"\nclient_auth = "client_secret_basic"\nclient_secret = "file:keys/staff-secret"\n'
        'roles = { "cancerlinq-staff" = "staff", "cancerlinq-lead" = "lead" }\namr = ["mfa"]\nnetwork = "private"\n'
    )


def _providers_toml(fhir: dict[str, str]) -> str:
    common = 'client_id = "portal"\nscopes = "launch/patient openid fhirUser offline_access patient/*.rs"\n'
    common += 'care_team = true\ncancerlinq_participant = true\nnetwork = "private"\n'
    return "".join(
        f'[[provider]]\nid = "{name}"\nname = "{title}"\nstate = "MA"\nfhir_base_url = "{fhir[name]}"\n'
        f'practice = "{name}-main"\nidentifier_system = "{IDENTIFIERS[name]}"\n{how}\n{common}'
        f'frame_origins = ["{fhir[name].removesuffix("/fhir")}"]\n\n'
        for name, title, how in (
            (
                "riverside", "Riverside Cancer Center (sandbox)",
                'client_auth = "private_key_jwt"\nprivate_key = "file:keys/riverside.json"',
            ),
            (
                "lakeside", "Lakeside Medical Group (sandbox)",
                'client_auth = "client_secret_basic"\nclient_secret = "file:keys/lakeside-secret"',
            ),
        )
    )  # fmt: skip


def _stores_toml(urls: dict[str, str]) -> str:
    lines = []
    for store, name, _role, wire, holds, basis, more, deadline in STORES:
        lines += [
            "[[store]]", f'id = "{store}"', f'name = "{name}"', 'kind = "webhook"', f'transport = "{wire}"',
            f'endpoint = "{urls[store]}/notifications"', f'secrets = ["file:keys/store-{store}"]',
            f'holds = "{holds}"', f'basis = "{basis}"', f'deadline = "{deadline}"',
            f'contact = "privacy@{store}.example"', 'network = "private"',
        ]  # fmt: skip
        if basis == "operations":
            lines.append('practices = ["riverside-main", "lakeside-main"]')
        if basis == "law":
            lines.append('states = ["MA"]')
        if "effort" in more:
            lines.append(f'effort = "{more["effort"]}"')
        lines.append("")
    return "\n".join(lines)
