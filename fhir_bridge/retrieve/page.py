"""One page of a search, read from bytes: what to keep, what the provider said, what was left out and why.

FHIR R4 http.html#search and bundle.html#searchset; FHIR-06 (search modes), FHIR-07 (notices), FHIR-17 (wrong patient).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from fhir_bridge.retrieve.json_body import Parsed, Unreadable, entry_texts, parse, plain_bundle
from fhir_bridge.retrieve.states import Dropped, Notice
from fhir_bridge.retrieve.whose import is_about_another
from vocabulary.resource import Resource

WRITABLE_DEPTH = 250
"""Brackets that can stand inside each other before the writer gives up (orjson: 254)."""


@dataclass(frozen=True)
class Received:
    """One resource as received: `raw` is its JSON text, byte for byte where the page was valid JSON."""

    type: str
    id: str
    resource: Resource
    raw: bytes
    included: bool = False

    @property
    def updated(self) -> str:
        """`meta.lastUpdated` as text, empty when the server does not say."""
        meta = self.resource.get("meta")
        found = meta.get("lastUpdated") if isinstance(meta, dict) else None
        return found if isinstance(found, str) else ""


@dataclass(frozen=True)
class Page:
    """What one answer held. `error` names why nothing could be read from it.

    `total`: how many matches the server says there are. A hint for planning; never what a list is judged by (FHIR-05).
    """

    received: tuple[Received, ...] = ()
    notices: tuple[Notice, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    next: str | None = None
    error: str | None = None
    total: int | None = None


@dataclass
class _Basket:
    received: list[Received] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)


def read_page(body: bytes, searched: str, patient_id: str, base: str) -> Page:
    """Read one answer to a search for the type `searched` about `patient_id` on the server at `base`. Never raises."""
    bundle = plain_bundle(body)
    if bundle is not None:
        basket = _Basket()
        for resource, text, search in bundle.entries:
            _take({"resource": resource, "search": search}, text, searched, patient_id, base, basket)
        return _page(basket, bundle.head)
    return _read_with_care(body, searched, patient_id, base)


def _read_with_care(body: bytes, searched: str, patient_id: str, base: str) -> Page:
    """The same for whatever is not a plain Bundle in good JSON."""
    parsed = parse(body)
    if isinstance(parsed, Unreadable):
        return Page(error=parsed.reason)
    bundle = parsed.value
    if not isinstance(bundle, dict):
        return Page(error="not-fhir")
    if bundle.get("resourceType") == "OperationOutcome":
        return Page(notices=tuple(notices_of(bundle)), error="outcome-only")
    if bundle.get("resourceType") != "Bundle":
        return Page(error="not-a-bundle")
    basket = _Basket()
    entries = bundle.get("entry")
    entries = entries if isinstance(entries, list) else []
    texts = _texts(parsed, len(entries))
    for entry, text in zip(entries, texts, strict=True):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        same = text is not None and isinstance(resource, dict) and _says(text, resource)
        _take(entry, text if same else None, searched, patient_id, base, basket)
    return _page(basket, bundle)


def _page(basket: _Basket, bundle: Resource) -> Page:
    total = bundle.get("total")
    return Page(
        tuple(basket.received),
        tuple(basket.notices),
        tuple(basket.dropped),
        _next_link(bundle),
        total=total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None,
    )


def read_resource(body: bytes, expected: str, patient_id: str, base: str) -> Page:
    """Read one resource answered to a read of the type `expected`; a Page with at most one resource."""
    parsed = parse(body)
    if isinstance(parsed, Unreadable):
        return Page(error=parsed.reason)
    if isinstance(parsed.value, dict) and parsed.value.get("resourceType") == "OperationOutcome":
        return Page(notices=tuple(notices_of(parsed.value)), error="outcome-only")
    basket = _Basket()
    whole = parsed.text if isinstance(parsed.value, dict) else None
    _keep(parsed.value, whole, expected, patient_id, base, False, basket)
    for one in basket.received:
        if one.type != expected:
            return Page(dropped=(Dropped(one.type, one.id, "unexpected-type"),), error="unexpected-type")
    return Page(tuple(basket.received), (), tuple(basket.dropped), None, None if basket.received else "unreadable")


def read_lines(body: bytes, expected: str, patient_id: str, base: str) -> Page:
    """Read a file of an export, a resource a line (NDJSON); a line that cannot be read is dropped by itself."""
    basket = _Basket()
    for line in body.splitlines():
        if not line.strip():
            continue
        parsed = parse(line)
        value, text = (parsed.value, parsed.text) if isinstance(parsed, Parsed) else (None, None)
        if isinstance(value, dict) and value.get("resourceType") == "OperationOutcome":
            basket.notices.extend(notices_of(value))
        else:
            _keep(value, text, expected, patient_id, base, False, basket)
    return Page(tuple(basket.received), tuple(basket.notices), tuple(basket.dropped))


def notices_of(outcome: Resource) -> list[Notice]:
    """The issues of an OperationOutcome as notices; never raises."""
    issues = outcome.get("issue")
    return [_notice(issue) for issue in (issues if isinstance(issues, list) else []) if isinstance(issue, dict)]


def _texts(parsed: Parsed, count: int) -> list[bytes | None]:
    texts = entry_texts(parsed.text) if parsed.text is not None else []
    return texts if len(texts) == count else [None] * count


def _take(entry: Any, text: bytes | None, searched: str, patient_id: str, base: str, basket: _Basket) -> None:
    if not isinstance(entry, dict):
        basket.dropped.append(Dropped(searched, "", "not-a-resource"))
        return
    resource, search = entry.get("resource"), entry.get("search")
    mode = search.get("mode") if isinstance(search, dict) else None
    if isinstance(resource, dict) and (resource.get("resourceType") == "OperationOutcome" or mode == "outcome"):
        basket.notices.extend(notices_of(resource))
        return
    other_type = isinstance(resource, dict) and resource.get("resourceType") != searched
    _keep(resource, text, searched, patient_id, base, mode == "include" or other_type, basket)


def _keep(
    resource: Any, text: bytes | None, searched: str, patient_id: str, base: str, included: bool, basket: _Basket
) -> None:
    if not isinstance(resource, dict):
        basket.dropped.append(Dropped(searched, "", "not-a-resource"))
        return
    kind, identity = resource.get("resourceType"), resource.get("id")
    known_id = identity if isinstance(identity, str) else ""
    if not isinstance(kind, str) or not (kind.isascii() and kind.isalnum()):
        basket.dropped.append(Dropped(searched, known_id, "no-type"))
    elif not known_id:
        basket.dropped.append(Dropped(kind, "", "no-id"))
    elif is_about_another(resource, patient_id, base):
        basket.dropped.append(Dropped(kind, known_id, "wrong-patient"))
    elif (raw := _raw(resource, text)) is None:
        basket.dropped.append(Dropped(kind, known_id, "too-deep"))
    else:
        basket.received.append(Received(kind, known_id, resource, raw, included))


def _raw(resource: Resource, text: bytes | None) -> bytes | None:
    """The entry's JSON text; None when it is nested too deep to be written inside a Bundle, so it could never be taken
    along: in one it stands four levels down."""
    if text is not None and text.count(b"{") + text.count(b"[") < WRITABLE_DEPTH:
        return text
    try:
        orjson.dumps([[[[resource]]]])
        return orjson.dumps(resource) if text is None else text
    except (orjson.JSONEncodeError, RecursionError):
        return None


def _says(text: bytes, resource: Resource) -> bool:
    try:
        return bool(orjson.loads(text) == resource)
    except (orjson.JSONDecodeError, RecursionError):
        return False


def _next_link(bundle: Resource) -> str | None:
    links = bundle.get("link")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("relation") == "next":
            url = link.get("url")
            return url if isinstance(url, str) and url else "\x00"
    return None


_INCOMPLETE_CODES = frozenset({
    "incomplete", "suppressed", "forbidden", "security", "processing",
    "throttled", "timeout", "too-costly", "transient", "exception",
})  # fmt: skip


def _notice(issue: Resource) -> Notice:
    severity, code = _str(issue.get("severity")), _str(issue.get("code"))
    details = issue.get("details")
    text = _str(issue.get("diagnostics"))
    if isinstance(details, dict):
        codings = details.get("coding")
        shown = [_str(c.get("display")) for c in (codings if isinstance(codings, list) else []) if isinstance(c, dict)]
        text = _str(details.get("text")) or next((one for one in shown if one), "") or text
    nothing_found = "no results" in text.lower() or "not found" in text.lower()
    incomplete = not nothing_found and severity != "information" and code in _INCOMPLETE_CODES
    return Notice(severity, code, text[:500], incomplete)


def _str(value: Any) -> str:
    return value if isinstance(value, str) else ""
