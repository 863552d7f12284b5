"""Which data can be asked for, and how far a request may go: never further than the form that donors signed. Pure.

A dataset is what donors gave to one effort. Only an effort whose form lets the coded data serve other cancer research
is open to requests; the others' forms say "this study only" (ADR 0014). Facts on QOPI: ASCO's page on data for
research, as it read in 2024.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

from consent.duo.match import Request
from consent.duo.stated import stated
from consent.duo.terms import is_kind_of
from consent.efforts import EARLY_SIGNS, LIVING_WELL, Effort
from vocabulary.errors import Conflict, Invalid, Refused

OPEN: Mapping[str, Effort] = {LIVING_WELL.id: LIVING_WELL}
THIS_STUDY_ONLY = frozenset({EARLY_SIGNS.id})
WORDS: Mapping[str, str] = {
    "qopi-is-asked-for-elsewhere": (
        "QOPI is not asked for by this route: ASCO leaves it out of the steps for its research data. In QOPI, practices"
        " measure the quality of their own care. To learn more, go to ASCO Practice Central."
    ),
    "form-names-this-study-only": "The form that its donors signed lets only the study itself use the data.",
    "wider-than-donors-were-told": "The request goes further than what the effort tells its donors about itself.",
}


def dataset(name: str) -> Effort:
    """The effort whose donated data `name` is; Refused for what is not given out by this route, Invalid else."""
    if is_qopi(name):
        raise Refused("qopi-is-asked-for-elsewhere")
    if name in THIS_STUDY_ONLY:
        raise Refused("form-names-this-study-only")
    if name not in OPEN:
        raise Invalid("request", {"dataset": f"is not known; can be asked for: {', '.join(sorted(OPEN))}"})
    return OPEN[name]


def is_qopi(name: str) -> bool:
    """Whether a dataset is QOPI by its letters or its full name, however written."""
    letters = re.sub(r"[^a-z]", "", name.lower())
    return letters.startswith("qopi") or "qualityoncologypracticeinitiative" in letters


def wider_than_told(effort: Effort, asked: Request, on: date) -> dict[str, str]:
    """By field, where a request goes further than what the effort told its donors; empty when it does not.

    Whatever kind of research a donor leaves open for the effort is then open for the request as well, so that nobody's
    sealed choice has to be opened for it (ADR 0012).
    """
    told, wider = stated(effort.id, on), {}
    if asked.aim is not told.aim:
        wider["purpose.aim"] = f"must be {told.aim.value}: that is what donors were told"
    if asked.disease is None or told.disease is None or not is_kind_of(asked.disease, told.disease):
        wider["purpose.disease"] = f"must be {told.disease} or a kind of it"
    if asked.for_profit_organization and not told.for_profit_organization:
        wider["purpose.for_profit_organization"] = "must be false: donors were told that no company runs it"
    if asked.commercial_use and not told.commercial_use:
        wider["purpose.commercial_use"] = "must be false: donors were told that it is not used in products"
    if told.publishes and not asked.publishes:
        wider["purpose.publishes"] = "must be true"
    if told.ethics_approval and not asked.ethics_approval:
        wider["purpose.ethics_approval"] = "must be true: donors were told that an ethics board approved it"
    if asked.country != told.country:
        wider["purpose.country"] = f"must be {told.country}"
    return wider


def hold_to_form(effort: Effort, asked: Request, on: date) -> None:
    """Conflict when a request goes further than what the effort says by now: asked at approval and at the build."""
    if wider_than_told(effort, asked, on):
        raise Conflict("wider-than-donors-were-told")
