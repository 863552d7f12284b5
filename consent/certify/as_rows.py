"""Invented events as the rows in which a warehouse is told by the feed."""

from __future__ import annotations

from collections.abc import Sequence

from consent.feed.read_lines import escaped
from consent.stores.lines import Line, LineEvents, Lines
from consent.wire import StoreEvent


def as_rows(events: Sequence[StoreEvent]) -> LineEvents:
    """The events, whose numbers have no gap, in the text format of COPY."""
    made = []
    for event in events:
        named = [escaped(event.system), escaped(event.value), event.subject.choice.value, event.subject.effort or ""]
        stands = [event.answer.value, "{}", str(event.decision.version), str(event.position)]
        row = "\t".join(["", *named, *stands, event.decision.recorded_at.isoformat()]) + "\n"
        made.append(Line(event.position, event.decision.version, str(event.person_id), row.encode()))
    return LineEvents(events[0].number, Lines.of(made))
