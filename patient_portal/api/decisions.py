"""Decisions for data pipelines over HTTP: single, batch and CDS Hooks (docs/openapi-decide.yaml)."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from flask import Blueprint, Response, current_app, jsonify, request

from consent.decide.columns import Question
from consent.decide.decider import Answer, Decider
from consent.decide.lines import Tally
from patient_portal.api.app import OPEN, caller, needs
from patient_portal.api.note_asked import Asking, note_batch, note_question
from patient_portal.api.sign_in import base_url
from patient_portal.choices.consent_hook import DISCOVERY, consult
from patient_portal.choices.deciding import CSV, MOST_BYTES, MOST_SINGLE, NDJSON, PLAIN, decide_batch, decide_one
from patient_portal.wiring import wiring
from vocabulary.errors import Invalid

blueprint = Blueprint("decisions", __name__)
SCOPE = "system/decision.r"
PIECE = 256 * 1024


def decider() -> Decider:
    """This process's decider."""
    found = current_app.extensions["decider"]
    assert isinstance(found, Decider)
    return found


@blueprint.post("/decide")
@needs(SCOPE)
def one() -> Response:
    """May this store use this class of data of this person for this purpose, now?"""
    request.max_content_length = MOST_SINGLE
    body = request.get_data(cache=False)
    found = decide_one(decider(), caller().client.stores, body)
    note_question(wiring(), caller().client.id, Asking.of_body(body), [found["id"]], allowed=found["allowed"])
    return jsonify(found)


@blueprint.post("/decide/batch")
@needs(SCOPE)
def many() -> Response:
    """The same for up to a million names in one request."""
    request.max_content_length = MOST_BYTES
    wanted = request.accept_mimetypes.best_match([NDJSON, CSV, PLAIN], NDJSON)
    encoding = request.headers.get("Content-Encoding", "")
    if encoding not in ("", "identity", "gzip"):
        raise Invalid("content-encoding")
    tally = Tally()
    answers = decide_batch(
        decider(), caller().client.stores, request.args, _pieces(),
        sent=request.mimetype, wanted=wanted, gzipped=encoding == "gzip", tally=tally,
    )  # fmt: skip
    note_batch(wiring(), caller().client.id, Asking.of(request.args), tally)
    return Response(answers, content_type=wanted)


def _pieces() -> Iterator[bytes]:
    while piece := request.stream.read(PIECE):
        yield piece


@blueprint.get("/cds-services")
@needs(OPEN)
def services() -> Response:
    """What CDS Hooks can be called here."""
    return jsonify(DISCOVERY)


@blueprint.post("/cds-services/patient-consent-consult")
@needs(SCOPE)
def consent_consult() -> Response:
    """The hook `patient-consent-consult`: one card that says what the decisions allow."""
    try:
        asked = orjson.loads(request.get_data(cache=False))
    except orjson.JSONDecodeError:
        raise Invalid("not-json") from None
    if not isinstance(asked, dict):
        raise Invalid("not-an-object")
    return jsonify(consult(decider(), caller().client.stores, asked, base_url(), _noting))


def _noting(question: Question, names: list[str], answer: Answer) -> None:
    purpose = question.use.purpose if question.use is not None else question.purpose
    asked = Asking(question.store, question.category.value, purpose.value)
    note_question(wiring(), caller().client.id, asked, names, allowed=answer.allowed)
