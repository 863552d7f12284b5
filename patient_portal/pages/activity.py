"""Who used my data: every decision with who acted, every sending, and who opened what, from the audit."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from sqlalchemy import select

from consent.audit_tables import AuditEventRow
from consent.authority.known_by_name import family_names
from database.context import as_persons
from patient_portal.choices.choosing import read_choices
from patient_portal.choices.receipts import reference_of
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.wiring import wiring
from research.deliveries import deliveries_of
from vocabulary.phrase import Phrase, phrase

blueprint = Blueprint("activity", __name__, url_prefix="/activity")
A_PAGE = 50

SAYS: dict[str, Phrase] = {
    "decision.recorded": phrase("A choice was recorded"),
    "decision.denied": phrase("A choice was refused"),
    "decision.carried": phrase("A choice was carried over to a newly known name of yours"),
    "decision.restored": phrase("A choice was put back from its page on paper"),
    "decision.unchanged": phrase("An answer was given that stood already, so nothing changed"),
    "texts.on": phrase("Text messages were turned on"),
    "texts.off": phrase("Text messages were turned off"),
    "number.confirmed": phrase("A phone number was confirmed"),
    "number.removed": phrase("A phone number was taken out of use"),
    "mails.on": phrase("E-mail was turned on"),
    "mails.off": phrase("E-mail was turned off"),
    "letters.on": phrase("Letters were turned on"),
    "letters.off": phrase("Letters were turned off"),
    "address.confirmed": phrase("An address was confirmed"),
    "address.removed": phrase("An address was taken out of use"),
    "topics.changed": phrase("What we tell you about was changed"),
    "research.limits": phrase("What kinds of research may use your data was chosen"),
    "choices.read": phrase("Your choices were opened"),
    "choices.read-by-program": phrase("A data store or an auditor read your choices"),
    "record.read": phrase("Your record was opened"),
    "record.downloaded": phrase("A copy of your record was downloaded"),
    "record.brought-in": phrase("We asked a hospital for your record"),
    "record.wrong-person": phrase("A hospital sent something about another person; we did not keep it"),
    "record.disconnected": phrase("A hospital was disconnected"),
    "record.erased": phrase("The copy of your record was deleted and your account closed"),
    "receipt.downloaded": phrase("A receipt was downloaded"),
    "paper.downloaded": phrase("A paper copy was downloaded"),
    "uses.downloaded": phrase("The list of who saw or used your data was downloaded"),
    "access.asked": phrase("You wrote a letter that asks a clinic for your record"),
    "access.noted": phrase("You noted what became of a letter to a clinic"),
    "file.added": phrase("You added a file to your record"),
    "file.downloaded": phrase("A file that you added was downloaded"),
    "file.deleted": phrase("A file that you added was deleted"),
    "decisions.asked": phrase("A program asked what your choices allow"),
    "person.linked": phrase("Two records of yours were joined"),
    "person.unlinked": phrase("Two records of yours were parted"),
    "donation.sent": phrase("Data you donated was sent to a study"),
    "authority.stated": phrase("Somebody told us that they act for you"),
    "authority.confirmed": phrase("Our staff saw the paper of who acts for you"),
    "authority.refused": phrase("Our staff could not accept that somebody acts for you"),
    "authority.ended": phrase("Somebody no longer acts for you"),
    "representative.came": phrase("Who acts for you signed in"),
    "helper.invited": phrase("You invited a helper"),
    "helper.ended": phrase("You ended a helper’s visits"),
    "helper.came": phrase("A helper came to read your record"),
    "helper.filled-in": phrase("A helper filled in a form for you to look at"),
    "death.reported": phrase("Somebody told us that you died"),
    "death.confirmed": phrase("Our staff confirmed a death"),
    "death.mistaken": phrase("A report of your death was put right"),
    "sign-in": phrase("Signed in"),
    "sign-out": phrase("Signed out"),
    "staff-task.opened": phrase("Our staff was asked to look at something"),
    "staff-task.read": phrase("Our staff opened a case about you"),
    "staff-task.changed": phrase("Our staff worked on a case about you"),
    "staff.page-opened": phrase("Our staff opened your page without a case, and gave a reason"),
    "staff.letter": phrase("Our staff made a letter for you or your clinic"),
}
WHO: dict[str, Phrase] = {
    "patient": phrase("you"),
    "proxy": phrase("someone who acts for you"),
    "helper": phrase("a helper you invited"),
    "care-team": phrase("your care team"),
    "staff": phrase("CancerLinQ staff"),
    "lead": phrase("CancerLinQ staff"),
    "system": phrase("this service"),
    "program": phrase("a program of a data store or an auditor"),
    "anonymous": phrase("nobody signed in"),
}

_BY_NAME = ("staff", "lead")
"""Whose names the audit itself keeps; a hospital's staff is a reference there, which the uses page shows."""


@blueprint.get("")
@gate(Gate.FOR_PERSON)
def overview() -> str:
    """Newest first; older entries by a plain link."""
    actor = current_actor()
    before = request.args.get("before", default=None, type=int)
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        choices = read_choices(session, wiring(), actor.persons)
        query = select(AuditEventRow).where(AuditEventRow.person_id.in_(actor.persons))
        if before is not None and 0 < before < 2**62:
            query = query.where(AuditEventRow.id < before)
        lines = list(session.scalars(query.order_by(AuditEventRow.id.desc()).limit(A_PAGE + 1)))
        deliveries = deliveries_of(session, actor.persons)
        family = family_names(session, wiring().keyring, actor.persons, actor)
    return render_template(
        "activity/overview.html",
        deliveries=deliveries,
        choices=choices,
        efforts={effort.id: effort for effort in choices.efforts},
        lines=lines[:A_PAGE],
        older=lines[A_PAGE - 1].id if len(lines) > A_PAGE else None,
        says=SAYS,
        who=WHO,
        reference_of=reference_of,
        family=family,
        by_name=_BY_NAME,
    )
