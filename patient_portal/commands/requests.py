"""`portal requests`: researchers' requests for donated data, from submission to the files (X-07…09)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import orjson

from database.context import as_nobody
from patient_portal.commands.login import BY_LOGIN
from patient_portal.commands.requests_shown import as_json_of, detail_in_words, plain, stage_of, told_to_donors
from patient_portal.settings import read_settings
from patient_portal.wiring import Wiring, now, wire
from research.requests import datasets, fulfil, process, verbs
from research.requests.asked_for import AskedFor, read_file
from research.requests.clause import NO_REIDENTIFICATION
from research.requests.clause import WORDS as CLAUSE_WORDS
from research.requests.process import Criterion, Outcome, Standing
from research.requests.rows import read_request, read_requests
from vocabulary.errors import Invalid, NotFound, PortalError

SENTENCES = {**process.WORDS, **datasets.WORDS, **fulfil.WORDS}
ID = click.argument("request_id", metavar="ID", type=click.UUID)
WHY = click.option("--why", required=True, help="Kept with the request for good: name no patient.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print all that is known as JSON.")


class _Dollars(click.ParamType[int]):
    """An amount in dollars, as whole cents."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            cents = Decimal(str(value)) * 100
        except InvalidOperation:
            self.fail("write dollars and cents, such as 1250.00", param, ctx)
        if not cents.is_finite() or cents < 0 or cents != cents.to_integral_value() or cents > 10**12:
            self.fail("write dollars and cents, such as 1250.00", param, ctx)
        return int(cents)


@click.group()
def requests() -> None:
    """Look after researchers' requests for donated data.

    The steps: submit, check, review, decide, draft-dua, sign-dua and pay (in either order), fulfil; withdraw at any
    time before the end. What comes too early is refused and changes nothing. Each step is kept for good with the login
    that took it, and when. Everything reads the service's settings and works under DATABASE_URL_WORKER.
    """


@contextmanager
def opened(purpose: str) -> Iterator[Wiring]:
    """The parts of the service under the worker's login; what the service refuses is told in words, exit code 1."""
    settings = read_settings(os.environ)
    wiring = wire(settings, settings.database_url_worker, application_name=f"portal-requests-{purpose}", pool_size=2)
    try:
        yield wiring
    except NotFound:
        raise click.ClickException("There is no request with this id: portal requests list") from None
    except Invalid as error:
        faults = "".join(f"\n  {field}: {fault}" for field, fault in error.fields.items())
        raise click.ClickException(f"Not done: this cannot be taken as it is.{faults}") from None
    except PortalError as error:
        raise click.ClickException(f"Not done: {SENTENCES.get(error.reason, error.reason)}") from None
    finally:
        wiring.http.close()
        wiring.database.close()


@requests.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--answers", type=click.UUID, metavar="ID", help="FILE answers what was asked about this request.")
@BY_LOGIN
def submit(file: Path, answers: UUID | None, who: str) -> None:
    """Take in the request that FILE holds (.toml, or .json); print its id.

    Every fault is named by its field and nothing is kept then. docs/research-requests.md shows a whole file. With
    --answers it takes the place of what ID asked for, and check and review begin anew.
    """
    with opened("submit") as wiring:
        asked = _read(file)
        if answers is not None:
            stands = verbs.answer(wiring.database, answers, asked, who, now())
            made = answers
        else:
            made, stands = verbs.submit(wiring.database, asked, who, now()), None
    click.echo(f"{made}")
    if (stands.accepted if stands else asked.clause) != NO_REIDENTIFICATION:
        click.echo(f"It cannot be approved before its team accepts {_clause_name()}:\n  {CLAUSE_WORDS}", err=True)


def _read(file: Path) -> AskedFor:
    return read_file(file.read_bytes(), is_json=file.suffix.lower() == ".json", on=now().date())


def _clause_name() -> str:
    return f"the clause {NO_REIDENTIFICATION.id}, version {NO_REIDENTIFICATION.version}"


@requests.command("list")
@AS_JSON
def list_them(as_json: bool) -> None:
    """The newest requests and where each stands."""
    with opened("list") as wiring, wiring.database.begin(as_nobody()) as session:
        found = read_requests(session)
    if as_json:
        click.echo(orjson.dumps([as_json_of(one) for one in found], option=orjson.OPT_INDENT_2).decode())
        return
    for one in found:
        click.echo(f"{one.id}  {one.submitted_at:%Y-%m-%d}  {stage_of(one.stands):32}  {one.content['title']}")
    if not found:
        click.echo("No requests yet: portal requests submit FILE")


@requests.command()
@ID
@AS_JSON
def show(request_id: UUID, as_json: bool) -> None:
    """What a request asks for, where it stands, and everything that happened to it."""
    with opened("show") as wiring, wiring.database.begin(as_nobody()) as session:
        request = read_request(session, request_id)
    if as_json:
        click.echo(orjson.dumps(as_json_of(request), option=orjson.OPT_INDENT_2).decode())
        return
    click.echo(f"{request.id}: {stage_of(request.stands)}")
    for name in ("title", "dataset", "parts", "organization", "contact", "question", "team", "mission", "purpose"):
        click.echo(f"  {name:14} {plain(request.content[name])}")
    accepted = request.stands.accepted
    click.echo(f"  {'clause':14} {f'{accepted.id}, version {accepted.version}' if accepted else 'not accepted'}")
    for part, words in told_to_donors(request.dataset).items():
        click.echo(f"  donors signed  {part}: {words}")
    for noted in request.history:
        words = detail_in_words(noted.event.detail)
        click.echo(f"{noted.at:%Y-%m-%d %H:%M:%SZ}  {noted.event.kind:18}  by {noted.event.who}  {words}")


