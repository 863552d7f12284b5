"""The CDS Hooks service `patient-consent-consult` (CDS Hooks 2.0, Discovery and Calling a CDS Service; the hook as the
LEAP Consent Decision Service defines it). The caller asks before it discloses; one card answers.

`context.patientId` names the patient as the store knows them, `context.actor` the store that would receive,
`context.purposeOfUse` a v3-ActReason code or a purpose in DUO's terms (then with `context.disease` and
`context.modifiers`, as in one question: docs/decisions-api.md), `context.class` our data classes (all three when left
out: each must be allowed). Anything that is not understood is no consent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from consent.decide.columns import Question
from consent.decide.decider import Answer, Decider
from consent.decision import DataCategory
from consent.duo.use import Use, is_duo, use_of
from consent.may_use import Purpose, Reason
from vocabulary.errors import Invalid

HOOK = "patient-consent-consult"
STORE_SYSTEM = "https://patient-portal.example/fhir/NamingSystem/store"
SUBJECT_SYSTEM = "https://patient-portal.example/fhir/NamingSystem/subject"
SCOPES = frozenset({"adr", "research", "patient-privacy", "treatment"})
PURPOSES = {
    **dict.fromkeys(
        ("HRESCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC", "PRECLINTRCH", "BIORCH", "DSRCH"), Purpose.RESEARCH
    ),
    **dict.fromkeys(("HOPERAT", "HQUALIMP", "HSYSADMIN"), Purpose.OPERATIONS),
    "PUBHLTH": Purpose.PUBLIC_HEALTH,
}
DISCOVERY: dict[str, Any] = {
    "services": [
        {
            "hook": HOOK,
            "id": HOOK,
            "title": "May this person's data be used?",
            "description": "Says whether a data store may use a person's data for a purpose, by what they decided.",
        }
    ]
}
_MAY = ("CONSENT_PERMIT", "info", "The person's choice allows this use.")
_NO = ("CONSENT_DENY", "critical", "The person's choice does not allow this use.")
_NONE = ("NO_CONSENT", "warning", "No choice of the person applies to this use. It is not allowed.")
_DENIES = frozenset({Reason.OPTED_OUT, Reason.NOT_CHOSEN, Reason.SENSITIVE})


def consult(
    decider: Decider,
    stores: Collection[str],
    request: dict[str, Any],
    base_url: str,
    note: Callable[[Question, list[str], Answer], None] = lambda _question, _names, _answer: None,
) -> dict[str, Any]:
    """The answer to one call, as the hook's response; Invalid (400) where the request is not one of this hook.

    `note` is told each question with the person's names and its answer, for the audit.
    """
    context = request.get("context")
    if request.get("hook") != HOOK or not isinstance(request.get("hookInstance"), str) or not isinstance(context, dict):
        raise Invalid("not-this-hook")
    if context.get("scope") not in SCOPES:
        raise Invalid("scope")
    patients, actors = _identifiers(context.get("patientId")), _identifiers(context.get("actor"))
    if not patients:
        raise Invalid("patient-id")
    named = [value for system, value in actors if system == STORE_SYSTEM and value in stores]
    purpose, use = _purpose(context)
    classes = _classes(context.get("class"))
    if len(named) != 1 or purpose is None or not classes:
        return _response(Answer(False, Reason.UNKNOWN, 0), base_url)
    questions = [Question(named[0], each, purpose, use=use) for each in sorted(classes)]
    answers = [_of_one_patient(decider, question, patients) for question in questions]
    for question, answer in zip(questions, answers, strict=True):
        note(question, _names(patients), answer)
    refused = [answer for answer in answers if not answer.allowed]
    return _response((refused or answers)[0], base_url)


def _of_one_patient(decider: Decider, question: Question, patients: Sequence[tuple[str, str]]) -> Answer:
    """Each identifier names the same person: every one that is known has to allow it, and one must be known."""
    answers = decider.decide_many(question, [name.encode() for name in _names(patients)])
    known = [p for p in answers.permissions if p.reason is not Reason.NOT_CONCERNED]
    worst = next((p for p in known if not p.allowed), known[0] if known else None)
    if worst is None:
        return Answer(False, Reason.NOT_CONCERNED, answers.position)
    return Answer(worst.allowed, worst.reason, answers.position)


def _purpose(context: dict[str, Any]) -> tuple[Purpose | None, Use | None]:
    """What it is for, and in DUO's terms where it was said in them; no purpose at all when it is not understood."""
    word, disease = str(context.get("purposeOfUse")), context.get("disease", "")
    modifiers = context.get("modifiers", [])
    if not is_duo(word):
        return PURPOSES.get(word) if not disease and not modifiers else None, None
    if not isinstance(disease, str) or not isinstance(modifiers, list):
        return None, None
    try:
        return Purpose.RESEARCH, use_of(word, disease, [str(each) for each in modifiers])
    except Invalid:
        return None, None


def _names(patients: Sequence[tuple[str, str]]) -> list[str]:
    return [value if system == SUBJECT_SYSTEM else f"{system}|{value}" for system, value in patients]


def _response(answer: Answer, base_url: str) -> dict[str, Any]:
    summary, indicator, detail = _MAY if answer.allowed else _NO if answer.reason in _DENIES else _NONE
    told = {"decision": summary, "reason": answer.reason.value, "position": answer.position}
    source = {"label": "Patient decisions", "url": base_url}
    return {
        "cards": [{"summary": summary, "indicator": indicator, "detail": detail, "source": source, "extension": told}]
    }


def _identifiers(value: object) -> list[tuple[str, str]]:
    """The `{system, value}` pairs of one identifier or a list of them."""
    return [
        (str(item.get("system", "")), item["value"])
        for item in _listed(value)
        if isinstance(item, dict) and isinstance(item.get("value"), str) and item["value"]
    ]


def _classes(value: object) -> set[DataCategory]:
    """The data classes asked for; all when none is named, none at all when one is not known."""
    if value is None:
        return set(DataCategory)
    known = {each.value: each for each in DataCategory}
    found = [known.get(str(item.get("code"))) if isinstance(item, dict) else None for item in _listed(value)]
    return set() if None in found else {each for each in found if each is not None}


def _listed(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else [] if value is None else [value]
