"""`portal settings`: what is in force, with secrets left out."""

from __future__ import annotations

import os

import click

from patient_portal.settings import read_settings


@click.command()
def settings() -> None:
    """Check all settings and show what is in force, secrets left out.

    Exits with 78 and names the file, the line and the remedy when something is wrong.
    """
    for name, value in read_settings(os.environ).shown().items():
        click.echo(f"{name:24} {value}")
