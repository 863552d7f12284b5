"""Search parameters and searchset Bundles (FHIR R4 search). Strict: leaving a filter out would widen the answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from flask import Request
from werkzeug.datastructures import MultiDict

from vocabulary.errors import Invalid
from vocabulary.resource import Resource

MOST = 100


@dataclass(frozen=True)
class Page:
    """Which part of the answer: `count` entries from `offset` on."""

    count: int
    offset: int

    @classmethod
    def of(cls, asked: MultiDict[str, str]) -> Page:
        return cls(min(_number(asked, "_count", 50), MOST), _number(asked, "_offset", 0))


def parameters(given: MultiDict[str, str], known: Collection[str]) -> MultiDict[str, str]:
    """What was asked; Invalid for a parameter that is not known, or given twice where it may be given once."""
    for name in given:
        if name not in known and name != "_format":
            raise Invalid("unknown-parameter", {name[:40]: "unknown"})
        if len(given.getlist(name)) > 1 and name != "_lastUpdated":
            raise Invalid("parameter-twice", {name[:40]: "twice"})
    return given


def _number(asked: MultiDict[str, str], name: str, default: int) -> int:
    value = asked.get(name, str(default))
    if not value.isascii() or not value.isdigit() or len(value) > 6:
        raise Invalid("not-a-number", {name: "not-a-number"})
    return int(value)


def updated_within(asked: MultiDict[str, str], moment: datetime) -> bool:
    """Whether `moment` fits every `_lastUpdated`, a date or an instant with a prefix eq, ge, gt, le or lt."""
    return all(_fits(value, moment) for value in asked.getlist("_lastUpdated"))


def _fits(value: str, moment: datetime) -> bool:
    prefix, text = (value[:2], value[2:]) if value[:2].isalpha() else ("eq", value)
    start, end = _span(text)
    tests = {"eq": start <= moment < end, "ge": moment >= start, "gt": moment >= end, "le": moment < end,
             "lt": moment < start}  # fmt: skip
    if prefix not in tests:
        raise Invalid("not-a-date", {"_lastUpdated": "prefix"})
    return tests[prefix]


def _span(text: str) -> tuple[datetime, datetime]:
    """The time that a date or instant covers at its own precision; UTC where no zone is said."""
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
        start = found if found.tzinfo else found.replace(tzinfo=UTC)
        return start, start + (timedelta(days=1) if len(text) == 10 else timedelta(seconds=0 if "." in text else 1))
    except (ValueError, OverflowError):
        raise Invalid("not-a-date", {"_lastUpdated": "not-a-date"}) from None


def searchset(request: Request, found: Sequence[Resource], page: Page) -> Resource:
    """The Bundle of one page, with its `next` link while there is more."""
    shown = found[page.offset : page.offset + page.count]
    links = [{"relation": "self", "url": request.url}]
    if page.offset + page.count < len(found) and page.count:
        asked = [(name, value) for name, value in request.args.items(multi=True) if name != "_offset"]
        following = urlencode([*asked, ("_offset", str(page.offset + page.count))])
        links.append({"relation": "next", "url": f"{request.base_url}?{following}"})
    entries = [{"resource": each, "search": {"mode": "match"}} for each in shown]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(found), "link": links, "entry": entries}
