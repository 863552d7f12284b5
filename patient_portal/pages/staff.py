"""The queue of CancerLinQ's staff, and the page of one case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from consent.audit import Audited, write_audit
from consent.audit_tables import StaffTask
from consent.authority.deaths import TASK as DEATH
from consent.overdue import store_standings
from consent.person_identity import practice_names
from consent.tables import Practice
from database.context import as_staff
from patient_portal.edge.page_context import say
from patient_portal.edge.rate_limits import limited
from patient_portal.family.words import SHORT
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.pages.other_clinic import clinic_of
from patient_portal.staff import cases, work
from patient_portal.staff.cases import Case
from patient_portal.staff.members import colleagues, names_of
from patient_portal.staff.openings import findable, unseen_by
from patient_portal.staff.people import Seen, see_person
from patient_portal.staff.queue import A_PAGE, NO_STORE, WHOSE, After, Wanted, counts, read_case, read_queue
from patient_portal.staff.settling import SETTLED, Ending, about_task, endings
from patient_portal.wiring import now, wiring
from vocabulary.actor import Actor, ActorKind
from vocabulary.errors import Conflict, Invalid
from vocabulary.phrase import Phrase, phrase

blueprint = Blueprint("staff", __name__, url_prefix="/staff")
WHOSE_WORDS: dict[str, Phrase] = {
    "mine": phrase("Mine"),
    "free": phrase("Nobody’s yet"),
    "passed-to-me": phrase("Passed on to me"),
}


@blueprint.get("")
@gate(Gate.STAFF)
def queue() -> str:
    """What is open, the first due first; nobody's name is on it."""
    actor, wanted = current_actor(), wanted_of(request.args)
    me = account_of(actor)
    after = After.read(request.args.get("after", ""))
    with wiring().database.begin(as_staff(actor.practices, me)) as database:
        found = read_queue(database, wanted, me, after, now())
        names = names_of(database, {each.assigned_to for each in found})
        open_now, standings = counts(database), store_standings(database)
        unseen = unseen_by(database, me) if actor.kind is ActorKind.LEAD else None
        practices = [
            (row.id, row.name) for row in database.execute(select(Practice.id, Practice.name).order_by(Practice.name))
        ]
    shown = found[:A_PAGE]
    narrowed = {name: value for name, value in vars(wanted).items() if value and name != "late"}
    narrowed |= {"late": "yes"} if wanted.late else {}
    return render_template(
        "staff/queue.html", cases=shown, names=names, wanted=wanted, now=now(), me=me, kind_words=cases.kind_words,
        kinds=[(kind, cases.kind_words(kind), many) for kind, many in open_now],
        kind_options=options_of({kind: cases.kind_words(kind) for kind, _many in open_now}), standings=standings,
        stores=store_names(), practices=practices, practice_called=dict(practices), whose=options_of(WHOSE_WORDS),
        no_store=NO_STORE, unseen=unseen, narrowed=bool(narrowed),
        first=url_for("staff.queue", **narrowed) if after else "",
        older=url_for("staff.queue", **narrowed, after=After.of(shown[-1])) if len(found) > A_PAGE else "",
    )  # fmt: skip


@blueprint.get("/case/<int:case_no>")
@gate(Gate.STAFF)
def case(case_no: int) -> str:
    """One case; whom it is about stands here only while it is the reader's own."""
    return _case_page(case_no, {})


@blueprint.post("/case/<int:case_no>")
@gate(Gate.STAFF)
@limited("staff-case", per_minute=60)
def do(case_no: int) -> AnyResponse:
    """Take it, add a note, pass it on, give it back, close it: what the pressed button says."""
    wish, words = request.form.get("do", ""), request.form.get("words", "")
    deeds = _deeds(case_no, words)
    if wish not in deeds:
        raise Invalid("do")
    deed, said = deeds[wish]
    try:
        deed()
    except Invalid as error:
        return make_response(_case_page(case_no, error.fields, typed=words), 422)
    except Conflict:
        flash(gettext("A colleague was faster, or the case is closed."), "warning")
        return redirect(url_for("staff.case", case_no=case_no), 303)
    flash(said)
    leaves = wish in ("give-back", "pass-on", "close")
    return redirect(url_for("staff.queue") if leaves else url_for("staff.case", case_no=case_no), 303)


def _deeds(case_no: int, words: str) -> dict[str, tuple[Callable[[], None], str]]:
    """What each button does, and what is said then."""
    actor, name, form = current_actor(), str(session.get("name", "")), request.form
    here = (wiring(), actor, name, case_no)
    return {
        "take": (lambda: work.take(*here, now()), gettext("This case is yours now.")),
        "take-over": (lambda: work.take(*here, now(), over=True), gettext("This case is yours now.")),
        "note": (lambda: work.note(*here, words, now()), gettext("Your note is kept.")),
        "give-back": (lambda: work.give_back(*here, now()), gettext("The case is back in the queue.")),
        "pass-on": (
            lambda: work.pass_on(*here, _id(form.get("to", ""), "to"), words, now()), gettext("The case is passed on."),
        ),
        "close": (
            lambda: work.close(*here, Ending(form.get("outcome", ""), form.get("died", "")), words, now()),
            gettext("The case is closed."),
        ),
        "end-authority": (
            lambda: work.end_authority(*here, _id(form.get("authority", ""), "authority"), words, now()),
            gettext("They no longer act for this person, on no paper of theirs."),
        ),
        "is-about": (
            lambda: work.is_about(*here, form.get("provider", ""), form.get("number", ""), now()),
            gettext("This case is about them now. Their messages are paused."),
        ),
    }  # fmt: skip


