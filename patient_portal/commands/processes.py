"""`portal serve`, `portal api`, `portal worker`, `portal feed`: the processes of production."""

from __future__ import annotations

import os

import click

from patient_portal.choices.catalogue import refuse_texts_edited_since
from patient_portal.serving import serve_api, serve_pages
from patient_portal.settings import read_settings
from patient_portal.working import run_feed_process, run_worker_process
from vocabulary.config_file import ConfigError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on.")
@click.option("--processes", default=1, show_default=True, help="Web processes.")
@click.option("--threads", default=8, show_default=True, help="Requests answered at once by each process.")
def serve(host: str, port: int, processes: int, threads: int) -> None:
    """Serve the pages."""
    refuse_texts_edited_since(read_settings(os.environ))
    serve_pages(host=host, port=port, processes=processes, threads=threads)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8002, show_default=True, help="Port to listen on.")
@click.option("--processes", default=1, show_default=True, help="Processes.")
@click.option("--threads", default=4, show_default=True, help="Requests answered at once by each process.")
def api(host: str, port: int, processes: int, threads: int) -> None:
    """Answer stores, auditors and pipelines: FHIR under /fhir, decisions under /decide, tokens at /oauth/token."""
    if not read_settings(os.environ).clients:
        problem, remedy = "names no client, so nobody could ask", "Set PORTAL_CLIENTS to the path of clients.toml"
        raise ConfigError("PORTAL_CLIENTS", problem, remedy)
    serve_api(host=host, port=port, processes=processes, threads=threads)


@click.command()
@click.option("--concurrency", default=4, show_default=True, help="Jobs done at once.")
def worker(concurrency: int) -> None:
    """Do the jobs: bring records in, send texts, keep timers. Any number may run."""
    run_worker_process(read_settings(os.environ), concurrency)


@click.command()
def feed() -> None:
    """Put decisions in order and tell the stores. Any number may run; locks let one work on each store."""
    run_feed_process(read_settings(os.environ))
