"""The `portal` command: every process of the service, and what an operator does by hand."""

from __future__ import annotations

import os
import sys

import click

from patient_portal.commands.campaign import campaign
from patient_portal.commands.database import db
from patient_portal.commands.decide import decide
from patient_portal.commands.demo import demo
from patient_portal.commands.efforts import efforts
from patient_portal.commands.keys import keys
from patient_portal.commands.ledger import ledger
from patient_portal.commands.messages import messages
from patient_portal.commands.processes import api, feed, serve, worker
from patient_portal.commands.providers import providers
from patient_portal.commands.requests import requests
from patient_portal.commands.settings import settings
from patient_portal.commands.staff import staff
from patient_portal.commands.stores import stores
from patient_portal.commands.texts import texts
from patient_portal.logs import configure_logs
from vocabulary.config_file import ConfigError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
def portal(log_level: str) -> None:
    """Patient data access and consent for people with cancer.

    To look at it, run `portal demo`: it starts everything on this machine with invented people and prints where to
    click. In production run `portal db upgrade` once per version, then `portal serve`, `portal worker` and
    `portal feed`, as many of each as you need; `portal api` where stores, auditors or pipelines ask. Settings come from
    the environment; `portal settings` shows them.
    """
    configure_logs(os.environ.get("PORTAL_LOG_LEVEL", log_level))


for command in (
    api, campaign, db, decide, demo, efforts, feed, keys, ledger, messages, providers, requests, serve, settings, staff,
    stores, texts, worker,
):  # fmt: skip
    portal.add_command(command)


def main() -> None:
    """Entry of the `portal` script: a wrong setting is one clear line, not a trace."""
    try:
        portal(standalone_mode=False)
    except ConfigError as error:
        click.echo(f"portal cannot start. {error}", err=True)
        sys.exit(78)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
