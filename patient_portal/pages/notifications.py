"""Text messages: a number proven by a code, on and off in one press, one reminder. Moves no other choice (X-02)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from notifications.contact import (
    ContactView,
    add_number,
    confirm_number,
    contact_of,
    remove_number,
    set_texts,
)
from notifications.opt_in import TEXT_VERSION
from notifications.reminders import cancel_reminder, set_reminder
from notifications.texting import Texting
from notifications.texts import LANGUAGES, render
from patient_portal.edge.languages import offered
from patient_portal.edge.page_context import language_code, say
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.in_touch.opt_in_words import agreement_by_web, opt_in_words
from patient_portal.in_touch.pending_number import PendingNumber, pending_number
from patient_portal.in_touch.reminding import ABOUT_CHOICES, can_remind, chosen_morning, reminder_of_choices
from patient_portal.in_touch.texting import texting_of
from patient_portal.in_touch.zones import ZONES
from patient_portal.signing_in.fresh_sign_in import is_fresh
from patient_portal.wiring import now, wiring
from vocabulary.errors import Invalid, TooMany
from vocabulary.phrase import Phrase, phrase

blueprint = Blueprint("notifications", __name__, url_prefix="/notifications")
PENDING = "number-to-confirm"

WRONG_NUMBER: dict[str, Phrase] = {
    "number-unreadable": phrase("We cannot read this number. Write it with its area code, such as 617 555 0150."),
    "number-country": phrase("We can only text numbers in the United States and its territories."),
    "number-kind": phrase("This number cannot get texts. Give us a mobile number."),
}
TOO_OFTEN = phrase("We have sent several codes. Wait a while, then ask for a new one.")


@dataclass
class Given:
    """What a form sent, kept when there is something to mend."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    heading: str = ""


@blueprint.get("")
@gate(Gate.PATIENT)
def overview() -> str:
    """Without a proven number: what texts are for, and the form. With one: on or off, and a reminder."""
    return _overview(Given())


@blueprint.get("/change")
@gate(Gate.PATIENT)
def change() -> AnyResponse:
    """Give another number; asks for a fresh sign-in (SMS-02)."""
    if not _may_change(contact_of(_texting(), _person())):
        return _sign_in_again()
    return make_response(_number_page(Given(), changing=True))


@blueprint.post("/number")
@gate(Gate.PATIENT)
@limited("text-number", per_minute=10)
def number() -> AnyResponse:
    """Take the number down and text a code to it. The answer is the same whether or not the number is known."""
    contact = contact_of(_texting(), _person())
    if not _may_change(contact):
        return _sign_in_again()
    given = Given({name: request.form.get(name, "")[:100] for name in ("number", "zone", "language")})
    language, zone = given.values["language"], given.values["zone"]
    try:
        session[PENDING] = str(
            add_number(
                _texting(), _person(), given.values["number"],
                language=language if language in LANGUAGES else "en", zone=zone if zone in ZONES else None,
                account=current_actor().account_id, address=request.remote_addr or "", now=now(),
            )
        )  # fmt: skip
    except Invalid as error:
        given.errors["number"] = str(say(WRONG_NUMBER.get(error.reason, WRONG_NUMBER["number-unreadable"])))
        return make_response(_number_page(given, changing=_is_confirmed(contact)), 422)
    except TooMany as error:
        given.errors["number"], given.heading = str(say(TOO_OFTEN)), gettext("No new code was sent")
        page = _number_page(given, changing=_is_confirmed(contact))
        return make_response(page, 429, {"Retry-After": str(error.retry_after_seconds)})
    return redirect(url_for("notifications.code"), 303)


@blueprint.get("/code")
@gate(Gate.PATIENT)
def code() -> AnyResponse:
    """Enter the code and agree."""
    pending = _pending()
    if pending is None:
        return redirect(url_for("notifications.overview"), 303)
    return make_response(_code_page(pending, Given()))