def account_of(actor: Actor) -> UUID:
    assert actor.account_id is not None, "the gate lets only staff in"
    return actor.account_id


def wanted_of(sent: Any) -> Wanted:
    """What a form or an address narrows the queue to; what is not understood narrows nothing."""
    whose = sent.get("whose", "")
    kind, store, practice = (str(sent.get(name, ""))[:80] for name in ("kind", "store", "practice"))
    return Wanted(kind, store, practice, whose if whose in WHOSE else "", bool(sent.get("late")))


def hospitals_of(actor: Actor) -> list[tuple[str, str]]:
    """The hospitals whose people this actor may look for, for a form's control."""
    return [(each.id, each.name) for each in findable(wiring(), actor)]


def options_of(words: Mapping[str, Phrase]) -> list[tuple[str, str]]:
    """Values and their words in the reader's language, for a form's control."""
    return [(value, say(each)) for value, each in words.items()]


def store_names() -> dict[str, str]:
    return {store.id: store.name for store in wiring().settings.stores}


def _id(typed: str, field: str) -> UUID:
    try:
        return UUID(typed)
    except ValueError:
        raise Invalid(field, {field: "missing"}) from None


def _case_page(case_no: int, wrong: dict[str, str], typed: str = "") -> str:
    actor = current_actor()
    me = account_of(actor)
    detail: dict[str, Any] = {}
    seen: Seen | None = None
    about: list[tuple[Phrase, str | Phrase | date]] = []
    with wiring().database.begin(as_staff(actor.practices, me)) as database:
        found = read_case(database, case_no)
        mine = found.shows_names_to(me)
        history = work.read_history(database, wiring().keyring, found.id, with_notes=mine)
        people = names_of(database, {each for one in history for each in (one.by, one.to)} | {found.assigned_to})
        people_here = [(str(each.account_id), each.name) for each in colleagues(database) if each.account_id != me]
        practice = practice_names(database, [found.practice_id]) if found.practice_id else {}
        if mine:
            detail, seen, about = _about(database, actor, found)
    return render_template(
        "staff/case.html", case=found, mine=mine, seen=seen, history=history, people=people, people_here=people_here,
        practice=practice.get(found.practice_id or "", found.practice_id),
        store=store_names().get(found.store_id or "", found.store_id), now=now(), may_take=found.may_take(me),
        may_take_over=actor.kind is ActorKind.LEAD and found.closed_at is None,
        words=cases.kind_words(found.kind), events=cases.EVENTS, what_to_do=cases.WHAT_TO_DO.get(found.kind),
        why=cases.WHY.get(str(detail.get("why"))), clinic=clinic_of(wiring().keyring, found.id, detail),
        outcomes={**cases.OUTCOMES, **SETTLED}, typed=typed, about=about,
        outcome_options=options_of(endings(found.kind)), given=request.form if wrong else {}, short=SHORT,
        hospitals=hospitals_of(actor) if mine and found.kind == DEATH and seen is None else [],
        errors={name: _words(name, code) for name, code in wrong.items()},
    )  # fmt: skip


def _about(
    database: Session, actor: Actor, found: Case
) -> tuple[dict[str, Any], Seen | None, list[tuple[Phrase, str | Phrase | date]]]:
    """What a case of the actor's own is about, and the line that says they looked."""
    row = database.execute(select(StaffTask).where(StaffTask.id == found.id)).scalar_one()
    person, detail = row.person_id, row.detail
    if person is None:
        return detail, None, about_task(database, wiring().keyring, row, as_staff(actor.practices, account_of(actor)))
    seen = see_person(database, wiring(), actor, person, now())
    reach = as_staff(actor.practices, account_of(actor), *seen.persons)
    about = about_task(database, wiring().keyring, row, reach)
    line = Audited(
        person, "staff-task.read", "R", actor.kind.value, actor.account_id, actor_reference=session.get("name"),
        detail={"kind": found.kind, "case": found.case_no},
    )  # fmt: skip
    write_audit(database, now(), line)
    return detail, seen, about


def _words(name: str, code: str) -> str:
    words: dict[tuple[str, str], str] = {
        ("words", "missing"): gettext("Write a few words first."),
        ("words", "too-long"): gettext("Make this shorter: at most 2000 characters."),
        ("to", "missing"): gettext("Choose a colleague."),
        ("outcome", "missing"): gettext("Choose how it ended."),
        ("died", "missing"): gettext("Write the day."),
        ("authority", "missing"): gettext("Choose who no longer acts for the person."),
        ("provider", "missing"): gettext("Choose the hospital."),
        ("number", "missing"): gettext("Write the record number."),
        ("number", "nobody"): gettext("Nobody is known here by this number."),
    }
    return words["words" if name.endswith("-words") else name, code]
