"""The whole service as real processes, for a harness that kills them: started, watched, started again, stopped."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import requests

from database.embedded import EmbeddedServer
from database.prepare import DatabaseUrls, passwords_in, prepare
from patient_portal.demo.children import Child, Children
from patient_portal.demo.folder import DemoFolder
from patient_portal.demo.outside import IDENTIFIERS

READY_SECONDS = 120
HOSPITALS = ("riverside", "lakeside")


@dataclass(frozen=True)
class StorePlan:
    """One sandbox store of the storm. `subject` is the kind of decision it is told of: cancerlinq, or an effort."""

    id: str
    role: str
    transport: str
    subject: str
    holds: str = "identifiable"

    @property
    def name(self) -> str:
        return f"{self.id.title()} (sandbox)"


STORES = (
    StorePlan("cancerlinq", "holder", "backport", "cancerlinq"),
    StorePlan("concerto", "curator", "ndjson", "cancerlinq"),
    StorePlan("discovery", "discovery", "ndjson", "cancerlinq", "de-identified"),
    StorePlan("living-well", "effort", "ndjson", "living-well", "de-identified"),
)


@dataclass
class World:
    """Everything that runs. `urls` are the base addresses by name; `web` is the portal's."""

    folder: DemoFolder
    stores: tuple[StorePlan, ...]
    hospitals: tuple[str, ...]
    children: Children
    web: str = ""
    urls: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Child] = field(default_factory=dict)
    server: EmbeddedServer | None = None

    @classmethod
    def start(
        cls, folder: Path, stores: tuple[StorePlan, ...] = STORES, hospitals: tuple[str, ...] = HOSPITALS
    ) -> World:
        """Start all of it from the main thread and wait until the portal says that it is ready."""
        demo = DemoFolder.open(folder)
        world = cls(demo, stores, hospitals, Children(demo.part("logs")))
        try:
            world._start()
        except BaseException:
            world.stop()
            raise
        return world

    def stop(self) -> None:
        """End every part, the database last; all are asked at once, so that they end side by side."""
        for child in self.parts.values():
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        self.children.stop_all()
        for child in self.parts.values():
            if child.process is not None and child.process.stdout is not None:
                child.process.stdout.close()
        if self.server is not None:
            self.server.stop(immediate=True)

    def revive(self) -> None:
        """Start again what has ended; from the main thread."""
        assert self.server is not None
        self.server.ensure_running()
        self.children.revive()

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.web}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def wait_ready(self) -> None:
        """Heal until the portal is ready; only a safety bound."""
        end = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            assert time.monotonic() < end, f"not ready; see {self.folder.path / 'logs'}"
            self.revive()
            time.sleep(0.2)

    def store_list(self) -> list[dict[str, str]]:
        """What the checker is told of the stores: where they are and what they are told of."""
        return [{"id": store.id, "url": self.urls[store.id], "subject": store.subject} for store in self.stores]

    def _start(self) -> None:
        self.web = f"http://127.0.0.1:{self.folder.port('web')}"
        for name in self.hospitals:
            self._start_hospital(name)
        self._start_stores()
        self.server = EmbeddedServer.start(self.folder.part("postgres"), port=self.folder.port("postgres"))
        urls = prepare(self.server.superuser_url, "portal", passwords_in(self.folder.path / "logins.json"))
        for name, child in self.parts.items():
            self.urls[name] = str((child.ready or child.wait_ready())["ready"])
        environment = self._environment(urls)
        port = self.web.rpartition(":")[2]
        for name, more in (("feed", []), ("worker", []), ("serve", ["--port", port])):
            command = [sys.executable, "-m", "patient_portal", name, *more]
            self.parts[name] = self.children.start(name, command, environment, says_ready=False)
        self.wait_ready()

    def _start_hospital(self, name: str) -> None:
        command = [
            sys.executable, "-m", "sandbox.hospital", "--id", name, "--port", str(self.folder.port(name)),
            "--state-dir", str(self.folder.part(name)), "--portal", self.web,
        ]  # fmt: skip
        if name == "lakeside":
            self.folder.secret("lakeside-secret")
            command += ["--client-secret-file", str(self.folder.secret_path("lakeside-secret"))]
        else:
            self.folder.client_key(name)
        self.parts[name] = self.children.start(name, command, says_ready=True)

    def _start_stores(self) -> None:
        for store in self.stores:
            config = self.folder.part("stores") / f"{store.id}.json"
            config.write_text(json.dumps(self._store_config(store)), encoding="utf-8")
            command = [
                sys.executable, "-m", "sandbox.store", "--config", str(config), "--port",
                str(self.folder.port(store.id)), "--state-dir", str(self.folder.part(f"store-{store.id}")),
            ]  # fmt: skip
            self.parts[store.id] = self.children.start(store.id, command, says_ready=True)
            if store.id == "cancerlinq":  # the others copy from it
                self.urls[store.id] = str(self.parts[store.id].wait_ready()["ready"])

    def _store_config(self, store: StorePlan) -> dict[str, object]:
        values: dict[str, object] = {
            "id": store.id, "name": store.name, "role": store.role, "holds": store.holds, "portal": self.web,
            "secrets": [self.folder.store_secret(store.id)], "hospitals": list(HOSPITALS), "nightly_seconds": 20,
        }  # fmt: skip
        if store.role == "effort":
            return values | {"effort": store.subject, "invented": True, "hospitals": []}
        values["feed_token"] = self.folder.secret("feed-token")
        if store.role != "holder":
            values["platform"] = self.urls["cancerlinq"]
        return values

    def _environment(self, urls: DatabaseUrls) -> Mapping[str, str]:
        self.folder.secret("session-secret")
        providers, stores = self.folder.path / "providers.toml", self.folder.path / "stores.toml"
        fhir = {name: str(self.parts[name].ready["fhir"]) for name in self.hospitals}
        providers.write_text("\n".join(_provider(name, base) for name, base in fhir.items()), encoding="utf-8")
        stores.write_text("\n".join(_store(store, self.urls[store.id]) for store in self.stores), encoding="utf-8")
        return {
            "DATABASE_URL": urls.web,
            "DATABASE_URL_WORKER": urls.worker,
            "DATABASE_URL_MAINTENANCE": urls.maintenance,
            "PORTAL_BASE_URL": self.web,
            "PORTAL_KEYS": str(self.folder.key_ring()),
            "PORTAL_SECRET_KEY_FILE": str(self.folder.secret_path("session-secret")),
            "PORTAL_PROVIDERS": str(providers),
            "PORTAL_STORES": str(stores),
        }


