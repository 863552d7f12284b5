"""The pages that anyone may read: home, questions, privacy, help, accessibility, and ways without an account."""

from __future__ import annotations

import datetime
from functools import partial

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import get_locale, gettext
from werkzeug.wrappers import Response as AnyResponse

from database.context import as_nobody
from patient_portal.edge.rate_limits import limited
from patient_portal.gates import Gate, gate
from patient_portal.operating.reached import QUESTIONS, keep_reply
from patient_portal.wiring import now, wiring
from patient_portal.words.faq import Faq, Names, highlighted, load, search, wanted_words
from patient_portal.words.language_help import notices

blueprint = Blueprint("public", __name__)

SELF_ASSESSED = datetime.date(2026, 11, 22)
"""The day on which the accessibility of the pages was last gone through by ourselves."""


def _names() -> Names:
    """What the installation calls things (`FAQ_NAMES` in the application's configuration), else what we know."""
    names = current_app.config.get("FAQ_NAMES")
    return names if isinstance(names, Names) else Names()


def _faq() -> Faq:
    locale = get_locale()
    return load(locale.language if locale else "en", _names())


@blueprint.get("/")
@gate(Gate.PUBLIC)
def home() -> str:
    return render_template("public/home.html")


@blueprint.get("/faq")
@gate(Gate.PUBLIC)
def faq() -> str:
    """All questions, or with `?q=` those that hold its words."""
    query = request.args.get("q", "").strip()[:200]
    questions = _faq()
    words = wanted_words(query, questions.ignore)
    return render_template(
        "public/faq.html",
        faq=questions,
        query=query,
        answers=search(questions, query) if query else questions.answers,
        highlighted=partial(highlighted, words=words),
        names=_names(),
    )


@blueprint.get("/faq/reply")
@gate(Gate.PUBLIC)
def ask_reply() -> str:
    """The short questions after the FAQ, on a page of their own: reading the FAQ needs no session and no database."""
    return render_template("public/reply.html", questions=QUESTIONS)


@blueprint.post("/faq/reply")
@gate(Gate.PUBLIC)
@limited("faq-reply", per_minute=6)
def reply() -> AnyResponse:
    """Count short answers to what the page asks; nobody has to, and who did is kept nowhere."""
    given = [(each, request.form[each.id]) for each in QUESTIONS if request.form.get(each.id)]
    if not given:
        flash(gettext("Choose an answer first, or leave the questions as they are."), "warning")
        return redirect(url_for("public.ask_reply"), 303)
    with wiring().database.begin(as_nobody()) as session:
        for question, answer in given:
            keep_reply(session, question.id, answer, now().date())
    wrong = [each for each, answer in given if each.right not in (None, answer)]
    thanks = gettext("Thank you. Your care stays the same, whatever you choose.") if wrong else gettext("Thank you.")
    flash(thanks)
    return redirect(url_for("public.faq"), 303)


@blueprint.get("/privacy")
@gate(Gate.PUBLIC)
def privacy() -> str:
    return render_template("public/privacy.html")


@blueprint.get("/help")
@gate(Gate.PUBLIC)
def help_page() -> str:
    return render_template("public/help.html", notices=notices())


@blueprint.get("/accessibility")
@gate(Gate.PUBLIC)
def accessibility() -> str:
    return render_template("public/accessibility.html", assessed=SELF_ASSESSED)


@blueprint.get("/without-account")
@gate(Gate.PUBLIC)
def without_account() -> str:
    """Paper, phone and nurse, with a form to print."""
    return render_template("public/without_account.html")
