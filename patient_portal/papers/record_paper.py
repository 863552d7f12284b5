"""The record as a paper to read: whose it is, what it lacks, the cancer story, then a table a kind (DL-02)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from fhir_bridge.export.copy_facts import PROTECT, CopyFacts, Say, day_of, moment
from fhir_bridge.export.told_alike import Medications, Told, names_of, told_alike
from fhir_bridge.reading.kinds import KIND_NAMES
from fhir_bridge.reading.same import Folded
from fhir_bridge.reading.shape import objects, text, texts
from fhir_bridge.reading.summary_model import Cancer, CancerSummary, Treatment
from fhir_bridge.reading.together import together
from fhir_bridge.record_copy import Copied
from patient_portal.papers.typesetting import Paper, Part, facts, heading, lead, paragraphs, small, table
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource

MOST_ROWS = 250
LONGEST = 300
TITLE = phrase("My health record")
COLUMNS = (phrase("Date"), phrase("What"), phrase("Result"), phrase("Hospital or clinic"))
_MISTAKE = phrase("marked as a mistake")


def record_paper(
    entries: Iterable[Copied], medications: Medications, about: CopyFacts, stories: Sequence[CancerSummary], say: Say,
    title: Phrase = TITLE,
) -> Paper:  # fmt: skip
    """The paper; entries come by kind, newest first. Of each kind the newest MOST_ROWS stand in it, and it says so."""
    rows: dict[str, list[tuple[str, ...]]] = {}
    counts: dict[str, int] = {}
    patients: list[Resource] = []
    for group in told_alike(entries, medications, about):
        kind = group.first.entry.kind
        counts[kind] = counts.get(kind, 0) + 1
        patients += [one.entry.resource for one in (group.first, *group.others) if one.entry.type == "Patient"]
        if counts[kind] <= MOST_ROWS:
            rows.setdefault(kind, []).append(_row(group, about, say))
    parts = [heading(1, say(title)), *_banner(patients, say), *_standing(about, say), *_story(stories, say)]
    for kind, name in KIND_NAMES.items():
        if kind.value in rows:
            parts += _kind(name, rows[kind.value], counts[kind.value], say)
    footer = f"{say(title)} · {moment(about.made_at)}"
    return Paper(say(title), about.language, about.made_at, footer, parts)


def _banner(patients: Sequence[Resource], say: Say) -> list[Part]:
    people = [(named(each), text(each.get("birthDate"))) for each in patients]
    rows = [(say(phrase("Name")), name) for name, _born in people if name]
    rows += [(say(phrase("Born")), born) for _name, born in people if born]
    return [facts(list(dict.fromkeys(rows)))] if rows else []


def named(patient: Resource) -> str:
    """The first name that a Patient resource gives, in one line."""
    name = next(iter(objects(patient.get("name"))), {})
    return text(name.get("text")) or " ".join([*texts(name.get("given")), text(name.get("family"))]).strip()


def _standing(about: CopyFacts, say: Say) -> list[Part]:
    made = say(phrase("Made on %(when)s", when=moment(about.made_at)))
    lacks = about.incomplete(say)
    missing = [heading(2, say(phrase("What is not complete"))), paragraphs(*lacks)] if lacks else []
    return [paragraphs(made, *about.sources(say)), small(say(PROTECT)), *missing]


def _story(stories: Sequence[CancerSummary], say: Say) -> list[Part]:
    story, parts = together(stories).story, list[Part]()
    treatments = list(story.treatments)
    for cancer in story.cancers:
        side = f", {say(cancer.side)}" if cancer.side else ""
        parts += [lead(f"{say(cancer.title)}{side}"), facts(_of_cancer(cancer, say))]
    if general := _of_person(story, say):
        parts.append(facts(general))
    if treatments:
        treatments.sort(key=lambda one: day_of(one.start))
        parts += [heading(3, say(phrase("Treatments"))), _treatments(treatments, say)]
    return [heading(2, say(phrase("My cancer story"))), *parts] if parts else []


def _of_cancer(cancer: Cancer, say: Say) -> list[tuple[str, str]]:
    rows = [
        (say(phrase("Clinical name")), cancer.clinical),
        (say(phrase("Found")), day_of(cancer.found)),
        (say(phrase("Kind of cells")), say(cancer.histology)),
        *_found_out(cancer, say),
    ]
    return [(label, value) for label, value in rows if value] or [(say(phrase("Clinical name")), "–")]


def _of_person(story: CancerSummary, say: Say) -> list[tuple[str, str]]:
    """What is about the person, or cannot be tied to one of several cancers."""
    rows = [
        *_found_out(story, say),
        (say(phrase("Daily life")), say(story.performance.text) if story.performance else ""),
        (say(phrase("Also written down")), "; ".join(f"{one.clinical}: {say(one.text)}" for one in story.told_apart)),
    ]
    return [(label, value) for label, value in rows if value]


def _found_out(about: Cancer | CancerSummary, say: Say) -> list[tuple[str, str]]:
    stages = "; ".join(f"{one.value} {' '.join(one.parts)} {day_of(one.date)}".strip() for one in about.stages)
    markers = "; ".join(f"{say(one.name)}: {say(one.result)}" for one in chain(about.markers, about.genes))
    return [
        (say(phrase("Stage")), stages),
        (say(phrase("Markers")), markers),
        (say(phrase("Spread")), "; ".join(say(one.title) for one in about.spread)),
        (say(phrase("Where it stands")), say(about.disease_status.text) if about.disease_status else ""),
    ]


def _treatments(treatments: Sequence[Treatment], say: Say) -> Part:
    columns = [say(each) for each in (phrase("From"), phrase("To"), phrase("Treatment"), phrase("Medicines"))]
    rows = [
        (day_of(one.start), day_of(one.end), _title(one, say), ", ".join(one.names) or one.clinical)
        for one in treatments[-MOST_ROWS:]
    ]
    return table(columns, [tuple(cell[:LONGEST] for cell in row) for row in rows], (1.6, 1.6, 3, 4))


def _title(one: Treatment, say: Say) -> str:
    return f"{say(one.title)} ({say(one.told)})" if one.told else say(one.title)


def _kind(name: Phrase, rows: list[tuple[str, ...]], count: int, say: Say) -> list[Part]:
    parts = [heading(2, f"{say(name)} ({count})")]
    if count > len(rows):
        more = phrase(
            "The newest %(shown)s of %(count)s. The other forms hold all of them.", shown=len(rows), count=count
        )
        parts.append(paragraphs(say(more)))
    return [*parts, table([say(each) for each in COLUMNS], rows, (1.7, 5, 4, 2.6))]


def _row(group: Folded[Told], about: CopyFacts, say: Say) -> tuple[str, ...]:
    line = group.first.line
    title = say(line.title)
    clinical = f" ({line.clinical})" if line.clinical and line.clinical.casefold() != title.casefold() else ""
    said = [say(line.value_text), say(line.flag) if line.flag else "", say(line.status)]
    said += [say(line.warning) if line.warning else "", say(_MISTAKE) if line.mistake else ""]
    cells = (
        day_of(line.date),
        title + clinical,
        " · ".join(dict.fromkeys(filter(None, said))),
        names_of(group, about),
    )
    return tuple(cell[:LONGEST] for cell in cells)