@blueprint.post("/code")
@gate(Gate.PATIENT)
@limited("text-code", per_minute=20)
def confirm() -> AnyResponse:
    """Prove the number and record the opt-in with the words that were shown; a wrong code says one thing only."""
    pending = _pending()
    if pending is None:
        return redirect(url_for("notifications.overview"), 303)
    ticked = request.form.get("agree") == "yes"
    given = Given({"code": request.form.get("code", "")[:40], "agree": "yes" if ticked else ""})
    shown, _, version = request.form.get("wording", "").partition("/")
    if version != TEXT_VERSION or shown not in wiring().settings.languages:
        given.errors["agree"] = gettext("The words beside the box have changed. Read them again, then tick the box.")
        given.values["agree"] = ""
    elif not ticked:
        given.errors["agree"] = gettext("Tick the box if you want texts. If you do not, leave this page.")
    if not given.errors:
        agreed = agreement_by_web(opt_in_words(_texting(), shown), shown, ticked=True)
        verdict = confirm_number(_texting(), _person(), pending.id, given.values["code"], agreed, now())
        if verdict == "right":
            session.pop(PENDING, None)
            flash(gettext("Texts are on. We are sending you one now, so that you know our number."))
            return redirect(url_for("notifications.overview"), 303)
        given.errors["code"] = gettext("This code does not work. Check the newest text, or ask for a new code.")
    return make_response(_code_page(pending, given), 422)


@blueprint.post("/code/again")
@gate(Gate.PATIENT)
@limited("text-number", per_minute=10)
def again() -> AnyResponse:
    """Send a new code to the same number; the old one stops working."""
    pending = _pending()
    if pending is None:
        return redirect(url_for("notifications.overview"), 303)
    try:
        add_number(
            _texting(), _person(), pending.number, language=pending.language, zone=pending.zone,
            account=current_actor().account_id, address=request.remote_addr or "", now=now(),
        )  # fmt: skip
    except TooMany as error:
        page = _code_page(pending, Given(errors={"code": str(say(TOO_OFTEN))}, heading=gettext("No new code was sent")))
        return make_response(page, 429, {"Retry-After": str(error.retry_after_seconds)})
    flash(gettext("We sent a new code. Only the newest one works."))
    return redirect(url_for("notifications.code"), 303)


@blueprint.post("/texts")
@gate(Gate.PATIENT)
@limited("reached", per_minute=60)
def texts() -> AnyResponse:
    """Off or on again, in one press; on repeats the words beside the button."""
    wanted = request.form.get("wanted")
    if wanted not in ("yes", "no"):
        raise Invalid("wanted")
    language = language_code()
    words = opt_in_words(_texting(), language) if wanted == "yes" else gettext("Turn texts off")
    agreed = agreement_by_web(words, language, ticked=wanted == "yes")
    if set_texts(_texting(), _person(), wanted=wanted == "yes", agreement=agreed, now=now()):
        on, off = gettext("Texts are on."), gettext("Texts are off. Your other choices stay as they are.")
        flash(on if wanted == "yes" else off)
    return redirect(url_for("notifications.overview"), 303)


@blueprint.post("/remove")
@gate(Gate.PATIENT)
@limited("reached", per_minute=60)
def remove() -> AnyResponse:
    """Use the number no more; needs no fresh sign-in, for it only ends something."""
    agreed = agreement_by_web(gettext("Remove my number"), language_code(), ticked=False)
    if remove_number(_texting(), _person(), agreement=agreed, now=now()):
        if not can_remind(_texting(), _person(), "reminders"):
            cancel_reminder(_texting(), _person(), ABOUT_CHOICES)
        flash(gettext("Your number is not used any more. Your other choices stay as they are."))
    return redirect(url_for("notifications.overview"), 303)


