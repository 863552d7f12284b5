"""Bringing in one type: its searches, page after page, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fhir_bridge.retrieve.asking import Answer, Asker
from fhir_bridge.retrieve.page import Page, Received, read_page
from fhir_bridge.retrieve.paging import follow
from fhir_bridge.retrieve.plan import REVINCLUDE, Search, TypePlan
from fhir_bridge.retrieve.states import (
    Dropped,
    Notice,
    State,
    TypeOutcome,
    state_of_pages,
    state_of_refusal,
)

NOT_UNDERSTOOD = frozenset({400, 404, 406, 422, 500, 501})
Sink = Callable[[list[Received]], list[Dropped]]
"""Takes what a page gave; answers with what it did not keep (older copies)."""


@dataclass
class _Tally:
    matched: set[tuple[str, str]] = field(default_factory=set)
    included: set[tuple[str, str]] = field(default_factory=set)
    pages: int = 0
    notices: list[Notice] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    stopped: str | None = None
    status: int | None = None
    refused_codes: set[str] = field(default_factory=set)


def bring_in(asker: Asker, base: str, patient_id: str, plan: TypePlan, keep: Sink) -> TypeOutcome:
    """Run the searches of `plan`; `keep` is given every page's resources. Never raises for what a server answers."""
    tally = _Tally()
    if not plan.first:
        return _outcome(asker, plan, tally, State.NOT_AUTHORIZED)
    answered = [_one_search(asker, base, patient_id, search, keep, tally) for search in plan.first]
    if not any(answered) and plan.fallback and tally.status not in (None, 401):
        first_refusal, refused_with = tally.status, list(tally.notices)
        tally.notices.clear()  # why it wants categories says nothing about what they then give
        answered = [_one_search(asker, base, patient_id, search, keep, tally) for search in plan.fallback]
        if not any(answered):
            tally.status = first_refusal
            tally.notices[:0] = refused_with
    if not any(answered):
        return _outcome(asker, plan, tally, state_of_refusal(tally.status, tally.refused_codes, plan.extra))
    if not all(answered):
        tally.stopped = tally.stopped or "one-search-refused"
    state = state_of_pages(
        len(tally.matched),
        stopped=tally.stopped is not None,
        incomplete=any(notice.incomplete for notice in tally.notices),
        dropped=any(one.reason != "older-copy" for one in tally.dropped),
        narrowed=plan.narrowed,
    )
    return _outcome(asker, plan, tally, state)


def _one_search(asker: Asker, base: str, patient_id: str, search: Search, keep: Sink, tally: _Tally) -> bool:
    """True when at least the first page was read."""
    url: str | None = f"{base.rstrip('/')}/{search.query}"
    bare = f"{base.rstrip('/')}/{search.query.replace(REVINCLUDE, '')}"
    visited: set[str] = set()
    pages = 0
    while url is not None:
        visited.add(url)
        answer = asker.ask(url)
        page = read_page(answer.body, search.type, patient_id, base)
        if not pages and answer.status in NOT_UNDERSTOOD and url != bare:
            url = bare  # it says that it takes _revinclude, and does not (FHIR-08)
            continue
        tally.notices.extend(page.notices)
        if answer.status != 200 or page.error is not None:
            _refused(answer, page, tally)
            if pages:
                tally.stopped = page.error or f"status-{answer.status}"
            return pages > 0
        pages += 1
        tally.pages += 1
        tally.dropped.extend(page.dropped)
        _count(page, keep, tally)
        after = follow(base, url, page.next, visited, pages)
        tally.stopped = after.stop or tally.stopped
        url = after.url
    return True


def _refused(answer: Answer, page: Page, tally: _Tally) -> None:
    tally.status = answer.status
    tally.refused_codes.update(notice.code for notice in page.notices)
    if answer.status == 200 and page.error == "outcome-only" and "not-supported" not in tally.refused_codes:
        tally.status = 200


def _count(page: Page, keep: Sink, tally: _Tally) -> None:
    for one in page.received:
        (tally.included if one.included else tally.matched).add((one.type, one.id))
    tally.dropped.extend(keep(list(page.received)))


def _outcome(asker: Asker, plan: TypePlan, tally: _Tally, state: State) -> TypeOutcome:
    return TypeOutcome(
        type=plan.type,
        state=state,
        count=len(tally.matched),
        included=len(tally.included),
        pages=tally.pages,
        notices=tuple(dict.fromkeys(tally.notices)),
        dropped=tuple(dict.fromkeys(tally.dropped)),
        stopped_by=tally.stopped,
        http_status=tally.status,
        at=asker.clock.now(),
    )
