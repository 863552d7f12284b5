"""One line of a list, quickly, from raw JSON alone. Never raises, whatever the JSON holds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from fhir_bridge.reading.answers import answer_said, result_said
from fhir_bridge.reading.dates import FhirDate, Precision, date_of, read_date
from fhir_bridge.reading.delicate import CHOOSABLE, Delicate, topics_of
from fhir_bridge.reading.quantity import NOT_RECORDED, flag_of, out_of_range, value_said
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.shape import concept_text, key, obj, objects, text, without_tag
from fhir_bridge.reading.source import source_of
from fhir_bridge.reading.standing import is_mistake, status_words, warnings_of
from fhir_bridge.reading.titles import WITHOUT_A_DAY, title_of
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource


@dataclass(frozen=True)
class LineView:
    """A line: plain `title`, `clinical` name beside it, the `date` as given, the value and where it stands.

    `key` is `Type/id`; `date_text` the date as received; `sort_date` orders lines as text (UTC, empty when unknown);
    `source` is the author it names (the provider's own name belongs beside it); `flag` is set when a result is out of
    its range; `mistake` lines are not facts and are shown apart or struck; `topics` are what
    some would rather open with their doctor.
    """

    key: str
    title: Said
    clinical: str
    date: FhirDate | None
    date_text: str
    sort_date: str
    value_text: Said
    source: Said
    flag: Phrase | None
    status: Said
    warning: Phrase | None
    mistake: bool
    topics: frozenset[Delicate]

    @property
    def is_of_a_day(self) -> bool:
        """Whether an entry of its type has a day, so that one without it lacks something."""
        return self.key.partition("/")[0] not in WITHOUT_A_DAY


def read_line(
    resource: Resource, medication: Resource | None = None, topics: Collection[Delicate] = CHOOSABLE
) -> LineView:
    """The line for one entry; `medication` as in `title_of`. Total: any JSON object gives a line. Of `topics` it says
    which the entry is about: a list asks for those only that its reader set."""
    title = title_of(resource, medication)
    when = date_of(resource)
    flag = flag_of(resource)
    warnings = warnings_of(resource)
    return LineView(
        key=key(resource),
        title=_clipped(title.plain),
        clinical=str(_clipped(title.clinical)),
        date=when,
        date_text=when.text if when is not None else "",
        sort_date=sort_date(when),
        value_text=_clipped(_value(resource)),
        source=_clipped(source_of(resource)),
        flag=flag if out_of_range(flag) else None,
        status=status_words(resource),
        warning=warnings[0] if warnings else None,
        mistake=is_mistake(resource),
        topics=topics_of(resource, topics),
    )


LONGEST = 240


def _clipped(said: Said) -> Said:
    """A line holds a line's worth; the entry's own page has the whole text."""
    return said[: LONGEST - 1].rstrip() + "…" if isinstance(said, str) and len(said) > LONGEST else said


def sort_date(when: FhirDate | None) -> str:
    """A date as text that orders as dates do; empty when it is not known."""
    if when is None or when.value is None:
        return ""
    if when.precision is Precision.DAY:
        return f"{when.text}T00:00:00Z"
    if when.precision is Precision.INSTANT and when.text[19:] == "Z" and when.text[17:19] < "60":
        return when.text
    return when.sort.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


_BLOOD_PRESSURE_PARTS = ("8480-6", "8462-4")


def _value(resource: Resource) -> Said:
    type_name = resource.get("resourceType")
    if type_name == "Observation":
        own = result_said(resource)
        if own and own != NOT_RECORDED:
            return own
        return _components(resource) or own
    if type_name in ("MedicationRequest", "MedicationDispense"):
        dosage = objects(resource.get("dosageInstruction"))
        return text(obj(dosage[0] if dosage else None).get("text"))
    if type_name == "DiagnosticReport":
        return text(resource.get("conclusion"))
    if type_name == "AllergyIntolerance":
        reactions = objects(resource.get("reaction"))
        return ", ".join(filter(None, (without_tag(concept_text(one.get("manifestation"))) for one in reactions)))
    if type_name == "FamilyMemberHistory":
        return ", ".join(
            filter(None, (without_tag(concept_text(one.get("code"))) for one in objects(resource.get("condition"))))
        )
    if type_name == "Patient" and (born := read_date(resource.get("birthDate"))) is not None:
        return phrase("Born %(day)s", day=born.text)
    return ""


def _components(resource: Resource) -> Said:
    parts = objects(resource.get("component"))
    by_code = {
        text(coding.get("code")): part for part in parts for coding in objects(obj(part.get("code")).get("coding"))
    }
    upper, lower = (value_said(by_code.get(code)) for code in _BLOOD_PRESSURE_PARTS)
    if upper and lower and isinstance(upper, str) and isinstance(lower, str):
        return f"{upper.split(' ')[0]}/{lower}"
    said = [one for one in (answer_said(part) for part in parts) if one]
    if len(said) == 1:
        return said[0]
    return phrase("%(count)s results", count=len(said)) if said else ""