def _provider(name: str, fhir: str) -> str:
    how = {
        "riverside": 'client_auth = "private_key_jwt"\nprivate_key = "file:keys/riverside.json"',
        "lakeside": 'client_auth = "client_secret_basic"\nclient_secret = "file:keys/lakeside-secret"',
    }[name]
    return (
        f'[[provider]]\nid = "{name}"\nname = "{name.title()} (sandbox)"\nstate = "MA"\nfhir_base_url = "{fhir}"\n'
        f'practice = "{name}-main"\nidentifier_system = "{IDENTIFIERS[name]}"\n{how}\nclient_id = "portal"\n'
        'scopes = "launch/patient openid fhirUser offline_access patient/*.rs"\n'
        'care_team = true\ncancerlinq_participant = true\nnetwork = "private"\n'
    )


def _store(store: StorePlan, url: str) -> str:
    whose = (
        f'basis = "donation"\neffort = "{store.subject}"'
        if store.role == "effort"
        else 'basis = "operations"\npractices = ["riverside-main", "lakeside-main"]'
    )
    return (
        f'[[store]]\nid = "{store.id}"\nname = "{store.name}"\nkind = "webhook"\ntransport = "{store.transport}"\n'
        f'endpoint = "{url}/notifications"\nsecrets = ["file:keys/store-{store.id}"]\nholds = "{store.holds}"\n'
        f'{whose}\ndeadline = "1h"\ncontact = "privacy@{store.id}.example"\nnetwork = "private"\n'
    )
