"""Bringing in one type: its searches, page after page, and what became of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fhir_bridge.reading.dates import Precision, date_of
from fhir_bridge.retrieve.asking import Answer, Asker
from fhir_bridge.retrieve.chain import Chain, Mark, Split, chain_of
from fhir_bridge.retrieve.offered import Offered
from fhir_bridge.retrieve.page import Page, Received, read_page
from fhir_bridge.retrieve.paging import follow
from fhir_bridge.retrieve.plan import Search, TypePlan, simpler
from fhir_bridge.retrieve.ranges import DATE_PARAMETERS, Span, pages_left, split
from fhir_bridge.retrieve.states import Dropped, State, TypeOutcome, state_of_pages, state_of_refusal

Sink = Callable[[str, list[Received], Mark | None], list[Dropped]]
"""Takes what a page gave and how far its search is; answers with what it did not keep (older copies)."""


@dataclass(frozen=True)
class Asking:
    """Where and about whom is asked, what the server offers, where pages go, and how far an earlier run came."""

    asker: Asker
    base: str
    patient_id: str
    offered: Offered
    keep: Sink
    marks: Mapping[str, Mark] = field(default_factory=dict)


class TypeRun:
    """One type's searches under way. `begin` and `step` say which chains are to be asked for next; when they are all
    answered, `outcome` says what became of the type. Steps may be taken by several threads."""

    def __init__(self, asking: Asking, plan: TypePlan, had: Sequence[str] = ()) -> None:
        self.asking, self.plan = asking, plan
        self.outcome: TypeOutcome | None = None
        self._matched, self._included = set(had), set[tuple[str, str]]()
        self._chains: list[Chain] = []
        self._refused: list[Chain] = []
        self._open = 0
        self.quiet = False  # told already, or told by the caller
        self._lock = threading.RLock()

    def begin(self) -> list[Chain]:
        """The first chains; none when the token does not cover the type, or an earlier run had read all."""
        if not self.plan.first:
            self.outcome = self._outcome([], State.NOT_AUTHORIZED)
            return []
        return self._asked(self.plan.first)

    def step(self, chain: Chain) -> list[Chain]:
        """Ask for the chain's next page; what is to be asked next. Never raises for what a server answers."""
        asking = self.asking
        if chain.abandoned:
            return self._over(chain)
        answer = asking.asker.ask(chain.url)
        page = read_page(answer.body, chain.search.type, asking.patient_id, asking.base)
        again = self._otherwise(chain, answer)
        if again is not None:
            chain.url = again
            return [chain]
        with self._lock:
            chain.notices.extend(page.notices)
            if answer.status != 200 or page.error is not None:
                return self._failed(chain, answer, page)
            return self._read(chain, page)

    def to_tell(self) -> TypeOutcome | None:
        """The outcome, once: to whichever thread asks first after it is known."""
        with self._lock:
            if self.outcome is None or self.quiet:
                return None
            self.quiet = True
            return self.outcome

    def _asked(self, searches: Sequence[Search]) -> list[Chain]:
        found = [chain_of(one, self.asking.base, self.asking.marks) for one in searches]
        self._chains = [chain for chain, _ in found]
        waiting = [chain for chain, is_open in found if is_open]
        self._open = len(waiting)
        return waiting if waiting else self._all_answered()

    def _otherwise(self, chain: Chain, answer: Answer) -> str | None:
        """Another way to ask for the same page, when this one was not understood."""
        if chain.resumed and answer.status is not None and 400 <= answer.status < 500 and answer.status != 401:
            chain.pages, chain.resumed, chain.answered = 0, False, False  # its cursor did not outlive the first run
            chain.visited.clear()
            return f"{self.asking.base.rstrip('/')}/{chain.search.query}"
        chain.resumed = False
        known = chain.search.type in self.asking.offered.types
        found = None if chain.pages else simpler(chain.url, answer.status, too_large=answer.too_large, known=known)
        if found is not None and "&_lastUpdated=" not in found:
            chain.whole = True
        return found

    def _failed(self, chain: Chain, answer: Answer, page: Page) -> list[Chain]:
        chain.status = answer.status
        chain.refused_codes.update(notice.code for notice in page.notices)
        if chain.pages:
            chain.stopped = page.error or f"status-{answer.status}"
        if chain.part_of is not None and not chain.part_of.undated_asked:
            chain.part_of.broken = True
        return self._over(chain)

    def _read(self, chain: Chain, page: Page) -> list[Chain]:
        chain.answered = True
        chain.pages += 1
        chain.visited.add(chain.url)
        chain.dropped.extend(page.dropped)
        ids = {one.id for one in page.received if not one.included}
        self._matched |= ids
        self._included.update((one.type, one.id) for one in page.received if one.included)
        chain.saw(ids)
        after = follow(self.asking.base, chain.url, page.next, chain.visited, chain.pages)
        chain.stopped = after.stop or chain.stopped
        if after.stop and chain.part_of is not None:
            chain.part_of.broken = True
        if chain.pages == 1:
            chain.left = float(pages_left(page.total, len(ids)))
            if chain.part_of is not None:
                chain.part_of.claimed += page.total or 0
                chain.part_of.broken |= chain.part_of.claimed > 2 * chain.part_of.total  # it does not read dates
        parts = self._parts(chain, page, ids, after.url) if after.url else []
        chain.url = after.url or chain.url
        if chain.pages > 1:
            chain.left = max(0.0, chain.left - 1)
        mark = None if parts or chain.part_of else chain.mark if after.url else chain.end_mark
        chain.dropped.extend(self.asking.keep(self.plan.type, list(page.received), mark))
        if after.url is None:
            return self._over(chain)
        return parts or [chain]

    def _parts(self, chain: Chain, page: Page, ids: set[str], rest: str) -> list[Chain]:
        """The ranges to ask for at once instead of page after page, where that is possible and worth it."""
        name = DATE_PARAMETERS.get(chain.search.type, "")
        if chain.pages > 1 or not chain.splits or page.total is None or chain.search.category == UNDATED:
            return []
        if chain.part_of is not None and (chain.abandoned or page.total >= chain.part_of.total):
            return []  # the range held nothing back
        if name not in self.asking.offered.parameters.get(chain.search.type, ()):
            return []
        days = [day for one in page.received if not one.included and (day := _day_of(one)) is not None]
        spans = split(days, page.total, len(ids), chain.within)
        if not spans:
            return []
        kept = Split(chain, rest, page.total, set(ids), len(spans))
        kept.undated_asked = chain.part_of is not None  # a range of days holds nothing without a day
        return [self._part(kept, span, name) for span in spans]

    def _part(self, kept: Split, span: Span, name: str) -> Chain:
        whole = kept.chain.search
        bare = whole.query if kept.chain.part_of is None else _without(whole.query, name)
        search = Search(whole.type, whole.category, bare + span.parameters(name))
        chain, _ = chain_of(search, self.asking.base, {})
        chain.part_of, chain.within, chain.left = kept, span, 1 + kept.chain.left / kept.open
        chain.whole = kept.chain.whole
        return chain

    def _over(self, chain: Chain) -> list[Chain]:
        """A chain came to its end: go on with what it was a part of, or settle the type."""
        with self._lock:
            kept = chain.part_of
            if kept is None:
                self._open -= 1
                return [] if self._open else self._all_answered()
            owner = kept.chain
            owner.notices.extend(chain.notices if chain.answered else ())
            owner.dropped.extend(chain.dropped)
            kept.open -= 1
            return [] if kept.open else self._joined(kept)

    def _joined(self, kept: Split) -> list[Chain]:
        chain = kept.chain
        if not kept.broken and len(kept.seen) >= kept.total:
            chain.dropped.extend(self.asking.keep(self.plan.type, [], chain.end_mark if not chain.part_of else None))
            return self._over(chain)
        if not kept.broken and not kept.undated_asked:
            kept.undated_asked, kept.open = True, 1
            name = DATE_PARAMETERS[chain.search.type]
            undated = Search(chain.search.type, UNDATED, f"{chain.search.query}&{name}%3Amissing=true")
            part, _ = chain_of(undated, self.asking.base, {})
            part.part_of = kept
            return [part]
        chain.url, chain.splits, chain.left = kept.rest, False, float(pages_left(kept.total, 1))
        return [chain]

    def _all_answered(self) -> list[Chain]:
        chains = self._chains
        status = _status_of(chains)
        if not any(one.answered for one in chains):
            if not self._refused and self.plan.fallback and status not in (None, 401):
                self._refused = chains
                return self._asked(self.plan.fallback)
            chains = [*self._refused, *chains]
            first = _status_of(self._refused or chains)
            codes = {code for one in chains for code in one.refused_codes}
            self.outcome = self._outcome(chains, state_of_refusal(first, codes, self.plan.extra), first)
            return []
        stopped = next((one.stopped for one in chains if one.stopped), None)
        if stopped is None and not all(one.answered for one in chains):
            stopped = "one-search-refused"
        state = state_of_pages(
            len(self._matched),
            stopped=stopped is not None,
            incomplete=any(notice.incomplete for one in chains for notice in one.notices),
            dropped=any(each.reason != "older-copy" for one in chains for each in one.dropped),
            narrowed=self.plan.narrowed,
        )
        self.outcome = self._outcome(chains, state, status, stopped)
        return []

    def _outcome(
        self, chains: Sequence[Chain], state: State, status: int | None = None, stopped: str | None = None
    ) -> TypeOutcome:
        return TypeOutcome(
            type=self.plan.type,
            state=state,
            count=len(self._matched),
            included=len(self._included),
            pages=sum(one.pages for one in chains),
            notices=tuple(dict.fromkeys(notice for one in chains for notice in one.notices)),
            dropped=tuple(dict.fromkeys(each for one in chains for each in one.dropped)),
            stopped_by=stopped,
            http_status=status,
            at=self.asking.asker.clock.now(),
            whole=all(one.whole for one in chains),
        )


UNDATED = "\x00undated"
"""Stands for a category where a search asks for what has no day."""


def _status_of(chains: Sequence[Chain]) -> int | None:
    """What the last search that was refused was refused with."""
    refused = [one for one in chains if not one.answered or one.status is not None]
    return refused[-1].status if refused else None


def _day_of(one: Received) -> int | None:
    when = date_of(one.resource)
    exact = when is not None and when.precision in (Precision.DAY, Precision.INSTANT)
    return when.value.toordinal() if exact and when is not None and when.value is not None else None


def _without(query: str, name: str) -> str:
    return "&".join(part for part in query.split("&") if not part.startswith((f"{name}=ge", f"{name}=lt")))
