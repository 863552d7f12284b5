"""Clinical dates, kept at the precision in which they were given (FHIR-18, FHIR R4 datatypes "dateTime")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import Any

from fhir_bridge.reading.shape import obj, objects, text
from vocabulary.resource import Resource


class Precision(StrEnum):
    YEAR = "year"
    MONTH = "month"
    DAY = "day"
    INSTANT = "instant"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class FhirDate:
    """A date as received (`text`), how exact it is, and what to format.

    `value` is the first day of the year or month, the day, or an aware datetime for INSTANT (its own offset; a time
    without one is taken as UTC and `offset_known` is False). UNKNOWN: only `text` may be shown.
    """

    text: str
    precision: Precision
    value: date | datetime | None
    offset_known: bool = True

    @property
    def sort(self) -> datetime:
        """For ordering only: the earliest moment it can mean, in UTC; the year 1 when unknown."""
        if isinstance(self.value, datetime):
            try:
                return self.value.astimezone(UTC)
            except OverflowError:
                return self.value.replace(tzinfo=UTC)
        if isinstance(self.value, date):
            return datetime.combine(self.value, time(), UTC)
        return datetime.min.replace(tzinfo=UTC)


_DATE = re.compile(
    r"(?P<y>\d{4})(?:-(?P<m>\d{2})(?:-(?P<d>\d{2})"
    r"(?:T(?P<H>\d{2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:\.(?P<f>\d+))?)?(?P<z>Z|[+-]\d{2}:\d{2})?)?)?)?",
    re.ASCII,
)


def read_date(value: Any) -> FhirDate | None:
    """Read a FHIR date, dateTime or instant; None when there is no text at all. Never raises."""
    given = text(value)
    if not given:
        return None
    match = _DATE.fullmatch(given)
    if match is None:
        return FhirDate(given, Precision.UNKNOWN, None)
    return _quickly(given) or _with_care(given, match.groupdict())


def _quickly(given: str) -> FhirDate | None:
    """A day or a moment as nearly every one is written; None for all others."""
    try:
        if len(given) == 10:
            return FhirDate(given, Precision.DAY, date.fromisoformat(given))
        moment = datetime.fromisoformat(given) if len(given) >= 20 else None
    except ValueError:
        return None
    return FhirDate(given, Precision.INSTANT, moment) if moment is not None and moment.tzinfo is not None else None


def _with_care(given: str, parts: dict[str, str | None]) -> FhirDate:
    try:
        day = date(int(parts["y"] or 0), int(parts["m"] or 1), int(parts["d"] or 1))
        if parts["H"] is None:
            precision = Precision.DAY if parts["d"] else Precision.MONTH if parts["m"] else Precision.YEAR
            return FhirDate(given, precision, day)
        moment = datetime.combine(day, _time_of(parts), _zone_of(parts["z"]))
        return FhirDate(given, Precision.INSTANT, moment, parts["z"] is not None)
    except ValueError:
        return FhirDate(given, Precision.UNKNOWN, None)


def _time_of(parts: dict[str, str | None]) -> time:
    micro = int(((parts["f"] or "") + "000000")[:6])
    return time(int(parts["H"] or 0), int(parts["M"] or 0), min(int(parts["S"] or 0), 59), micro)


def _zone_of(given: str | None) -> timezone:
    if given is None or given == "Z":
        return UTC
    sign = -1 if given[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(given[1:3]), minutes=int(given[4:6])))


_FIELDS = (
    "effectiveDateTime", "effectivePeriod", "effectiveInstant", "performedDateTime", "performedPeriod",
    "performedString", "onsetDateTime", "onsetPeriod", "occurrenceDateTime", "occurrencePeriod", "occurrenceString",
    "period", "performedAge", "authoredOn", "whenHandedOver", "started", "date", "authored", "created", "startDate",
    "recordedDate", "assertedDate", "recorded", "issued", "receivedTime", "collectedDateTime",
)  # fmt: skip


def date_of(resource: Resource) -> FhirDate | None:
    """The clinical date of an entry: when it happened, else when it was ordered or written down.

    Never a birth date: this date stands unsealed beside the entry, for paging.
    """
    for name in _FIELDS:
        value = resource.get(name)
        if value is None:
            continue
        found = read_date(value) or _period_start(value)
        if found is not None:
            return found
    collected = obj(resource.get("collection")).get("collectedDateTime")
    context = objects(obj(resource.get("context")).get("period"))
    return read_date(collected) or (_period_start(context[0]) if context else None)


def end_of(resource: Resource) -> FhirDate | None:
    """When it ended: a period's end, or a condition's abatement."""
    for name in ("effectivePeriod", "performedPeriod", "occurrencePeriod", "period", "onsetPeriod"):
        found = read_date(obj(resource.get(name)).get("end"))
        if found is not None:
            return found
    return read_date(resource.get("abatementDateTime")) or read_date(obj(resource.get("abatementPeriod")).get("end"))


def _period_start(value: Any) -> FhirDate | None:
    period = obj(value)
    return read_date(period.get("start")) or read_date(period.get("end"))
