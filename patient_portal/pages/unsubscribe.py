"""The end of mail by the link under each (RFC 8058): without a sign-in, and the same answer for any link (abuse 15)."""

from __future__ import annotations

from flask import Blueprint, render_template

from notifications.addresses import end_by_link
from patient_portal.gates import Gate, gate
from patient_portal.in_touch.texting import texting_of
from patient_portal.wiring import now, wiring

blueprint = Blueprint("unsubscribe", __name__, url_prefix="/unsubscribe")


@blueprint.get("/<token>")
@gate(Gate.PUBLIC)
def ask(token: str) -> str:
    """Asks before it ends mail: machines that open links must change nothing."""
    return render_template("notifications/unsubscribe.html", token=token[:100], ended=False)


@blueprint.post("/<token>")
@gate(Gate.SIGNATURE)
def end(token: str) -> str:
    """Ends mail, by the button of a mail program or of our page; what we signed is in the link itself."""
    end_by_link(texting_of(wiring()), token[:100], now())
    return render_template("notifications/unsubscribe.html", token=token[:100], ended=True)
