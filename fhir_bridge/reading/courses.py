"""Grouping doses and orders of cancer medicines into courses: one drug's doses, then drugs that began together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from fhir_bridge.reading.dates import FhirDate
from fhir_bridge.reading.drugs import Drug, DrugClass
from fhir_bridge.reading.said import Said
from vocabulary.phrase import Phrase

BEGAN_TOGETHER = timedelta(days=5)
NEW_COURSE_AFTER = timedelta(days=120)
NEW_HORMONE_COURSE_AFTER = timedelta(days=500)


@dataclass(frozen=True)
class Dose:
    """One order, dispense or dose of one medicine. `given` is True when it was really administered.

    `told`: nobody here ordered or gave it; it was written down that it is or was taken, and `told` says by whom.
    """

    drug: Drug
    start: FhirDate | None
    end: FhirDate | None
    status: str
    given: bool
    clinical: str
    intent: Phrase | None
    reason: Said
    key: str
    told: Phrase | None = None


def medicine_courses(doses: list[Dose]) -> list[list[Dose]]:
    """Courses, each the doses of one regimen. Medicines that only support treatment stand alone. What was told of a
    medicine that was ordered or given in the same time is the same course and adds nothing to it."""
    by_drug: dict[str, list[Dose]] = defaultdict(list)
    for dose in doses:
        by_drug[dose.drug.name].append(dose)
    single = [course for one in by_drug.values() for course in _courses(one)]
    single.sort(key=_start)
    joined: list[list[Dose]] = []
    for course in single:
        with_it = next((one for one in joined if _began_together(one, course)), None)
        if with_it is None:
            joined.append(course)
        else:
            with_it += course
    return joined


def unknown_class(words: str) -> DrugClass:
    """The class of a cancer medicine we do not know by name: told by its name's ending, else chemotherapy."""
    if "mab" in words or "nib" in words or "clib" in words:
        return DrugClass.TARGETED
    return DrugClass.CHEMO


def _courses(doses: list[Dose]) -> list[list[Dose]]:
    done = [dose for dose in doses if dose.told is None]
    courses = _split(done) if done else []
    apart = [one for one in doses if one.told is not None and not any(_is_of(one, course) for course in courses)]
    return courses + (_split(apart) if apart else [])


def _is_of(told: Dose, course: list[Dose]) -> bool:
    """Whether what was told can be this course: its time is not known, or not long before or after."""
    begun = [dose.start.sort for dose in course if dose.start is not None]
    ended = [end.sort for end in ((dose.end or dose.start) for dose in course) if end is not None]
    if told.start is None or not begun:
        return True
    gap = _gap(told.drug)
    over = told.end.sort if told.end is not None else told.start.sort
    return told.start.sort - max(ended) <= gap and min(begun) - over <= gap


def _gap(drug: Drug) -> timedelta:
    return NEW_HORMONE_COURSE_AFTER if drug.kind in _LONG else NEW_COURSE_AFTER


def _split(doses: list[Dose]) -> list[list[Dose]]:
    """One drug's doses in order, cut where a long time passed between them."""
    ordered = sorted(doses, key=lambda dose: _sort(dose.start))
    gap = _gap(ordered[0].drug)
    courses = [[ordered[0]]]
    for dose in ordered[1:]:
        last = courses[-1][-1]
        end = last.end or last.start
        if end is not None and dose.start is not None and dose.start.sort - end.sort > gap:
            courses.append([dose])
        else:
            courses[-1].append(dose)
    return courses


_LONG = (DrugClass.HORMONE, DrugClass.BONE, DrugClass.TARGETED)
_TOGETHER = (DrugClass.CHEMO, DrugClass.TARGETED, DrugClass.IMMUNE)


def _began_together(one: list[Dose], other: list[Dose]) -> bool:
    if one[0].drug.kind not in _TOGETHER or other[0].drug.kind not in _TOGETHER:
        return False
    if (one[0].told is None) != (other[0].told is None):
        return False
    first, second = one[0].start, other[0].start
    return first is not None and second is not None and abs(first.sort - second.sort) <= BEGAN_TOGETHER


def _start(course: list[Dose]) -> str:
    return _sort(course[0].start)


def _sort(found: FhirDate | None) -> str:
    return found.sort.isoformat() if found is not None else ""
