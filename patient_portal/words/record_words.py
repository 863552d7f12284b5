"""How clinical dates are written on a page: in the reader's language and never more exact than they were given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from babel.dates import format_date, format_interval, format_skeleton, format_time
from flask_babel import get_locale, gettext
from markupsafe import Markup, escape

from fhir_bridge.reading.dates import FhirDate, Precision
from fhir_bridge.reading.summary_model import Treatment
from patient_portal.edge.languages import direction_of
from patient_portal.edge.page_context import language_code, say

_BY_PRECISION = {Precision.YEAR: "y", Precision.MONTH: "yMMMM"}


def clinical_date(found: FhirDate | None) -> Markup:
    """A date at its own precision: 2019, May 2019, 12 March 2024; what cannot be read stays as it was sent."""
    return _isolated(_day(found))


def clinical_moment(found: FhirDate | None) -> Markup:
    """A date with its time of day, where one was given: in the hospital's own offset, which is said."""
    if found is None or not isinstance(found.value, datetime):
        return clinical_date(found)
    clock = format_time(found.value, "short", found.value.tzinfo, get_locale())
    zone = found.value.strftime("%z")
    offset = "UTC" if zone in ("+0000", "") else f"UTC{zone[:3]}:{zone[3:]}"
    return _isolated(gettext("%(day)s at %(time)s", day=_day(found), time=f"{clock} {offset}"))


def clinical_month(found: FhirDate | None) -> Markup:
    """A short date for a time line: 2019 or Mar 2024."""
    return _isolated(_short(found))


def clinical_span(course: Treatment) -> Markup:
    """From when to when, for a time line."""
    first, last = _short(course.start), _short(course.end)
    if course.ongoing and first:
        return _isolated(gettext("Since %(when)s", when=first))
    if not first or not last or first == last:
        return _isolated(first or last)
    begin, end = _month_of(course.start), _month_of(course.end)
    if begin is None or end is None:
        return _isolated(f"{first} – {last}")
    return _isolated(format_interval(begin, end, "yMMM", locale=get_locale()))


def _month_of(found: FhirDate | None) -> date | None:
    """The first of its month, None when the month is not known."""
    if found is None or found.value is None or found.precision is Precision.YEAR:
        return None
    return date(found.value.year, found.value.month, 1)


def told(value: object) -> Markup:
    """A fact's value: a date as dates are written, a phrase in the reader's language, else the hospital's words."""
    return clinical_moment(value) if isinstance(value, FhirDate) else theirs(value)


HOSPITALS_LANGUAGE = "en"


def theirs(value: object) -> Markup:
    """A phrase in the reader's language; the hospital's words marked as in its language (WCAG 3.1.2)."""
    if not isinstance(value, str) or isinstance(value, Markup) or not value:
        return say(value)
    lang = "" if language_code() == HOSPITALS_LANGUAGE else f' lang="{HOSPITALS_LANGUAGE}"'
    return Markup(f"<bdi{lang}>{escape(value)}</bdi>")  # noqa: S704 - escaped


def tongue(code: str) -> Markup:
    """The attributes of an element whose words are in `code`, a BCP 47 tag: nothing where the page is in it, else its
    language, and its direction where that differs from the page's (WCAG 3.1.2).
    """
    page = language_code()
    if code == page:
        return Markup("")
    way = Markup(' dir="{}"').format(direction_of(code)) if direction_of(code) != direction_of(page) else ""
    return Markup(' lang="{}"').format(code) + way


def short(value: object) -> object:
    """The hospital's words at the length of a line; a phrase stays whole."""
    return value[:159].rstrip() + "…" if isinstance(value, str) and len(value) > 160 else value


FILTERS: dict[str, Callable[..., object]] = {
    "clinical_date": clinical_date,
    "clinical_moment": clinical_moment,
    "clinical_month": clinical_month,
    "clinical_span": clinical_span,
    "told": told,
    "theirs": theirs,
    "tongue": tongue,
    "short": short,
}


def plain_day(found: FhirDate | None) -> str:
    """The same without markup, for papers."""
    return _day(found)


def _day(found: FhirDate | None) -> str:
    if found is None or found.value is None:
        return found.text if found else ""
    skeleton = _BY_PRECISION.get(found.precision)
    return _skeleton(skeleton, found.value) if skeleton else format_date(found.value, "long", get_locale())


def _short(found: FhirDate | None) -> str:
    if found is None or found.value is None:
        return _day(found)
    return _skeleton("y" if found.precision is Precision.YEAR else "yMMM", found.value)


def _isolated(words: str) -> Markup:
    """Escaped, and kept together where the text around it runs the other way."""
    return Markup(f"<bdi>{escape(words)}</bdi>") if words else Markup("")  # noqa: S704 - escaped


def _skeleton(skeleton: str, value: date | datetime) -> str:
    moment: Any = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a day has no zone
    return str(format_skeleton(skeleton, moment, locale=get_locale()))
