"""Runs a demo from its main thread: database, the world outside, web, worker and feed; stops them in reverse."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import click
import requests

from database.context import as_nobody
from database.embedded import EmbeddedServer
from database.prepare import DatabaseUrls, passwords_in, prepare
from database.unit_of_work import Database
from fhir_bridge.brand_search import keep_brands
from fhir_bridge.brands import read_brands
from patient_portal.demo.children import Children, PartFailed, wait_until
from patient_portal.demo.folder import DemoFolder
from patient_portal.demo.outside import ACCOUNT_SID, SERVICE_SID, Outside, start_outside
from patient_portal.wiring import now

READY_SECONDS = 90
WATCH_SECONDS = 1.0


def run_demo(data: Path, port: int, patients: Path | None) -> None:
    """Bring everything up, print where to click, and stay until Ctrl-C or SIGTERM."""
    folder = DemoFolder.open(data)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    base_url = f"http://127.0.0.1:{port}"
    children = Children(folder.part("logs"))
    server: EmbeddedServer | None = None
    try:
        click.echo("Starting the database, two hospitals, seven data stores, a phone network and a post office …")
        server, urls = _database(folder)
        outside = start_outside(folder, children, base_url, patients)
        _load_brands(urls, outside)
        environment = _environment(folder, urls, outside, base_url)
        for name, more in (("feed", []), ("worker", []), ("serve", ["--port", str(port)])):
            children.start(name, [sys.executable, "-m", "patient_portal", name, *more], environment, says_ready=False)
        _wait_until_ready(folder, base_url, stop)
        if not stop.is_set():
            _say_where(base_url, outside)
        while not stop.wait(WATCH_SECONDS):
            if server is not None:
                server.ensure_running()
            for name in children.revive():
                click.echo(f"{name} had ended and was started again.", err=True)
    except PartFailed as error:
        raise click.ClickException(str(error)) from None
    finally:
        children.stop_all()
        if server is not None:
            server.stop()
        click.echo("Stopped.")


def _load_brands(urls: DatabaseUrls, outside: Outside) -> None:
    """The names and places of the two hospitals, as they publish them, so that the picker finds their clinics."""
    database = Database(urls.worker, pool_size=1, application_name="portal-demo")
    with database.begin(as_nobody()) as session:
        for name in outside.fhir:
            bundle = requests.get(f"{outside.urls[name]}/brands.json", timeout=10).json()
            keep_brands(session, name, read_brands(bundle), now())
    database.close()


def _database(folder: DemoFolder) -> tuple[EmbeddedServer | None, DatabaseUrls]:
    """`DATABASE_URL` (and its two companions) when set; else our own server in the demo's folder."""
    if os.environ.get("DATABASE_URL"):
        web = os.environ["DATABASE_URL"]
        worker = os.environ.get("DATABASE_URL_WORKER", web)
        return None, DatabaseUrls(web, worker, os.environ.get("DATABASE_URL_MAINTENANCE", worker))
    server = EmbeddedServer.start(folder.part("postgres"), port=folder.port("postgres"))
    return server, prepare(server.superuser_url, "portal", passwords_in(folder.path / "logins.json"))


def _environment(folder: DemoFolder, urls: DatabaseUrls, outside: Outside, base_url: str) -> Mapping[str, str]:
    folder.secret("session-secret")
    return {
        "DATABASE_URL": urls.web,
        "DATABASE_URL_WORKER": urls.worker,
        "DATABASE_URL_MAINTENANCE": urls.maintenance,
        "PORTAL_BASE_URL": base_url,
        "PORTAL_KEYS": str(folder.key_ring()),
        "PORTAL_SECRET_KEY_FILE": str(folder.secret_path("session-secret")),
        "PORTAL_PROVIDERS": str(outside.providers),
        "PORTAL_STORES": str(outside.stores),
        "OPERATOR_ROLE": os.environ.get("OPERATOR_ROLE", "business-associate"),
        "BAA_CONFIRMED": "true",
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN_FILE": str(folder.secret_path("twilio-token")),
        "TWILIO_MESSAGING_SERVICE_SID": SERVICE_SID,
        "TWILIO_API_BASE": outside.urls["phone"],
        "SMTP_URL": outside.smtp,
        "SMTP_FROM": "no-reply@portal.example",
        "PORTAL_BACKGROUND_NICE": "0",  # one person looks on, and waits for worker and feed alone
    }


def _wait_until_ready(folder: DemoFolder, base_url: str, stop: threading.Event) -> None:
    if not wait_until(lambda: stop.is_set() or _is_ready(base_url), READY_SECONDS):
        raise PartFailed(f"the service did not become ready; see {folder.part('logs')}")


def _is_ready(base_url: str) -> bool:
    try:
        return bool(requests.get(f"{base_url}/readyz", timeout=2).status_code == 200)
    except requests.RequestException:
        return False


def _say_where(base_url: str, outside: Outside) -> None:
    stores = [name for name in outside.urls if name not in {"riverside", "lakeside", "phone", "post", "staff"}]
    click.echo("\nEverybody here is invented, and nothing leaves this machine.\n")
    click.echo(f"  The portal, as a patient      {base_url}")
    for name in ("riverside", "lakeside"):
        click.echo(f"  {name.title():12} as a nurse      {outside.urls[name]}/chart")
    click.echo(f"  Staff of CancerLinQ           {base_url}/staff")
    click.echo(f"  The phone, to read texts      {outside.urls['phone']}")
    click.echo(f"  The post, to read mails       {outside.urls['post']}")
    click.echo(f"  The operator's page           {base_url}/operator")
    for name in stores:
        click.echo(f"  Data store {name:12}       {outside.urls[name]}")
    click.echo(f"\nReady: {base_url}", nl=True)
    click.echo("Ctrl-C stops everything; what you did is kept.")
    sys.stdout.flush()
