"""Which parts of a page open behind a question, by what the person set (FHIR-19)."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fhir_bridge.reading.dates import FhirDate
from fhir_bridge.reading.delicate import Delicate, folded_as
from fhir_bridge.reading.line import LineView
from patient_portal.wiring import now
from vocabulary.phrase import Phrase


def asks_for(later: Collection[Delicate]) -> Callable[..., Phrase | None]:
    """For templates: `asks('stage')`, `asks('new-results', date)`: the question, or None when it stands open."""
    moment = now()

    def asks(topic: str, when: FhirDate | None = None) -> Phrase | None:
        return folded_as({Delicate(topic)}, when, later, moment)

    return asks


def asks_of_line(later: Collection[Delicate]) -> Callable[[LineView], Phrase | None]:
    """The same for one line of a list."""
    moment = now()
    return lambda line: folded_as(line.topics, line.date, later, moment)