@requests.command()
@ID
@BY_LOGIN
def check(request_id: UUID, who: str) -> None:
    """Count the people whose donated data could go into the files today. A number under 11 is not shown and not kept.

    Only yeses that stand now count, for the parts asked for. With fewer than 11 the request can be denied, or its team
    asked for more; nothing is reviewed.
    """
    with opened("check") as wiring:
        found = verbs.check(wiring.database, request_id, who, now())
    click.echo(f"{found:,} people" if found is not None else "Fewer than 11 people.")


@requests.command()
@ID
@click.option("--merit/--no-merit", required=True, help="Is the question sound science?")
@click.option("--team/--no-team", required=True, help="Is the team able to do it?")
@click.option("--mission/--no-mission", required=True, help="Does it fit the mission?")
@click.option("--form/--no-form", required=True, help="Do the words that donors signed let this team have the data?")
@WHY
@BY_LOGIN
def review(request_id: UUID, merit: bool, team: bool, mission: bool, form: bool, why: str, who: str) -> None:
    """Keep one reviewer's finding on each of the four criteria. Reviewing again replaces your own.

    A request is approved only when everyone who reviewed it found all four met. `show` has the words donors signed.
    """
    found = {Criterion.MERIT: merit, Criterion.TEAM: team, Criterion.MISSION: mission, Criterion.FORM: form}
    with opened("review") as wiring:
        met = [criterion for criterion, yes in found.items() if yes]
        _say(request_id, verbs.review(wiring.database, request_id, who, met, why, now()))


@requests.command()
@ID
@click.argument("outcome", type=click.Choice([each.value for each in Outcome]))
@WHY
@BY_LOGIN
def decide(request_id: UUID, outcome: str, why: str, who: str) -> None:
    """Decide: approved, denied or needs-more-information (answered by `submit --answers`).

    An approval needs a review that found all criteria met, and the team's yes to the clause against re-identification
    that is in force.
    """
    with opened("decide") as wiring:
        _say(request_id, verbs.decide(wiring.database, request_id, who, Outcome(outcome), why, now()))


@requests.command("draft-dua")
@ID
@click.option("--dua", "agreement", required=True, help="Id of the data use agreement in your own files.")
@click.option("--cost", required=True, type=_Dollars(), help="Estimated cost of making the files, in dollars.")
@BY_LOGIN
def draft_dua(request_id: UUID, agreement: str, cost: int, who: str) -> None:
    """Note the data use agreement that was drafted, and the estimated cost. It may be replaced until it is used."""
    with opened("draft-dua") as wiring:
        _say(request_id, verbs.draft_agreement(wiring.database, request_id, who, agreement, cost, now()))


@requests.command("sign-dua")
@ID
@click.option("--dua", "agreement", required=True, help="Id of the agreement: the one drafted last.")
@click.option("--signatory", required=True, help="Who signed for the team.")
@BY_LOGIN
def sign_dua(request_id: UUID, agreement: str, signatory: str, who: str) -> None:
    """Note that the data use agreement is signed."""
    with opened("sign-dua") as wiring:
        _say(request_id, verbs.sign_agreement(wiring.database, request_id, who, agreement, signatory, now()))


@requests.command()
@ID
@click.option("--amount", required=True, type=_Dollars(), help="What was paid, in dollars: the whole estimate.")
@click.option("--reference", required=True, help="Where your books have it.")
@BY_LOGIN
def pay(request_id: UUID, amount: int, reference: str, who: str) -> None:
    """Record the payment."""
    with opened("pay") as wiring:
        _say(request_id, verbs.pay(wiring.database, request_id, who, amount, reference, now()))


@requests.command("fulfil")
@ID
@click.option(
    "--out", "folder", required=True, type=click.Path(file_okay=False, path_type=Path),
    help="The files appear in a folder of the request's id under this one.",
)  # fmt: skip
@BY_LOGIN
def fulfil_it(request_id: UUID, folder: Path, who: str) -> None:
    """Make the files: each donor is asked again now, names are taken out, and manifest.json says what is in them.

    Refused, with no file left, before the agreement is signed and the payment recorded, and when fewer than 11 people
    could be in the files. Whoever took their yes back since the approval is not in them.
    """
    with opened("fulfil") as wiring:
        builder = fulfil.Builder(wiring.database, wiring.keyring, folder, now, version("patient-portal"))
        made = fulfil.fulfil(builder, request_id, who)
    for file in made.manifest["files"]:
        click.echo(f"{file['rows']:>9,}  {file['sha256'][:12]}  {file['name']}")
    click.echo(f"{made.manifest['subjects']:,} people's records in {made.folder}")


@requests.command()
@ID
@WHY
@BY_LOGIN
def withdraw(request_id: UUID, why: str, who: str) -> None:
    """End a request that its team takes back. What was fulfilled cannot be taken back by it."""
    with opened("withdraw") as wiring:
        _say(request_id, verbs.withdraw(wiring.database, request_id, who, why, now()))


def _say(request_id: UUID, stands: Standing) -> None:
    click.echo(f"{request_id}: {stage_of(stands)}")
