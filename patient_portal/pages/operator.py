"""How the service stands, for its operators: on the internal address only, in counts and times, with no identities."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import Blueprint, render_template
from flask_babel import format_timedelta

from patient_portal.gates import Gate, gate
from patient_portal.operating.operator_reading import read_standing
from patient_portal.operating.reached import PEOPLE, QUESTIONS, SMALLEST_SHOWN, shown
from patient_portal.operating.runbook import load
from patient_portal.operating.troubles import troubles
from patient_portal.pages.health import internal_only
from patient_portal.staff.cases import KINDS as KINDS_OF_CASES
from patient_portal.wiring import now, wiring
from vocabulary.phrase import Phrase, phrase

blueprint = Blueprint("operator", __name__, url_prefix="/operator")

CHANNELS: dict[str, Phrase] = {
    "requested": phrase("not greeted yet"),
    "active": phrase("answers"),
    "error": phrase("does not answer"),
}
MAILS: dict[str, Phrase] = {
    "waiting": phrase("waits"),
    "sent": phrase("sent"),
    "refused": phrase("refused"),
    "over": phrase("not needed any more"),
}
COMPARISONS: dict[str, Phrase] = {
    "agrees": phrase("agrees"),
    "drift": phrase("differs"),
    "no-answer": phrase("no answer"),
    "cannot": phrase("cannot be compared"),
}
TASKS: dict[str, Phrase] = {
    "store-not_found": phrase("A store does not find a person"),
    "store-ambiguous": phrase("A store finds more than one person"),
    "store-parked": phrase("A store will not take a choice"),
    "store-refused": phrase("A store refused a choice"),
    "store-drift/keeps-out": phrase("A store keeps out a person who said yes"),
    "store-drift/older-answer": phrase("A store goes by an older choice"),
    "store-drift/never-told": phrase("A store names a choice that we never sent"),
    "store-drift/kept-out-unasked": phrase("A store keeps out people we never named"),
    "tell-the-person": phrase("Tell a person what their care team recorded"),
}
KINDS: dict[str, Phrase] = {"worker": phrase("worker"), "feed": phrase("feed")}


def lasting(length: timedelta | None) -> str:
    """A length of time in one unit, in the reader's language; a dash for none."""
    return "–" if length is None else format_timedelta(length, threshold=1)


@blueprint.get("")
@gate(Gate.INTERNAL)
def overview() -> str:
    """Everything on one page; nothing on it changes anything."""
    internal_only()
    reading = read_standing(wiring(), now())

    def ago(moment: datetime | None) -> str:
        return lasting(None if moment is None else max(timedelta(), reading.now - moment))

    found = troubles(reading)
    return render_template(
        "operator/overview.html",
        reading=reading,
        operations=reading.operations,
        troubles=found,
        troubled={trouble.store: trouble for trouble in reversed(found)},
        channels=CHANNELS,
        mails=MAILS,
        comparisons=COMPARISONS,
        kinds=KINDS,
        task_words={**KINDS_OF_CASES, **TASKS},
        people=[(words, shown(reading.operations, name)) for name, words in PEOPLE.items()],
        questions=QUESTIONS,
        replies=lambda question, answer: shown(reading.operations, f"reply:{question}:{answer}"),
        smallest=SMALLEST_SHOWN,
        lasting=lasting,
        ago=ago,
    )


@blueprint.get("/runbook")
@gate(Gate.INTERNAL)
def runbook() -> str:
    """What each alert means and what to do, in English."""
    internal_only()
    beginning, *entries = load()
    return render_template("operator/runbook.html", beginning=beginning, entries=entries)
