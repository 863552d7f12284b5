"""The treatment time line: operations, radiation, and medicines grouped into courses (MC-08, MC-09)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from fhir_bridge.reading.cancers import diagnosis_of
from fhir_bridge.reading.courses import Dose, medicine_courses, unknown_class
from fhir_bridge.reading.dates import FhirDate, date_of, end_of, read_date
from fhir_bridge.reading.drugs import CLASS_WORDS, ONLY_WITH_A_REASON, Drug, DrugClass, drugs_in
from fhir_bridge.reading.procedure_names import RADIATION, is_surgery, procedure_name, surgery_site, treats
from fhir_bridge.reading.quantity import number
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import (
    clinical_text,
    codes,
    concept_text,
    extensions,
    has_profile,
    key,
    key_of,
    obj,
    objects,
    references,
    searchable,
    text,
    without_tag,
)
from fhir_bridge.reading.standing import is_fact, status_words
from fhir_bridge.reading.summary_model import Treatment
from fhir_bridge.reading.titles import medication_concept, medication_reference
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource

SURGERY = phrase("Surgery for the cancer")
TRANSPLANT = phrase("Stem cell or bone marrow transplant")

INTENTS: dict[str, Phrase] = {
    "373808002": phrase("meant to cure"),
    "363676003": phrase("meant to ease symptoms"),
    "399707004": phrase("meant to support other treatment"),
    "129428001": phrase("meant to prevent"),
}

REASONS: dict[str, Phrase] = {
    "266721009": phrase("it did not help enough"),
    "407563006": phrase("it was too hard on the body"),
    "160932005": phrase("of money problems"),
    "105480006": phrase("you chose to stop"),
    "184081006": phrase("you moved away"),
    "309846006": phrase("it was not available"),
    "443729008": phrase("the clinical trial ended"),
    "77386006": phrase("of pregnancy"),
}

TOLD_BY_YOU = phrase("as you told your hospital")
WRITTEN_DOWN = phrase("written down as taken")

_SESSION_GAP = timedelta(days=75)


@dataclass
class _Group:
    kind: str
    title: Said
    procedures: list[Resource] = field(default_factory=list)


def treatments_from(
    resources: Iterable[Resource], cancer_keys: set[str], sites: set[str], find: Callable[[str], Resource | None]
) -> tuple[Treatment, ...]:
    """All treatments, oldest first, from entries that pass by once. `cancer_keys` and `sites` are the cancers of the
    record; `find` resolves references to Medication resources.
    """
    doses: list[Dose] = []
    procedures: list[tuple[str, Resource]] = []
    for one in resources:
        if one.get("resourceType") == "Procedure":
            kind = _procedure_kind(one, cancer_keys, sites)
            procedures += [(kind, one)] if kind is not None and is_fact(one) else []
        elif is_fact(one) and not _only_meant(one):
            doses += _doses(one, cancer_keys, find)
    found = _procedure_treatments(procedures) + [_medicine_treatment(one) for one in medicine_courses(doses)]
    return tuple(sorted(found, key=lambda one: (one.start is None, one.start.sort.isoformat() if one.start else "")))


def _only_meant(resource: Resource) -> bool:
    """A medicine that somebody wrote a draft of, suggested, or means to give: nobody ordered it."""
    return text(resource.get("status")) in ("draft", "intended", "preparation") or resource.get("intent") == "proposal"


def for_cancer(resource: Resource, cancer_keys: set[str]) -> bool:
    """Whether the entry itself says that it is for a cancer."""
    if any(key_of(ref) in cancer_keys for ref in references(resource.get("reasonReference"))):
        return True
    return any(diagnosis_of(reason) is not None for reason in objects(resource.get("reasonCode")))


def _procedure_kind(procedure: Resource, cancer_keys: set[str], sites: set[str]) -> str | None:
    code = procedure.get("code")
    kind = treats(code)
    if kind is not None:
        return kind
    if has_profile(procedure, "mcode-radiotherapy-course-summary"):
        return "radiation"
    if has_profile(procedure, "mcode-cancer-related-surgical-procedure"):
        return "surgery"
    if for_cancer(procedure, cancer_keys) and is_surgery(code):
        return "surgery"
    site = surgery_site(code)
    return "surgery" if site is not None and (site in sites or (site == "colon" and "rectum" in sites)) else None


def _procedure_treatments(procedures: list[tuple[str, Resource]]) -> list[Treatment]:
    """Operations one by one; sessions of the same treatment close in time become one course."""
    groups: list[_Group] = []
    for kind, one in sorted(procedures, key=lambda pair: _sort(date_of(pair[1]))):
        title = _procedure_title(kind, one)
        last = next((g for g in reversed(groups) if g.kind == kind and g.title == title), None)
        if kind != "surgery" and last is not None and _close(last.procedures[-1], one):
            last.procedures.append(one)
        else:
            groups.append(_Group(kind, title, [one]))
    return [_procedure_treatment(one) for one in groups]


def _procedure_title(kind: str, procedure: Resource) -> Said:
    name = procedure_name(procedure.get("code"))
    if name is not None:
        return name
    if kind == "radiation":
        return RADIATION
    own = without_tag(concept_text(procedure.get("code")))
    return own or (TRANSPLANT if kind == "transplant" else SURGERY)


def _close(earlier: Resource, later: Resource) -> bool:
    first, second = end_of(earlier) or date_of(earlier), date_of(later)
    if first is None or second is None:
        return False
    return second.sort - first.sort <= _SESSION_GAP


def _procedure_treatment(group: _Group) -> Treatment:
    first, last = group.procedures[0], group.procedures[-1]
    sessions = [number(one.get("valueUnsignedInt")) for one in extensions(first, "mcode-radiotherapy-sessions")]
    times = int(sessions[0]) if sessions and sessions[0] is not None else len(group.procedures)
    return Treatment(
        kind=group.kind,
        title=group.title,
        names=(),
        clinical=clinical_text(first.get("code")),
        start=date_of(first),
        end=None if group.kind == "surgery" else _last_day(group.procedures),
        ongoing=text(last.get("status")) == "in-progress",
        times=0 if group.kind == "surgery" else times,
        status=status_words(last),
        intent=intent_of(first),
        reason_stopped=reason_of(last),
        site=_place(first),
        keys=tuple(key(one) for one in group.procedures[:50]),
    )


def _last_day(procedures: list[Resource]) -> FhirDate | None:
    return end_of(procedures[-1]) or (date_of(procedures[-1]) if len(procedures) > 1 else None)


def _place(procedure: Resource) -> str:
    return without_tag(concept_text(procedure.get("bodySite"))).removesuffix(" structure").removesuffix(" Structure")


def _doses(resource: Resource, cancer_keys: set[str], find: Callable[[str], Resource | None]) -> list[Dose]:
    reference = medication_reference(resource)
    concept = medication_concept(resource, find(reference) if reference is not None else None)
    named = drugs_in(concept)
    told = for_cancer(resource, cancer_keys) or any(
        has_profile(resource, f"mcode-cancer-related-medication-{one}") for one in ("request", "administration")
    )
    drugs: tuple[Drug, ...] = tuple(one for one in named if told or one.name not in ONLY_WITH_A_REASON)
    if not drugs and told and not named and concept_text(concept):
        drugs = (Drug(concept_text(concept), unknown_class(searchable(concept))),)
    start, end = _span(resource)
    return [
        Dose(
            drug=drug,
            start=start,
            end=end,
            status=text(resource.get("status")),
            given=resource.get("resourceType") == "MedicationAdministration",
            clinical=clinical_text(concept),
            intent=intent_of(resource),
            reason=reason_of(resource),
            key=key(resource),
            told=told_of(resource),
        )
        for drug in drugs
    ]


def told_of(resource: Resource) -> Phrase | None:
    """Who said that a medicine is taken, when nobody there ordered or gave it: a MedicationStatement, or an order that
    is only a report of one (US Core MedicationRequest `reported[x]`). None for what was ordered or given there."""
    by: object
    if resource.get("resourceType") == "MedicationStatement":
        by = resource.get("informationSource")
    elif resource.get("reportedBoolean") is True or resource.get("reportedReference"):
        by = resource.get("reportedReference")
    else:
        return None
    return TOLD_BY_YOU if any(key_of(one).startswith("Patient/") for one in references(by)) else WRITTEN_DOWN


def _span(resource: Resource) -> tuple[FhirDate | None, FhirDate | None]:
    for dosage in objects(resource.get("dosageInstruction")):
        bounds = obj(obj(obj(dosage.get("timing")).get("repeat")).get("boundsPeriod"))
        start = read_date(bounds.get("start"))
        if start is not None:
            return start, read_date(bounds.get("end"))
    return date_of(resource), end_of(resource)


def _medicine_treatment(course: list[Dose]) -> Treatment:
    drugs = {dose.drug.name: dose.drug for dose in course}
    starts = [dose.start for dose in course if dose.start is not None]
    ends = [end for end in ((dose.end or dose.start) for dose in course) if end is not None]
    ongoing = any(dose.status == "active" and not dose.given and dose.end is None for dose in course)
    given = [dose for dose in course if dose.given]
    last = max(course, key=lambda dose: _sort(dose.start))
    per_drug = {name: sum(1 for dose in given if dose.drug.name == name) for name in drugs}
    end = max(ends, key=_sort) if ends else None
    kinds = {drug.kind for drug in drugs.values()}
    main = min(kinds, key=list(DrugClass).index)
    return Treatment(
        kind=main.value,
        title=CLASS_WORDS[main],
        names=tuple(drugs),
        clinical="; ".join(dict.fromkeys(dose.clinical for dose in course))[:500],
        start=min(starts, key=_sort) if starts else None,
        end=None if ongoing else end,
        ongoing=ongoing,
        times=max(per_drug.values(), default=0),
        status=status_words({"status": "active" if ongoing else last.status}),
        intent=next((dose.intent for dose in course if dose.intent is not None), None),
        reason_stopped=next((dose.reason for dose in course if dose.reason), ""),
        site="",
        keys=tuple(dict.fromkeys(dose.key for dose in course))[:50],
        told=course[0].told,
    )


def intent_of(resource: Resource) -> Phrase | None:
    """What a treatment was meant to do (mCODE treatment intent)."""
    for name in ("mcode-procedure-intent", "mcode-treatment-intent"):
        for one in extensions(resource, name):
            found = codes(one.get("valueCodeableConcept"))
            return next((INTENTS[code] for code in found if code in INTENTS), None)
    return None


def reason_of(resource: Resource) -> Said:
    """Why it stopped, to be read after "It stopped because"; the provider's words when we have none."""
    if text(resource.get("status")) not in ("stopped", "not-done", "on-hold", "cancelled"):
        return ""
    reason = resource.get("statusReason")
    found = next((REASONS[code] for code in codes(reason) if code in REASONS), None)
    return found or without_tag(concept_text(reason))


def _sort(found: FhirDate | None) -> str:
    return found.sort.isoformat() if found is not None else ""
