"""The worker and feed processes: composed here, because they bring rooms together that do not know each other."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import suppress

import structlog

from consent.feed.run import run_feed
from database.context import as_nobody
from database.heartbeat import beat
from database.jobs import job_app
from database.unit_of_work import Database
from patient_portal.choices.catalogue import write_catalogue
from patient_portal.choices.donating import start_deliveries
from patient_portal.in_touch.texting import run_texting
from patient_portal.jobs import JOBS
from patient_portal.settings import Settings
from patient_portal.wiring import now, wire
from patient_portal.with_parent import end_with_parent
from vocabulary.errors import Unavailable

log = structlog.get_logger()
BEAT_SECONDS = 5


class Heartbeat(threading.Thread):
    """Says every few seconds that this process is at work, until `stop` is set."""

    def __init__(self, database: Database, kind: str, stop: threading.Event) -> None:
        super().__init__(daemon=True, name=f"heartbeat-{kind}")
        self._database, self._kind, self._ended = database, kind, stop

    def run(self) -> None:
        while True:
            with suppress(Unavailable), self._database.begin(as_nobody()) as session:
                beat(session, self._kind, now())
            if self._ended.wait(BEAT_SECONDS):
                return


def run_worker_process(settings: Settings, concurrency: int) -> None:
    """Do jobs until SIGTERM; a job under way is finished first."""
    end_with_parent()
    os.nice(settings.background_nice)
    wiring = wire(settings, settings.database_url_worker, application_name="portal-worker")
    stop = threading.Event()
    Heartbeat(wiring.database, "worker", stop).start()
    texting = threading.Thread(target=run_texting, args=(wiring, stop), name="texting")
    texting.start()
    app = job_app(settings.database_url_worker, JOBS)

    async def work() -> None:
        async with app.open_async():
            await app.run_worker_async(
                concurrency=concurrency,
                delete_jobs="successful",
                additional_context={"wiring": wiring, "app": app},
                fetch_job_polling_interval=1.0,
                shutdown_graceful_timeout=20,
            )

    log.info("started", part="worker")
    try:
        asyncio.run(work())
    finally:
        stop.set()
        texting.join(10)
    wiring.database.close()


def run_feed_process(settings: Settings) -> None:
    """Sequence and deliver until SIGTERM."""
    end_with_parent()
    os.nice(settings.background_nice)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    wiring = wire(settings, settings.database_url_worker, application_name="portal-feed", pool_size=20)
    write_catalogue(wiring, now())
    log.info("started", part="feed")
    deliveries = start_deliveries(wiring, stop)
    run_feed(wiring.database, wiring.keyring, wiring.settings.stores, wiring.http, stop)
    deliveries.join(10)
    wiring.database.close()
