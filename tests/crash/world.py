"""The whole service as real processes, for a harness that kills them: started, watched, started again, stopped."""

from __future__ import annotations

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
from tests.crash.prepared import Prepared
from tests.crash.stores import STORES, StorePlan, make_warehouse, start_stores, stores_toml

READY_SECONDS = 120
HOSPITALS = ("riverside", "lakeside")


@dataclass
class World:
    """Everything that runs. `urls` are the base addresses by name; `web` is the portal's; `parts` the service's own
    processes, `outside` the hospitals and stores. `charts` holds a folder of more people for each hospital."""

    folder: DemoFolder
    stores: tuple[StorePlan, ...]
    hospitals: tuple[str, ...]
    charts: Path
    children: Children
    web: str = ""
    urls: dict[str, str] = field(default_factory=dict)
    parts: dict[str, Prepared] = field(default_factory=dict)
    outside: dict[str, Child] = field(default_factory=dict)
    server: EmbeddedServer | None = None

    @classmethod
    def start(
        cls, folder: Path, charts: Path, stores: tuple[StorePlan, ...] = STORES, hospitals: tuple[str, ...] = HOSPITALS
    ) -> World:
        """Start all of it from the main thread and wait until the portal says that it is ready."""
        demo = DemoFolder.open(folder)
        world = cls(demo, stores, hospitals, charts, Children(demo.part("logs")))
        try:
            world._start()
        except BaseException:
            world.stop()
            raise
        return world

    def stop(self) -> None:
        """End every part, the database last; all are asked at once, so that they end side by side."""
        everyone = [*self.outside.values(), *(part.child for part in self.parts.values())]
        for child in everyone:
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        self.children.stop_all()
        for child in everyone:
            if child.process is not None and child.process.stdout is not None:
                child.process.stdout.close()
        if self.server is not None:
            self.server.stop(immediate=True)

    def revive(self) -> None:
        """Start the database again if it has ended; from the main thread. The other parts start again by themselves."""
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
        return [
            {
                "id": store.id,
                "url": self.urls[store.id],
                "subject": store.subject,
                "kind": "sql" if store.is_warehouse else "webhook",
            }
            for store in self.stores
        ]

    def _start(self) -> None:
        self.web = f"http://127.0.0.1:{self.folder.port('web')}"
        for name in self.hospitals:
            self._start_hospital(name)
        self.outside |= start_stores(self.folder, self.children, self.stores, self.web)
        self.server = EmbeddedServer.start(self.folder.part("postgres"), port=self.folder.port("postgres"))
        urls = prepare(self.server.superuser_url, "portal", passwords_in(self.folder.path / "logins.json"))
        for name, child in self.outside.items():
            self.urls[name] = str((child.ready or child.wait_ready())["ready"])
        for store in self.stores:
            if store.is_warehouse:
                self.urls[store.id] = make_warehouse(self.folder, self.server.superuser_url, store)
        environment = self._environment(urls)
        port = self.web.rpartition(":")[2]
        for name, more in (("feed", []), ("worker", []), ("serve", ["--port", port])):
            place = self.folder.part("prepared") / name
            self.parts[name] = Prepared.start(self.children, place, name, [name, *more], environment)
        self.wait_ready()

    def _start_hospital(self, name: str) -> None:
        command = [
            sys.executable, "-m", "sandbox.hospital", "--id", name, "--port", str(self.folder.port(name)),
            "--state-dir", str(self.folder.part(name)), "--portal", self.web,
            "--patients", str(self.charts / name),
        ]  # fmt: skip
        if name == "lakeside":
            self.folder.secret("lakeside-secret")
            command += ["--client-secret-file", str(self.folder.secret_path("lakeside-secret"))]
        else:
            self.folder.client_key(name)
        self.outside[name] = self.children.start(name, command, says_ready=True)

    def _environment(self, urls: DatabaseUrls) -> Mapping[str, str]:
        self.folder.secret("session-secret")
        providers, stores = self.folder.path / "providers.toml", self.folder.path / "stores.toml"
        fhir = {name: str(self.outside[name].ready["fhir"]) for name in self.hospitals}
        providers.write_text("\n".join(_provider(name, base) for name, base in fhir.items()), encoding="utf-8")
        stores.write_text("\n".join(stores_toml(each, self.urls[each.id]) for each in self.stores), encoding="utf-8")
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
