"""The same journey at a hospital that is not ours: others' authorization and FHIR servers (tests/third_party).

The portal in front of it runs as in production: `portal serve`, `portal worker` and `portal feed`, each a process, with
its own providers.toml and stores.toml. The two stores are the sandbox's.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from joserfc.jwk import ECKey

from sandbox.store.config import MRN_SYSTEMS, StoreConfig
from sandbox.store.server import RunningStore
from sandbox.store.server import start as start_store
from tests.journeys import steps
from tests.journeys.examination import Examiner
from tests.support.browser import Visit
from tests.support.portal import STORE_SECRET
from tests.support.postgres import TestDatabase
from tests.support.running_demo import ROOT, free_port
from tests.support.third_party import StartHospital, ThirdPartyHospital

READY_SECONDS = 120.0
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class PortalInFront:
    """A portal in front of the third-party hospital, and the two stores it tells."""

    url: str
    platform: RunningStore
    effort: RunningStore


@pytest.fixture
def portal_in_front(
    third_party_hospital: StartHospital, database: TestDatabase, tmp_path: Path
) -> Iterator[PortalInFront]:
    """The portal's own processes; stopped at the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    hospital = third_party_hospital(portal=url, redirects=[f"{url}/callback/third"])
    with contextlib.ExitStack() as running:
        stores = [_store(tmp_path, name, url, running) for name in ("cancerlinq", "living-well")]
        environment = os.environ | _settings(tmp_path, url, database, hospital, stores)
        for part, more in (("feed", []), ("worker", []), ("serve", ["--port", str(port)])):
            running.enter_context(_process(tmp_path, environment, part, *more))
        _wait_until_ready(url, tmp_path)
        yield PortalInFront(url, *stores)


def test_journey_at_a_hospital_that_is_not_ours(
    portal_in_front: PortalInFront, visit: Visit, examine: Examiner
) -> None:
    """X-01: sign in, read the record, donate, opt out; both stores do as they are told."""
    walter = visit(portal_in_front.url)
    walter.open("/")
    walter.follow("Sign in with your hospital")
    walter.page.get_by_role("link", name="Third-party hospital").click()
    walter.press("Go to my hospital")
    walter.page.get_by_label("Walter Brooks").check()
    walter.page.get_by_role("button", name="Sign in and allow").click()
    walter.sees("You are signed in. We are bringing in your record.")
    steps.wait_for_record(walter, examine)
    sent = json.loads(steps.read_an_entry(walter, examine))
    assert sent["resourceType"]

    steps.donate(walter, "living-well", "Walter Brooks", examine)
    steps.wait_until_confirmed(walter, "Living Well")
    walter.until("the data is signed for", lambda: bool(_codes(portal_in_front.effort)), again="My choices")
    assert "Brooks" not in requests.get(portal_in_front.effort.url, timeout=10).text

    walter.follow("My choices")
    walter.page.locator("#cancerlinq a.usa-button").click()
    walter.press("Take me out")
    walter.sees("You are out of CancerLinQ")
    steps.wait_until_confirmed(walter, "CancerLinQ platform")
    told = portal_in_front.platform.memory.rows("SELECT answer FROM effect ORDER BY event")
    assert [row["answer"] for row in told] == ["no"]
    walter.press("Sign out")


def _codes(effort: RunningStore) -> list[str]:
    return [row["value"] for row in effort.memory.rows("SELECT value FROM person")]


def _store(folder: Path, name: str, portal: str, running: contextlib.ExitStack) -> RunningStore:
    effort = None if name == "cancerlinq" else name
    store = start_store(
        StoreConfig(
            id=name, name=name, role="effort" if effort else "holder", secrets=(STORE_SECRET,), portal=portal,
            holds="de-identified" if effort else "identifiable", effort=effort, invented=bool(effort), hospitals=(),
            identifier_system=MRN_SYSTEMS["lakeside"], state_dir=folder / name,
        ),
        list,
    )  # fmt: skip
    running.callback(store.stop)
    return store


def _settings(
    folder: Path, url: str, database: TestDatabase, hospital: ThirdPartyHospital, stores: list[RunningStore]
) -> dict[str, str]:
    """Configuration files in `folder`, and the environment that names them."""
    key = ECKey.generate_key("P-384", {"kid": "third-1", "use": "sig", "alg": "ES384"}, private=True)
    (folder / "third.json").write_text(json.dumps(key.as_dict(private=True)))
    (folder / "store-secret").write_text(STORE_SECRET)
    database.keyring.save(folder / "ring.json")
    (folder / "providers.toml").write_text(
        f'[[provider]]\nid = "third"\nname = "Third-party hospital"\nstate = "WI"\nfhir_base_url = "{hospital.fhir}"\n'
        f'issuer = "{hospital.issuer}"\nclient_id = "{hospital.client_id}"\nclient_auth = "private_key_jwt"\n'
        f'private_key = "file:third.json"\nidentifier_system = "{MRN_SYSTEMS["lakeside"]}"\npractice = "third-main"\n'
        'network = "private"\ncancerlinq_participant = true\n'
        'scopes = "launch/patient openid fhirUser offline_access patient/*.rs"\n'
    )
    platform, effort = stores
    (folder / "stores.toml").write_text(
        _entry(platform, "CancerLinQ platform", "identifiable", 'basis = "operations"\npractices = ["third-main"]')
        + _entry(effort, "Living Well", "de-identified", 'basis = "donation"\neffort = "living-well"')
    )
    return {
        "DATABASE_URL": database.urls.web, "DATABASE_URL_WORKER": database.urls.worker,
        "DATABASE_URL_MAINTENANCE": database.urls.maintenance, "PORTAL_BASE_URL": url,
        "PORTAL_KEYS": str(folder / "ring.json"), "PORTAL_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz",
        "PORTAL_PROVIDERS": str(folder / "providers.toml"), "PORTAL_STORES": str(folder / "stores.toml"),
    }  # fmt: skip


def _entry(store: RunningStore, name: str, holds: str, more: str) -> str:
    return (
        f'[[store]]\nid = "{store.config.id}"\nname = "{name}"\nkind = "webhook"\ntransport = "backport"\n'
        f'endpoint = "{store.endpoint}"\nsecrets = ["file:store-secret"]\nholds = "{holds}"\n{more}\n'
        f'identifier_system = "{MRN_SYSTEMS["lakeside"]}"\n'
        'deadline = "1h"\ncontact = "privacy@store.example"\nnetwork = "private"\n\n'
    )


@contextlib.contextmanager
def _process(folder: Path, environment: dict[str, str], part: str, *more: str) -> Iterator[None]:
    with (folder / f"{part}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "patient_portal", part, *more],
            cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(url: str, folder: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        time.sleep(0.2)
    pytest.fail("not ready:\n" + "".join(log.read_text()[-2000:] for log in folder.glob("*.log")))
