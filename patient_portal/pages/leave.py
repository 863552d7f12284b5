"""Leave quickly: one press ends the visit, empties what the browser kept and shows a page about something else."""

from __future__ import annotations

from flask import Blueprint, make_response, render_template
from werkzeug.wrappers import Response as AnyResponse

from patient_portal.gates import Gate, gate
from patient_portal.web_session import live_session

blueprint = Blueprint("leave", __name__)
ELSEWHERE = "https://www.weather.gov/"


@blueprint.post("/leave")
@gate(Gate.PUBLIC)
def quickly() -> AnyResponse:
    """End the session, then go to the weather. The page itself names nothing, for a slow line shows it for a while.

    The header `Refresh` and not a redirect: a form may lead nowhere but to us (content security policy).
    """
    live_session().end()
    response = make_response(render_template("public/elsewhere.html", elsewhere=ELSEWHERE))
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    response.headers["Refresh"] = f"0; url={ELSEWHERE}"
    return response
