"""Which kinds of research may use my data at all: chosen in plain words, shown effort by effort, confirmed (DUO-04).

It only narrows: it says yes to nothing, ends what it leaves out, and a later yes to such an effort waits until the kind
is left open again (ADR 0012).
"""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from consent.asked import Asked, Narrowed
from consent.decision import Answer
from consent.duo.limits import said_limits
from consent.duo.plain_choices import KINDS_OF_CANCER, SAYS, Limit, PlainChoice, Scope
from database.context import as_persons
from fhir_bridge.reading.cancers import SITE_NAMES
from fhir_bridge.record import OwnRecord
from fhir_bridge.record_sources import standing as record_standing
from patient_portal.choices.choosing import Choices, asked_by, new_form, read_choices, record, what_would_change
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.wiring import now, wiring
from vocabulary.errors import Invalid

blueprint = Blueprint("research_limits", __name__, url_prefix="/choices/research")
COUNTRY = "US"
SITES = tuple(site for site in SITE_NAMES if site in KINDS_OF_CANCER)


@blueprint.get("")
@gate(Gate.FOR_PERSON)
def choose() -> str:
    """The words to choose from, as they stand now; the kinds of cancer as the record has them."""
    choices, sites = _gathered()
    stands = choices.limits[0] if choices.limits else None
    chosen = _sites_of(stands) if stands else ()
    return _page(choices, stands, chosen or sites, {})


@blueprint.post("")
@gate(Gate.FOR_PERSON)
@limited("decide", per_minute=30)
def decide() -> AnyResponse:
    """First what would follow, effort by effort, with nothing recorded; with `confirm` the choice itself."""
    choices, sites = _gathered()
    chosen, errors = _chosen()
    if errors:
        return make_response(_page(choices, chosen, _ticked() or sites, errors), 422)
    asked = replace(asked_by(current_actor(), None, Answer.NO, _form(), None), narrowed=Narrowed(chosen))
    if "confirm" in request.form:
        return _recorded(asked)
    return make_response(
        render_template(
            "choices/research_follows.html",
            chosen=chosen,
            words=SAYS,
            efforts=[(each, _left_out(chosen, each.id), choices.standing.donation(each)) for each in choices.efforts],
            rows=what_would_change(choices, asked),
            sent=[
                (name, value) for name, value in request.form.items(multi=True) if name in ("scope", "limits", "sites")
            ],
            form=asked.idempotency_key,
        )
    )


def _recorded(asked: Asked) -> AnyResponse:
    record(wiring(), asked)
    flash(gettext("Your choice is saved. Each study still asks you on its own."))
    return redirect(url_for("choices.overview", _anchor="kinds"), 303)


def _gathered() -> tuple[Choices, tuple[str, ...]]:
    """The choices, and where the cancers in the record began."""
    actor, parts = current_actor(), wiring()
    with parts.database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        choices = read_choices(session, parts, actor.persons)
        stories = record_standing(OwnRecord(session, parts.keyring, actor.persons), now()).stories
    return choices, tuple(dict.fromkeys(cancer.site for story in stories for cancer in story.cancers))


def _page(choices: Choices, chosen: PlainChoice | None, sites: tuple[str, ...], errors: dict[str, str]) -> str:
    return render_template(
        "choices/research.html",
        choices=choices,
        chosen=chosen,
        scopes=[(each.value, SAYS[each]) for each in Scope],
        limits=[(each.value, SAYS[each]) for each in Limit],
        sites=[(site, SITE_NAMES[site]) for site in SITES],
        ticked=sites,
        errors=errors,
        form=new_form(),
    )


def _chosen() -> tuple[PlainChoice | None, dict[str, str]]:
    """What the form says; None with no error means "no limits"."""
    if "none" in request.form:
        return None, {}
    try:
        scope = Scope(request.form["scope"]) if request.form.get("scope") else None
        limits = frozenset(Limit(each) for each in request.form.getlist("limits"))
        cancers = frozenset(KINDS_OF_CANCER[site] for site in _ticked())
    except (ValueError, KeyError):
        raise Invalid("unknown-kind-of-research") from None
    if scope is None:
        return None, {"scope": gettext("Choose one of these.")}
    chosen = PlainChoice(scope, limits, cancers if scope is Scope.MY_CANCER else frozenset(), COUNTRY)
    if scope is Scope.MY_CANCER and not cancers:
        return chosen, {"sites": gettext("Tick your kind of cancer.")}
    return chosen, {}


def _ticked() -> tuple[str, ...]:
    return tuple(request.form.getlist("sites"))


def _sites_of(choice: PlainChoice) -> tuple[str, ...]:
    return tuple(site for site in SITES if KINDS_OF_CANCER[site] in choice.my_cancers)


def _left_out(chosen: PlainChoice | None, effort_id: str) -> list[object]:
    return list(said_limits([chosen], effort_id, now().date())) if chosen else []


def _form() -> str:
    form = request.form.get("form") or new_form()
    if not 8 <= len(form) <= 64:
        raise Invalid("form")
    return form
