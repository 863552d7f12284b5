"""`portal campaign`: one message to many people, planned as a set, started, paused and watched by an operator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click

from notifications.campaigns import Progress, campaigns, move, plan, progress
from notifications.texting import Texting
from notifications.topics import TOPICS
from patient_portal.in_touch.audiences import EVERYONE, audience_named
from patient_portal.in_touch.effort_results import publish, read_news
from patient_portal.in_touch.texting import texting_of
from patient_portal.settings import read_settings
from patient_portal.wiring import now, wire
from vocabulary.errors import Conflict, Invalid, NotFound

STARTED = [topic.id for topic in TOPICS.values() if topic.started]


@click.group()
def campaign() -> None:
    """Plan one message to many people; start, pause and watch it."""


@campaign.command("plan")
@click.argument("name")
@click.option("--topic", type=click.Choice(STARTED), required=True, help="What it is about: the topic's words go out.")
@click.option("--audience", default=EVERYONE, show_default=True, help="everyone, effort:ID or text:ID")
@click.option("--days", type=click.IntRange(1, 90), default=14, show_default=True, help="After that it is over.")
def plan_one(name: str, topic: str, audience: str, days: int) -> None:
    """Find out who wants to hear of this and can be reached, each once. Cut off, it goes on where it was.

    Nothing is sent before `portal campaign start NAME`.
    """
    with _parts() as (texting, _):
        found = plan(
            texting, name, topic, audience_named(audience), now(), lasts=timedelta(days=days),
            told=lambda planned: click.echo(f"{planned:,} planned"),
        )  # fmt: skip
    _say(found)


@campaign.command("show")
@click.argument("name", required=False)
def show(name: str | None) -> None:
    """How one campaign stands, or all."""
    with _parts() as (texting, per_second):
        found = [progress(texting, name)] if name else campaigns(texting)
    for one in found:
        _say(one, per_second)
    if not found:
        click.echo("There is no campaign.")


@campaign.command("start")
@click.argument("name")
def start(name: str) -> None:
    """Begin to send, at PORTAL_TEXTS_PER_SECOND, by day where people are."""
    _move(name, "start")


@campaign.command("pause")
@click.argument("name")
def pause(name: str) -> None:
    """Send no more for now; what waits already, ten seconds' worth at most, still goes."""
    _move(name, "pause")


@campaign.command("resume")
@click.argument("name")
def resume(name: str) -> None:
    """Go on with a campaign that was paused: what was not sent yet goes at the same pace."""
    _move(name, "resume")


@campaign.command("results")
@click.argument("effort")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--by", prompt="Your name", help="Who publishes it; kept with the words.")
def results(effort: str, name: str, file: Path, by: str) -> None:
    """Publish what EFFORT found out, as NAME, from FILE, and tell those who take part and want to hear of it.

    FILE is TOML with a table for each language (`[en]` has to be there), each with `title` and `words`. It is read at
    “What research found out” after signing in. Published words are never changed: give other words another NAME.
    """
    with _parts() as (texting, per_second):
        words = read_news(file.read_bytes(), read_settings(os.environ).languages)
        _say(publish(texting, effort, name, words, by, now()), per_second)


def _move(name: str, what: str) -> None:
    with _parts() as (texting, per_second):
        _say(move(texting, name, what, now()), per_second)


@contextmanager
def _parts() -> Iterator[tuple[Texting, int]]:
    settings = read_settings(os.environ)
    wiring = wire(settings, settings.database_url_worker, application_name="portal-campaign", pool_size=1)
    try:
        yield texting_of(wiring), settings.text_limits.per_second
    except (Conflict, Invalid, NotFound) as error:
        places = "".join(f"; {place}: {wrong}" for place, wrong in getattr(error, "fields", {}).items())
        raise click.ClickException(f"this cannot be done: {error.reason}{places}") from None
    finally:
        wiring.database.close()


def _say(one: Progress, per_second: int | None = None) -> None:
    click.echo(f"{one.name}: {one.state}, topic {one.topic}, for {one.audience}, until {one.expires_at:%Y-%m-%d}")
    click.echo(f"  planned {one.planned:,}, released {one.released:,}, waiting {one.waiting:,}")
    for state, number in sorted(one.by_state.items()):
        click.echo(f"  {state} {number:,}")
    if per_second and one.waiting:
        lasting = timedelta(seconds=one.waiting // per_second)
        click.echo(f"  about {lasting} more of sending time, at {per_second} a second")
