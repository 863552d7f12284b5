"""A FHIR server is compared by counting: its Consents carry the run of event numbers that they stand for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from consent.decision import Answer
from consent.stores.adapter import NotDelivered
from consent.stores.comparable import LARGEST, Digest, Fact, Span
from consent.stores.fhir_resources import GRAIN, RUN, fact_in, run_of
from vocabulary.resource import Resource

MOST_SEARCHES = 200


def counting(spans: Sequence[Span]) -> Resource:
    """A batch of searches that count, two for each span: how many say yes, how many no."""
    searches = [_counted(span, answer) for span in spans for answer in (Answer.YES, Answer.NO)]
    return {"resourceType": "Bundle", "type": "batch", "entry": [{"request": one} for one in searches]}


def _counted(span: Span, answer: Answer) -> dict[str, str]:
    asked = urlencode({"identifier": f"{RUN}|{run_of(span.first, answer)}", "_summary": "count"})
    return {"method": "GET", "url": f"Consent?{asked}"}


def counted(answer: object, spans: Sequence[Span]) -> list[Digest]:
    """What the server counted; NotDelivered in any doubt."""
    entries = answer.get("entry") if isinstance(answer, dict) and answer.get("type") == "batch-response" else None
    if not isinstance(entries, list) or len(entries) != 2 * len(spans):
        raise NotDelivered("not-a-response-bundle", answered=True)
    totals = [total_of(entry.get("resource") if isinstance(entry, dict) else None) for entry in entries]
    return [
        Digest(totals[2 * index] + totals[2 * index + 1], totals[2 * index + 1], None) for index in range(len(spans))
    ]


def searched(span: Span) -> str:
    """The search that gives the Consents of one run."""
    runs = ",".join(f"{RUN}|{run_of(span.first, answer)}" for answer in (Answer.YES, Answer.NO))
    return f"Consent?{urlencode({'identifier': runs, '_count': str(2 * GRAIN)})}"


def found(answer: object, span: Span) -> list[Fact]:
    """The facts of `searched`, at most one for each event; NotDelivered when some were kept from us."""
    total = total_of(answer)
    assert isinstance(answer, dict)
    entries = answer.get("entry", [])
    if not isinstance(entries, list) or len(entries) != total:
        raise NotDelivered("not-all-on-one-page", answered=True)
    facts = [fact_in(entry.get("resource") if isinstance(entry, dict) else None) for entry in entries]
    within = {fact.event: fact for fact in facts if fact is not None and span.first <= fact.event <= span.last}
    return [within[event] for event in sorted(within)]


def total_of(bundle: Any) -> int:
    """`total` of a searchset."""
    total = bundle.get("total") if isinstance(bundle, dict) and bundle.get("type") == "searchset" else None
    if not isinstance(total, int) or isinstance(total, bool) or not 0 <= total < LARGEST:
        raise NotDelivered("not-a-search-result", answered=True)
    return total
