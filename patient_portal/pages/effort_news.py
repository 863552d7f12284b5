"""What research found out: read after signing in, by those who take or took part in an effort."""

from __future__ import annotations

from flask import Blueprint, render_template

from consent.decision import Answer
from consent.efforts import SANDBOX_EFFORTS, effort_by_id
from consent.history import read_history
from database.context import as_persons
from patient_portal.edge.page_context import language_code
from patient_portal.gates import Gate, current_actor, gate
from patient_portal.in_touch.effort_results import news_of
from patient_portal.wiring import wiring

blueprint = Blueprint("effort_news", __name__, url_prefix="/news")


@blueprint.get("")
@gate(Gate.PATIENT)
def overview() -> str:
    """The news of every effort that the person ever said yes to, newest first."""
    actor = current_actor()
    with wiring().database.begin(as_persons(*actor.persons, account=actor.account_id)) as session:
        given = {
            entry.decision.effort
            for entry in read_history(session, actor.persons)
            if entry.decision.effort and entry.decision.answer is Answer.YES
        }
        found = news_of(session, sorted(given), language_code())
    efforts = {effort: effort_by_id(effort, SANDBOX_EFFORTS) for effort in given}
    return render_template("effort_news.html", news=found, efforts=efforts)
