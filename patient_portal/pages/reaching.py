"""How and when we reach a person: topics by way, hours, mail and postal address."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from notifications.addresses import add_mail, keep_postal
from notifications.contact import confirm_number, contact_of, remove_number, set_texts
from notifications.preferences import read_preferences, save_topics
from notifications.texts import LANGUAGES
from notifications.topics import TOPICS, WAYS, Way
from patient_portal.edge.page_context import language_code, say
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.in_touch.opt_in_words import agreement_by_web
from patient_portal.in_touch.pending_number import PendingNumber, pending_number
from patient_portal.in_touch.texting import texting_of
from patient_portal.pages.notifications import Given
from patient_portal.signing_in.fresh_sign_in import is_fresh
from patient_portal.wiring import now, wiring
from vocabulary.errors import Invalid, TooMany
from vocabulary.phrase import Phrase, phrase

blueprint = Blueprint("reaching", __name__, url_prefix="/notifications")
PENDING = "address-to-confirm"
NAMES: dict[Way, Phrase] = {"sms": phrase("Text"), "email": phrase("E-mail"), "letter": phrase("Letter")}


@blueprint.app_context_processor
def what_can_be_sent() -> dict[str, bool]:
    """Whether mail can be offered at all, and whether we have messages in the language of the page."""
    return {"mail_is_set": wiring().settings.mail is not None, "we_write_it": language_code() in LANGUAGES}


@blueprint.get("/topics")
@gate(Gate.PATIENT)
def topics() -> str:
    """Each topic in plain words with a box for each way."""
    texting, person = texting_of(wiring(), current_actor()), _person()
    kept = read_preferences(texting, person)
    return render_template(
        "notifications/topics.html",
        topics=[(topic.id, say(topic.name), say(topic.about), topic.must_reach) for topic in TOPICS.values()],
        channels=[(way, say(NAMES[way])) for way in WAYS],
        prefs=kept,
    )


@blueprint.post("/topics")
@gate(Gate.PATIENT)
@limited("reached", per_minute=60)
def keep_topics() -> AnyResponse:
    """The boxes as they were sent hold from now on; moves nothing else (X-02)."""
    texting, person = texting_of(wiring(), current_actor()), _person()
    ticked = {(topic, way) for topic in TOPICS for way in WAYS if way in request.form.getlist(topic)}
    words = {topic.id: f"{say(topic.name)}: {say(topic.about)}" for topic in TOPICS.values()}
    agreed = agreement_by_web("", language_code(), ticked=True)
    save_topics(texting, person, ticked, agreed, words, now())
    flash(gettext("Saved. This changes only what we tell you about."))
    return redirect(url_for("reaching.topics"), 303)


@blueprint.get("/email")
@gate(Gate.PATIENT)
def email() -> AnyResponse:
    """Give an address, or see the one that is proven."""
    return make_response(_email_page(Given()))


@blueprint.post("/email")
@gate(Gate.PATIENT)
@limited("mail-address", per_minute=10)
def give_email() -> AnyResponse:
    """Send a code to an address. The answer is the same whether or not the address is known (abuse 15)."""
    texting, person = texting_of(wiring(), current_actor()), _person()
    held = contact_of(texting, person, "email")
    if held is not None and held.state == "confirmed" and not is_fresh(now()):
        flash(gettext("To change your address, sign in once more. This keeps others from doing it."))
        return redirect(url_for("sign_in.choose", next=url_for("reaching.email")), 303)
    given = Given({"email": request.form.get("email", "")[:300]})
    language = language_code() if language_code() in LANGUAGES else "en"
    if wiring().settings.mail is None:
        given.errors["email"] = gettext("We cannot send e-mail here yet.")
        return make_response(_email_page(given), 422)
    try:
        session[PENDING] = str(
            add_mail(
                texting, person, given.values["email"], language=language, account=current_actor().account_id,
                address=request.remote_addr or "", now=now(),
            )
        )  # fmt: skip
    except Invalid:
        given.errors["email"] = gettext("We cannot read this address. Write it as name@example.org.")
        return make_response(_email_page(given), 422)
    except TooMany as error:
        given.errors["email"] = gettext("We have sent several codes. Wait a while, then ask for a new one.")
        given.heading = gettext("No new code was sent")
        return make_response(_email_page(given), 429, {"Retry-After": str(error.retry_after_seconds)})
    return redirect(url_for("reaching.email_code"), 303)


@blueprint.get("/email/code")
@gate(Gate.PATIENT)
def email_code() -> AnyResponse:
    """Enter the code from the mail."""
    pending = _pending()
    if pending is None:
        return redirect(url_for("reaching.email"), 303)
    return make_response(render_template("notifications/email_code.html", given=Given()))


@blueprint.post("/email/code")
@gate(Gate.PATIENT)
@limited("mail-code", per_minute=20)
def confirm_email() -> AnyResponse:
    """Prove the address; a wrong code says one thing only."""
    pending = _pending()
    if pending is None:
        return redirect(url_for("reaching.email"), 303)
    given = Given({"code": request.form.get("code", "")[:40]})
    agreed = agreement_by_web(gettext("Yes, write to me at this address"), language_code(), ticked=True)
    texting = texting_of(wiring(), current_actor())
    if confirm_number(texting, _person(), pending.id, given.values["code"], agreed, now()) != "right":
        given.errors["code"] = gettext("This code does not work. Check the newest mail, or ask for a new code.")
        return make_response(render_template("notifications/email_code.html", given=given), 422)
    session.pop(PENDING, None)
    flash(gettext("E-mail is on."))
    return redirect(url_for("reaching.email"), 303)


@blueprint.post("/email/wanted")
@gate(Gate.PATIENT)
@limited("reached", per_minute=60)
def email_wanted() -> AnyResponse:
    """Off or on again, in one press."""
    return _wanted("email", "reaching.email")


@blueprint.post("/email/remove")
@gate(Gate.PATIENT)
@limited("reached", per_minute=60)
def remove_email() -> AnyResponse:
    """Use the address no more."""
    return _remove("email", "reaching.email")


@blueprint.get("/letters")
@gate(Gate.PATIENT)
def letters() -> str:
    """The address that letters go to."""
    return _letters_page(Given())


@blueprint.post("/letters")
@gate(Gate.PATIENT)
@limited("postal", per_minute=10)
def keep_letters() -> AnyResponse:
    """Keep a postal address; letters are for the topics that have the box. To replace it takes a fresh sign-in."""
    texting, person = texting_of(wiring(), current_actor()), _person()
    held = contact_of(texting, person, "letter")
    if held is not None and held.state == "confirmed" and not is_fresh(now()):
        flash(gettext("To change your address, sign in once more. This keeps others from doing it."))
        return redirect(url_for("sign_in.choose", next=url_for("reaching.letters")), 303)
    given = Given({"postal": request.form.get("postal", "")[:500]})
    agreed = agreement_by_web(gettext("Use this address for letters"), language_code(), ticked=True)
    try:
        keep_postal(texting, person, given.values["postal"], agreed, now())
    except Invalid:
        given.errors["postal"] = gettext("Write your name and address on two to six short lines.")
        return make_response(_letters_page(given), 422)
    flash(gettext("Saved. Now choose what we send by letter."))
    return redirect(url_for("reaching.topics"), 303)


@blueprint.post("/letters/remove")
@gate(Gate.PATIENT)
@limited("reached", per_minute=60)
def remove_letters() -> AnyResponse:
    """Use the postal address no more."""
    return _remove("letter", "reaching.letters")


def _wanted(way: Way, back: str) -> AnyResponse:
    wanted = request.form.get("wanted")
    if wanted not in ("yes", "no"):
        raise Invalid("wanted")
    said = gettext("Yes, write to me at this address") if wanted == "yes" else gettext("Turn e-mail off")
    agreed = agreement_by_web(said, language_code(), ticked=wanted == "yes")
    texting = texting_of(wiring(), current_actor())
    if set_texts(texting, _person(), wanted=wanted == "yes", agreement=agreed, now=now(), way=way):
        off = gettext("E-mail is off. Your other choices stay as they are.")
        flash(gettext("E-mail is on.") if wanted == "yes" else off)
    return redirect(url_for(back), 303)


def _remove(way: Way, back: str) -> AnyResponse:
    agreed = agreement_by_web(gettext("Remove this address"), language_code(), ticked=False)
    if remove_number(texting_of(wiring(), current_actor()), _person(), agreement=agreed, now=now(), way=way):
        flash(gettext("This address is not used any more. Your other choices stay as they are."))
    return redirect(url_for(back), 303)


def _email_page(given: Given) -> str:
    texting = texting_of(wiring(), current_actor())
    contact = contact_of(texting, _person(), "email")
    waiting = _pending()
    return render_template("notifications/email.html", contact=contact, waiting=waiting, given=given)


def _letters_page(given: Given) -> str:
    texting = texting_of(wiring(), current_actor())
    contact = contact_of(texting, _person(), "letter")
    return render_template("notifications/letters.html", contact=contact, given=given)


def _pending() -> PendingNumber | None:
    kept = session.get(PENDING)
    return pending_number(texting_of(wiring()), _person(), UUID(str(kept))) if kept else None


def _person() -> UUID:
    person = current_actor().person
    assert person is not None
    return person
