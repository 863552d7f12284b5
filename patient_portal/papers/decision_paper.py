"""The paper twin as a page: what was decided in words, and the codes from which it can be restored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from io import BytesIO

import segno
from flask_babel import force_locale, format_datetime, gettext

from consent.decision import CANCERLINQ, Answer, Decision
from consent.efforts import effort_by_id
from patient_portal.choices.receipts import reference_of
from patient_portal.papers.typesetting import Paper, Part, codes, facts, heading, lead, paragraphs, small
from patient_portal.papers.words import PARTS, PRIVATE, said
from vocabulary.phrase import phrase

OUT, BACK = phrase("You are out of CancerLinQ"), phrase("You are back in CancerLinQ")
A_ROW = 2
CODE_CM = 8.2


def decision_paper(
    decision: Decision, scanned: tuple[str, ...], language: str, *, placed: bool, unconfirmed: Sequence[str]
) -> Paper:
    """The paper in the reader's language; `scanned` are the texts of the codes. It is dated by the decision.

    What is not known yet is said: whether it is `placed` in the ledger under a signed head, and the names of the stores
    that are `unconfirmed`.
    """
    with force_locale(language):
        title = gettext("Your choice on paper")
        pictures = [(_picture(text), _alt(number, len(scanned))) for number, text in enumerate(scanned, start=1)]
        parts = [
            heading(1, title),
            lead(_says(decision)),
            facts(_rows(decision), exact=frozenset({gettext("Reference"), gettext("Number of the record")})),
            *_not_known(placed, unconfirmed),
            heading(2, gettext("If our records are ever lost")),
            paragraphs(
                gettext("These codes hold the whole record of your choice. With this page we can put it back."),
                gettext("Keep it as you keep a letter from your doctor. Give it only to us."),
            ),
            *(codes(pictures[start : start + A_ROW], CODE_CM) for start in range(0, len(pictures), A_ROW)),
            small(
                gettext("Scan each code once, in any order. Each is signed by this service, so nobody can make one up.")
            ),
        ]
        return Paper(title, language, decision.recorded_at, f"{title} · {reference_of(decision)}", parts)


def _not_known(placed: bool, unconfirmed: Sequence[str]) -> list[Part]:
    """What this page cannot say yet, none where all is known."""
    lines = []
    if not placed:
        lines.append(
            gettext("When this page was made, your choice counted already, but had no signed place in our list.")
        )
    if unconfirmed:
        names = ", ".join(unconfirmed)
        lines.append(gettext("When this page was made, these had not confirmed your choice: %(names)s.", names=names))
    return [small(*lines, gettext("Make this page again later to see what is known then."))] if lines else []


def _says(decision: Decision) -> str:
    if decision.subject == CANCERLINQ:
        return said(OUT) if decision.is_no else said(BACK)
    effort = effort_by_id(decision.effort or "")
    name = said(effort.name) if effort else decision.effort or ""
    if decision.answer is Answer.NO:
        return str(gettext("You said no to %(name)s", name=name))
    return str(gettext("You share with %(name)s", name=name))


def _rows(decision: Decision) -> list[tuple[str, str]]:
    rows = [(gettext("When"), format_datetime(decision.recorded_at.astimezone(UTC), "long"))]
    if decision.categories:
        rows.append(
            (gettext("Parts you chose"), ", ".join(said(w) for each, w in PARTS.items() if each in decision.categories))
        )
    if decision.sensitive:
        switched = ", ".join(said(words) for each, words in PRIVATE.items() if each in decision.sensitive)
        rows.append((gettext("Very private kinds you switched on"), switched))
    rows.append((gettext("Reference"), reference_of(decision)))
    rows.append((gettext("Number of the record"), f"{decision.id} / {decision.version}"))
    return rows


def _picture(text: str) -> str:
    out = BytesIO()
    segno.make_qr(text, error="m", boost_error=False).save(
        out, kind="svg", xmldecl=False, border=4, dark="#000", light="#fff"
    )
    return out.getvalue().decode()


def _alt(number: int, count: int) -> str:
    return str(gettext("Code %(number)s of %(count)s, for a scanner", number=number, count=count))
