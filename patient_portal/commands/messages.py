"""`portal messages`: every text as this installation would send it, what it costs, the budget, letters to post, and a
stop that somebody told us by other means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from database.context import as_nobody
from notifications.inbound import stop_for
from notifications.lint import findings, measured
from notifications.spend import spent
from notifications.texting import Texting
from patient_portal.in_touch.letters import print_letters, waiting_letters
from patient_portal.in_touch.texting import programme_of, texting_of
from patient_portal.settings import read_settings
from patient_portal.wiring import now, wire


@click.group()
def messages() -> None:
    """Look at what is sent to people: words, lengths, budget; print the letters that wait; enter a stop."""


@messages.command("list")
@click.option("--words", is_flag=True, help="The words too.")
def list_messages(words: bool) -> None:
    """Every text in each language, with its encoding, length and segments under your name and address."""
    for one in measured(programme_of(read_settings(os.environ))):
        line = f"{one.language}  {one.kind:16} {one.encoding}  {one.length:4} characters  {one.segments} segment(s)"
        click.echo(f"{line}  {one.words}" if words else line)


@messages.command()
def lint() -> None:
    """Read every text and mail, your name, link and mail address for what may not be said; exits with 1 if found."""
    settings = read_settings(os.environ)
    found = findings(programme_of(settings), settings.mail.sender if settings.mail else None)
    for one in found:
        click.echo(f"{one.where}: {one.problem}")
    if found:
        raise click.ClickException("some words must not go out as they are")
    click.echo("Nothing we send names an illness, a person or a choice, and each text is one segment.")


@messages.command()
def budget() -> None:
    """How much of the budget is used, in segments."""
    with _parts() as texting:
        limits = texting.budget
        with texting.database.begin(as_nobody()) as session:
            used = spent(session, texting, now())
        click.echo(f"today    {used['day']:,} of {limits.day:,}")
        click.echo(f"30 days  {used['month']:,} of {limits.month:,}")
        click.echo(f"a number {limits.number_day} a day, a person {limits.person_day}, a prefix {limits.prefix_day:,}")


@messages.command("letters")
@click.option("--print", "folder", type=click.Path(path_type=Path), help="Write them as PDF here; they count as sent.")
def letters(folder: Path | None) -> None:
    """The letters that wait to be posted; with --print as PDF files, one each."""
    with _parts() as texting:
        if folder is not None:
            here = now().astimezone(ZoneInfo(read_settings(os.environ).time_zone))
            click.echo(f"{print_letters(texting, folder, here)} written to {folder}")
            return
        for one in waiting_letters(texting, now()):
            click.echo(f"{one.id}  {one.topic:16} since {one.since:%Y-%m-%d}")


@messages.command()
@click.option("--by", prompt="Your name", help="Who enters it; kept with the no.")
@click.option("--why", prompt="How they told us", help="Such as: by phone today; name no illness. Kept with the no.")
def stop(by: str, why: str) -> None:
    """Send nothing more to a number or mail address whose owner told us so, by whatever means (SMS-03).

    It is asked for, so that it stands in no history of commands. Nothing else about these people changes.
    """
    if not by.strip() or not why.strip():
        raise click.ClickException("say who enters it and how they told us")
    typed = click.prompt("Number or mail address")
    with _parts() as texting:
        people = stop_for(texting, typed, by.strip(), why.strip(), now())
    click.echo(f"Noted: nothing more goes there. People who had given it: {people}.")


@contextmanager
def _parts() -> Iterator[Texting]:
    settings = read_settings(os.environ)
    wiring = wire(settings, settings.database_url_worker, application_name="portal-messages", pool_size=1)
    try:
        yield texting_of(wiring)
    finally:
        wiring.database.close()
