"""What machines send to us: the text network's two webhooks and the stores' later receipts.

Each sender signs its requests; the signature is looked at before anything else is, and nothing is kept of a forged
one (SMS-09, threats.md abuse 12).
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request
from werkzeug.datastructures import MultiDict

from consent.late_receipts import accept_late_receipts
from consent.receipts import MAX_ANSWER_BYTES
from notifications.channels.twilio_webhook import SIGNATURE_HEADER, check_signature, read_inbound, read_status, twiml
from notifications.inbound import receive_text
from notifications.status_events import receive_status
from patient_portal.edge.errors import answer
from patient_portal.gates import Gate, gate
from patient_portal.in_touch.texting import texting_of
from patient_portal.wiring import now, wiring
from vocabulary.errors import Refused

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")
MAX_FORM_BYTES = 64_000


@blueprint.post("/twilio/inbound")
@gate(Gate.SIGNATURE)
def inbound() -> Response:
    """A text from a person; the answer is TwiML with at most one text."""
    reply = receive_text(texting_of(wiring()), read_inbound(_signed_form()), now())
    return Response(twiml(reply.text), content_type="text/xml; charset=utf-8")


@blueprint.post("/twilio/status")
@gate(Gate.SIGNATURE)
def status() -> Response:
    """A report on a text of ours, or of nobody's: 204 either way."""
    receive_status(texting_of(wiring()), read_status(_signed_form(), request.args), now())
    return Response(status=204)


@blueprint.post("/stores/<store_id>/receipts")
@gate(Gate.SIGNATURE)
def receipts(store_id: str) -> Response:
    """Receipts a store sends after it had only accepted: 200 for new ones and for a repeat, 401 for a forgery."""
    request.max_content_length = MAX_ANSWER_BYTES
    body, portal = request.get_data(cache=False), wiring()
    try:
        new = accept_late_receipts(
            portal.database, portal.settings.stores, store_id, dict(request.headers), body, now()
        )  # fmt: skip
    except Refused as error:
        return answer(401, error.reason)
    return jsonify({"store": store_id, "new": new})


def _signed_form() -> MultiDict[str, str]:
    """The posted form, once Twilio's signature over it and over our own address has been checked.

    The address is built from `PORTAL_BASE_URL`, not from the request's Host, so that a proxy in between, or a forged
    `X-Forwarded-Host`, makes no difference.
    """
    given, settings = request.headers.get(SIGNATURE_HEADER), wiring().settings
    if not given or settings.twilio is None:
        raise Refused("twilio-signature")
    request.max_content_length = MAX_FORM_BYTES
    query = request.query_string.decode("latin-1")
    url = f"{settings.base_url}{request.path}" + (f"?{query}" if query else "")
    check_signature(settings.twilio.auth_token, url, request.form, given, public_base=settings.base_url)
    return request.form
