"""Why and how to get one's record, for everyone; and the letter without an account, of which nothing is kept."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from fhir_bridge.access import law
from fhir_bridge.access.letter import FORM_WORDS, Letter, as_kept, read_letter
from patient_portal.edge.page_context import language_code, say
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, gate
from patient_portal.papers.request_letter import MEDIA_TYPES, languages_of_letter, letter_file
from patient_portal.wiring import now
from vocabulary.errors import Invalid

blueprint = Blueprint("get_record", __name__, url_prefix="/get-your-record")


@blueprint.get("")
@gate(Gate.PUBLIC)
def guide() -> str:
    """Why, how, how long, what it costs, and what to do after a no."""
    return render_template("public/get_record.html", law=law)


@blueprint.get("/letter")
@gate(Gate.PUBLIC)
def letter() -> str:
    """The form for a letter."""
    return _form({}, {})


@blueprint.post("/letter")
@gate(Gate.PUBLIC)
@limited("paper", per_minute=30)
def make() -> AnyResponse:
    """First a page with the ways to take the letter; with `take` such as `en.pdf`, the letter itself."""
    written, wrong = read_letter(request.form)
    if written is None:
        errors = {name: str(say(words)) for name, words in wrong.items()}
        return make_response(_form(errors, request.form.to_dict()), 422)
    languages = languages_of_letter(language_code())
    wish = request.form.get("take", "")
    if not wish:
        sent = as_kept(written) | {"who": "other" if written.to_somebody_else else "me"}
        page = render_template("access/take.html", sent_fields=list(sent.items()), languages_of=languages)
        return make_response(page, 200, {"Cache-Control": "no-store"})
    language, _, ending = wish.partition(".")
    if ending not in MEDIA_TYPES or language not in languages:
        raise Invalid("take")
    return letter_answer(written, language, ending, now())


def letter_answer(written: Letter, language: str, ending: str, dated: datetime) -> Response:
    """The letter as a file to save."""
    response = make_response(letter_file(written, language, ending, dated))
    response.content_type = MEDIA_TYPES[ending]
    response.headers["Content-Disposition"] = f'attachment; filename="record-request.{language}.{ending}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def form_options() -> list[tuple[str, str]]:
    """The forms of a record to choose from, in the reader's language."""
    return [(form.value, say(words)) for form, words in FORM_WORDS.items()]


def _form(errors: dict[str, str], given: dict[str, str]) -> str:
    return render_template("access/letter.html", errors=errors, given=given, options=form_options())
