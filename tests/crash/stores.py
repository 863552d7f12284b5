"""The data stores of a storm: sandbox stores over HTTP, and a warehouse in PostgreSQL that notes what it was told."""

from __future__ import annotations

import json
import secrets
import sys
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg

from consent.stores.warehouse_tables import ddl
from database.prepare import create_database, with_database
from patient_portal.demo.children import Child, Children
from patient_portal.demo.folder import DemoFolder

NIGHT_SECONDS = 60


@dataclass(frozen=True)
class StorePlan:
    """One store of the storm. `subject` is the kind of decision it is told of: cancerlinq, or an effort."""

    id: str
    role: str
    transport: str
    subject: str
    holds: str = "identifiable"

    @property
    def name(self) -> str:
        return f"{self.id.title()} (sandbox)"

    @property
    def is_warehouse(self) -> bool:
        return self.role == "warehouse"


STORES = (
    StorePlan("cancerlinq", "holder", "backport", "cancerlinq"),
    StorePlan("discovery", "discovery", "ndjson", "cancerlinq", "de-identified"),
    StorePlan("living-well", "effort", "ndjson", "living-well", "de-identified"),
    StorePlan("warehouse", "warehouse", "native", "cancerlinq"),
)
# The warehouse's own: every change of the table that it gives us is noted, in the same transaction.
NOTES = """
CREATE TABLE told (id bigserial PRIMARY KEY, event bigint, system text, value text, choice text, effort text,
                   version bigint, answer text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $f$ BEGIN
  INSERT INTO told (event, system, value, choice, effort, version, answer)
  VALUES (NEW.event, NEW.system, NEW.value, NEW.choice, NEW.effort, NEW.version, NEW.answer);
  RETURN NEW;
END $f$;
CREATE TRIGGER noted AFTER INSERT OR UPDATE ON portal_consent_state FOR EACH ROW EXECUTE FUNCTION note();
"""


def start_stores(folder: DemoFolder, children: Children, stores: tuple[StorePlan, ...], web: str) -> dict[str, Child]:
    """Start every sandbox store; the platform is ready when this returns, for the others copy from it."""
    started: dict[str, Child] = {}
    platform = ""
    for store in (each for each in stores if not each.is_warehouse):
        config = folder.part("stores") / f"{store.id}.json"
        config.write_text(json.dumps(_sandbox_config(folder, store, web, platform)), encoding="utf-8")
        command = [
            sys.executable, "-m", "sandbox.store", "--config", str(config), "--port",
            str(folder.port(store.id)), "--state-dir", str(folder.part(f"store-{store.id}")),
        ]  # fmt: skip
        started[store.id] = children.start(store.id, command, says_ready=True)
        if store.id == "cancerlinq":
            platform = str(started[store.id].wait_ready()["ready"])
    return started


def _sandbox_config(folder: DemoFolder, store: StorePlan, web: str, platform: str) -> dict[str, object]:
    values: dict[str, object] = {
        "id": store.id, "name": store.name, "role": store.role, "holds": store.holds, "portal": web,
        "secrets": [folder.store_secret(store.id)], "hospitals": ["riverside", "lakeside"],
        "nightly_seconds": NIGHT_SECONDS,
    }  # fmt: skip
    if store.role == "effort":
        return values | {"effort": store.subject, "invented": True, "hospitals": []}
    values["feed_token"] = folder.secret("feed-token")
    if store.role != "holder":
        values["platform"] = platform
    return values


def make_warehouse(folder: DemoFolder, superuser_url: str, store: StorePlan) -> str:
    """A database on the same server, so that a killed postmaster takes this store down too; its owner's URL."""
    create_database(superuser_url, store.id)
    owner = with_database(superuser_url, store.id)
    password = secrets.token_hex(16)
    place = urlsplit(superuser_url).netloc.rpartition("@")[2]
    path = folder.secret_path(f"store-{store.id}")
    path.write_text(f"postgresql://{store.id}:{password}@{place}/{store.id}", encoding="utf-8")
    path.chmod(0o600)
    grants = [line.removeprefix("-- ") for line in ddl(store.id, store.id).splitlines() if line.startswith("-- GRANT")]
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {store.id} LOGIN PASSWORD '{password}'".encode())
        for statement in (ddl(store.id, store.id), *(line for line in grants if "portal_holds" not in line), NOTES):
            connection.execute(statement.encode())
    return owner


def stores_toml(store: StorePlan, url: str) -> str:
    """The store's table in stores.toml; `url` is a sandbox store's base, or a warehouse owner's URL."""
    whose = (
        f'basis = "donation"\neffort = "{store.subject}"'
        if store.role == "effort"
        else 'basis = "operations"\npractices = ["riverside-main", "lakeside-main"]'
    )
    if store.is_warehouse:
        parts = urlsplit(url)
        how = f'kind = "sql"\nendpoint = "postgresql://{parts.hostname}:{parts.port}{parts.path}"'
    else:
        how = f'kind = "webhook"\ntransport = "{store.transport}"\nendpoint = "{url}/notifications"'
    return (
        f'[[store]]\nid = "{store.id}"\nname = "{store.name}"\n{how}\n'
        f'secrets = ["file:keys/store-{store.id}"]\nholds = "{store.holds}"\n'
        f'{whose}\ndeadline = "1h"\ncontact = "privacy@{store.id}.example"\nnetwork = "private"\n'
    )
