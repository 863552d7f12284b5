"""Who saw or used my data: who, when, what and why, page by page, and all of it to take away (HIP-25)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from flask import Blueprint, Response, make_response, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session

from consent.audit import by_actor, write_audit
from consent.authority.known_by_name import family_names
from consent.uses import After, By, Use, read_uses
from consent.uses_as_fhir import as_bundle
from database.context import as_persons
from patient_portal.choices.choosing import read_choices
from patient_portal.choices.use_words import BY, Names, Said, said
from patient_portal.edge.page_context import say
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.wiring import now, wiring

blueprint = Blueprint("uses", __name__, url_prefix="/activity/uses")
A_PAGE, MOST = 25, 10_000


@blueprint.get("")
@gate(Gate.FOR_PERSON)
def overview() -> str:
    """Newest first; `?kind=` shows one kind only, older lines by a plain link."""
    kind, after = _kind(), After.read(request.args.get("after", ""))
    actor = current_actor()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        lines = _said(session, kind, after, A_PAGE + 1)
    older = After.of(lines[A_PAGE - 1].use) if len(lines) > A_PAGE else None
    return render_template(
        "activity/uses.html",
        lines=lines[:A_PAGE],
        kinds=[(each, BY[each]) for each in By],
        kind=kind,
        first=url_for("uses.overview", kind=kind) if after else "",
        older=url_for("uses.overview", kind=kind, after=older) if older else "",
    )


@blueprint.get("/list.csv")
@gate(Gate.FOR_PERSON)
@limited("uses", per_minute=10)
def as_csv() -> Response:
    """All of it as a table, in the reader's language; times in UTC."""
    lines = _taken("csv")
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow([gettext("When (UTC)"), gettext("Who"), gettext("Name"), gettext("What"), gettext("Why"),
                     gettext("Refused"), gettext("Reference")])  # fmt: skip
    for line in lines:
        words = [say(part).unescape() for part in (line.by, line.what, line.why)]
        refused = gettext("yes") if line.use.refused else ""
        cells = [_utc(line.use.at), words[0], line.who, words[1], words[2], refused, line.reference]
        writer.writerow([_no_formula(cell) for cell in cells])
    return _file("\ufeff" + table.getvalue(), "text/csv; charset=utf-8", "who-used-my-data.csv")


@blueprint.get("/list.json")
@gate(Gate.FOR_PERSON)
@limited("uses", per_minute=10)
def as_fhir() -> Response:
    """All of it as a FHIR R4 Bundle of AuditEvents."""
    lines = _taken("fhir")
    body = orjson.dumps(as_bundle([line.use for line in lines], {line.use.key: line.who for line in lines}, now()))
    return _file(body, "application/fhir+json", "who-used-my-data.json")


def _said(session: Session, kind: By | None, after: After | None, many: int) -> list[Said]:
    actor, settings = current_actor(), wiring().settings
    uses: Sequence[Use] = read_uses(session, actor.persons, kind, after, many)
    history = read_choices(session, wiring(), actor.persons).history
    decisions = {entry.position: entry.decision for entry in history if entry.position is not None}
    names = Names(
        {provider.id: provider.name for provider in settings.providers},
        {client.id: client.name for client in settings.clients},
        {store.id: store for store in settings.stores},
        family_names(session, wiring().keyring, actor.persons, actor),
    )
    return [said(use, names, decisions) for use in uses]


def _taken(form: str) -> list[Said]:
    """Everything, and the line that says it was taken away."""
    actor = current_actor()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        lines = _said(session, None, None, MOST)
        write_audit(session, now(), by_actor(actor, "uses.downloaded", "R", detail={"format": form}))
    return lines


def _kind() -> By | None:
    asked = request.args.get("kind", "")
    return By(asked) if asked in list(By) else None


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _no_formula(cell: str) -> str:
    """A cell that a spreadsheet would run gets a quote before it."""
    return "'" + cell if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _file(body: str | bytes, media: str, name: str) -> Response:
    response = make_response(body)
    response.content_type = media
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
