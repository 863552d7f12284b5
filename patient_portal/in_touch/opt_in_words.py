"""The words to which a person agrees when they want texts, as the page shows them and as the proof keeps them."""

from __future__ import annotations

from flask import request
from flask_babel import force_locale

from notifications.contact import Agreement
from notifications.opt_in import TEXT_VERSION, opt_in_text
from notifications.texting import Texting
from patient_portal.edge.page_context import say


def opt_in_words(texting: Texting, language: str) -> str:
    """Exactly what stands beside the box; the same text is kept as proof (SMS-01)."""
    programme = texting.programme
    with force_locale(language):
        return say(opt_in_text(programme.name, programme.contact)).unescape()


def agreement_by_web(words: str, language: str, *, ticked: bool) -> Agreement:
    """What this request's browser saw and did."""
    agent = request.headers.get("User-Agent") or "not given"
    return Agreement(words, language, TEXT_VERSION, ticked, request.remote_addr or "not known", agent)
