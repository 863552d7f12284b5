"""Leave quickly: one press ends the visit, empties what the browser kept and shows a page about something else."""

from __future__ import annotations

from flask import Blueprint, make_response, render_template
from flask_wtf.csrf import CSRFError
from werkzeug.wrappers import Response as AnyResponse

from patient_portal.gates import Gate, gate
from patient_portal.signing_in.web_session import live_session

blueprint = Blueprint("leave", __name__)
ELSEWHERE = "https://www.weather.gov/"


@blueprint.post("/leave")
@gate(Gate.PUBLIC)
def quickly() -> AnyResponse:
    """End the session, then go to the weather. The page itself names nothing, for a slow line shows it for a while.

    The header `Refresh` and not a redirect: a form may lead nowhere but to us (content security policy).
    """
    live_session().end()
    return _elsewhere('"cache", "storage"')


@blueprint.errorhandler(CSRFError)
def after_the_end(_error: CSRFError) -> AnyResponse:
    """The page was open for longer than its session: whoever presses must see the weather, and not that they were here.

    Without the form's token nothing is ended on our side; this browser forgets its session all the same.
    """
    response = _elsewhere('"cache", "storage", "cookies"')
    response.status_code = 400
    return response


def _elsewhere(forget: str) -> AnyResponse:
    response = make_response(render_template("public/elsewhere.html", elsewhere=ELSEWHERE))
    response.headers["Clear-Site-Data"] = forget
    response.headers["Refresh"] = f"0; url={ELSEWHERE}"
    return response