@blueprint.post("/reminder")
@gate(Gate.PATIENT)
@limited("reached", per_minute=60)
def remind() -> AnyResponse:
    """One reminder, on the morning of a day the person chooses; a new one takes the place of the old.

    It comes by the ways they want reminders by: a text, a mail or a letter.
    """
    if not can_remind(_texting(), _person(), "reminders"):
        flash(gettext("First give us a way to reach you, then set the reminder."), "warning")
        return redirect(url_for("notifications.overview"), 303)
    given = Given({"day": request.form.get("day", "")[:20]})
    try:
        morning = chosen_morning(_texting(), _person(), given.values["day"], now())
        set_reminder(_texting(), _person(), ABOUT_CHOICES, morning, now())
    except (ValueError, OverflowError, Invalid):
        given.errors["day"] = gettext("Choose a day from tomorrow on, at most 90 days away.")
        return make_response(_overview(given), 422)
    flash(gettext("We will remind you."))
    return redirect(url_for("notifications.overview"), 303)


@blueprint.post("/reminder/cancel")
@gate(Gate.PATIENT)
@limited("reached", per_minute=60)
def do_not_remind() -> AnyResponse:
    """Take the reminder back."""
    cancel_reminder(_texting(), _person(), ABOUT_CHOICES)
    flash(gettext("There is no reminder now."))
    return redirect(url_for("notifications.overview"), 303)


def _overview(given: Given) -> str:
    contact = contact_of(_texting(), _person())
    if contact is None or not _is_confirmed(contact):
        return _number_page(given, changing=False)
    return render_template(
        "notifications/overview.html",
        contact=contact,
        given=given,
        words=opt_in_words(_texting(), language_code()),
        **reminder_of_choices(_texting(), _person()),
        **_about_texts(contact.language),
    )


def _number_page(given: Given, *, changing: bool) -> str:
    contact = contact_of(_texting(), _person())
    shown = {language.code: language.own_name for language in offered(wiring().settings.languages)}
    return render_template(
        "notifications/number.html",
        contact=contact,
        waiting=_pending(),
        changing=changing,
        given=given,
        zones=[(zone, say(words)) for zone, words in ZONES.items()],
        text_languages=[(code, name) for code, name in shown.items() if code in LANGUAGES],
        chosen_language=given.values.get("language") or (language_code() if language_code() in LANGUAGES else "en"),
        **reminder_of_choices(_texting(), _person()),
        **_about_texts(language_code()),
    )


def _code_page(pending: PendingNumber, given: Given) -> str:
    language = language_code()
    return render_template(
        "notifications/code.html",
        pending=pending,
        given=given,
        words=opt_in_words(_texting(), language),
        wording=f"{language}/{TEXT_VERSION}",
    )


def _about_texts(language: str) -> dict[str, Any]:
    """The words of a text as an example: shown, so that nobody has to believe that it says nothing."""
    written = language if language in LANGUAGES else "en"
    return {"example": render("update", written, _texting().programme), "written_in": written}


def _pending() -> PendingNumber | None:
    """The number that waits for its code: this session's, else the newest one never confirmed."""
    kept = session.get(PENDING)
    if kept is not None:
        return pending_number(_texting(), _person(), UUID(str(kept)))
    contact = contact_of(_texting(), _person())
    return pending_number(_texting(), _person(), contact.id) if contact and contact.state == "unconfirmed" else None


def _is_confirmed(contact: ContactView | None) -> bool:
    return contact is not None and contact.state == "confirmed"


def _may_change(contact: ContactView | None) -> bool:
    return not _is_confirmed(contact) or is_fresh(now())


def _sign_in_again() -> AnyResponse:
    flash(gettext("To change your number, sign in once more. This keeps others from doing it."))
    return redirect(url_for("sign_in.choose", next=url_for("notifications.change")), 303)


def _texting() -> Texting:
    return texting_of(wiring(), current_actor())


def _person() -> UUID:
    person = current_actor().person
    assert person is not None
    return person
