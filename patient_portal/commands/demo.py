"""`portal demo`: everything on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import click

from patient_portal.demo.run import run_demo


@click.command()
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), default=Path(".demo"), show_default=True,
    help="Folder in which the demo's state lives; it is kept from run to run.",
)  # fmt: skip
@click.option("--port", type=int, default=lambda: int(os.environ.get("PORT", "8000")), help="Port of the pages. [8000]")
@click.option(
    "--patients", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of FHIR files; each one-patient Bundle becomes a person at Riverside.",
)  # fmt: skip
def demo(data: Path, port: int, patients: Path | None) -> None:
    """Run everything on this machine with invented people, and print where to click.

    Starts PostgreSQL, two hospitals, seven data stores, a phone network, a post office and where staff sign in,
    then the service itself.
    Ctrl-C stops every part. With DATABASE_URL set, that database is used instead of one of its own.
    """
    run_demo(data, port, patients)
