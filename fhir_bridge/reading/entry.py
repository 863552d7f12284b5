"""One entry's own page: everything in it that a person can read, plain words first (FHIR-11 to FHIR-14, LIB-04)."""

from __future__ import annotations

from dataclasses import dataclass

from fhir_bridge.reading.dates import FhirDate, date_of, end_of
from fhir_bridge.reading.facts import Fact, Resolve, facts_of
from fhir_bridge.reading.kinds import Kind, kind_of
from fhir_bridge.reading.model_reading import ReadAs, read_through_model
from fhir_bridge.reading.narrative import narrative_html
from fhir_bridge.reading.notes import Attachment, attachments
from fhir_bridge.reading.quantity import notes_of
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import Coding, codings, key, objects, text
from fhir_bridge.reading.source import source_of
from fhir_bridge.reading.standing import is_mistake, status_words, warnings_of
from fhir_bridge.reading.titles import WITHOUT_A_DAY, medication_concept, medication_reference, title_of
from vocabulary.phrase import Phrase
from vocabulary.resource import Resource


@dataclass(frozen=True)
class EntryView:
    """What the page of one entry shows.

    `warnings` come first and large; `mistake` entries are not facts. `codes` are the code systems' own names.
    `narrative` is safe HTML. `notes` are plain text, shown literally. `read_as` and `problems` say how well the entry
    follows the standard (problems name elements, never values). `source` is the provider's organization or author.
    """

    key: str
    kind: Kind
    title: Said
    clinical: str
    codes: tuple[Coding, ...]
    date: FhirDate | None
    end: FhirDate | None
    status: Said
    source: Said
    warnings: tuple[Phrase, ...]
    mistake: bool
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]
    narrative: str
    attachments: tuple[Attachment, ...]
    read_as: ReadAs
    problems: tuple[str, ...]

    @property
    def is_of_a_day(self) -> bool:
        """Whether an entry of its type has a day, so that one without it lacks something."""
        return self.key.partition("/")[0] not in WITHOUT_A_DAY

    @property
    def date_text(self) -> str:
        return self.date.text if self.date is not None else ""


def read_entry(resource: Resource, resolve: Resolve) -> EntryView:
    """The page of one entry; `resolve` finds other resources of the same record. Never raises."""
    inside = {f"#{text(one.get('id'))}": one for one in objects(resource.get("contained")) if text(one.get("id"))}

    def find(reference: str) -> Resource | None:
        return inside.get(reference) if reference.startswith("#") else resolve(reference)

    named = medication_reference(resource)
    medication = find(named) if named is not None else None
    title = title_of(resource, medication)
    reading = read_through_model(resource)
    return EntryView(
        key=key(resource),
        kind=kind_of(resource),
        title=title.plain,
        clinical=title.clinical,
        codes=_codes(resource, medication),
        date=date_of(resource),
        end=end_of(resource),
        status=status_words(resource),
        source=source_of(resource, find),
        warnings=warnings_of(resource),
        mistake=is_mistake(resource),
        facts=facts_of(resource, reading.elements, find),
        notes=tuple(notes_of(resource)),
        narrative=narrative_html(resource),
        attachments=attachments(resource),
        read_as=reading.how,
        problems=reading.problems,
    )


def _codes(resource: Resource, medication: Resource | None) -> tuple[Coding, ...]:
    found = codings(resource.get("code")) or codings(resource.get("vaccineCode")) or codings(resource.get("type"))
    return tuple(found or codings(medication_concept(resource, medication)))
