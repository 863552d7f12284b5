"""`portal texts`: the consent texts, their versions, and whether they may be served."""

from __future__ import annotations

import os

import click

from consent.authorization import load_texts, missing_elements
from consent.kept_texts import refuse_edited_texts
from database.context import as_nobody
from database.unit_of_work import Database
from patient_portal.settings import read_settings


@click.group()
def texts() -> None:
    """Look at the consent texts: versions, languages, who reviewed them."""


@texts.command("list")
def list_texts() -> None:
    """Every version in every language, with its hash, its review and whether it asks people again."""
    for text in sorted(load_texts().all, key=lambda each: (each.id, each.version, each.language)):
        kind = "major" if text.major else "minor"
        numbers = f"{text.id:16} {text.version:>3} {text.language:4} {kind}"
        click.echo(f"{numbers}  {text.review:9} {text.sha256[:12]}  {text.reviewer}")


@texts.command()
def check() -> None:
    """Compare the files with what the database keeps, and name what keeps people from signing.

    Exits with 78 when a text was edited without a new version, and with 1 when somebody could not sign.
    """
    settings = read_settings(os.environ)
    found = load_texts()
    database = Database(settings.database_url, pool_size=1, application_name="portal-texts")
    with database.begin(as_nobody()) as session:
        refuse_edited_texts(session, found.all)
    database.close()
    problems = []
    for text_id in sorted({text.id for text in found.all}):
        for language in settings.languages:
            newest = found.newest(text_id, language)
            where = f"{text_id}, {language}"
            if newest is None:
                problems.append(f"{where}: no text of version {found.newest_major(text_id)}; an interpreter is offered")
            elif missing_elements(newest):
                problems.append(f"{where}: lacks {', '.join(missing_elements(newest))}")
            elif settings.production and newest.review != "approved":
                problems.append(f"{where}: version {newest.version} is not reviewed")
    for problem in problems:
        click.echo(problem)
    if problems:
        raise click.ClickException("not everyone can sign in their language")
    click.echo("Every text is as it was shown, and can be signed in every language.")
