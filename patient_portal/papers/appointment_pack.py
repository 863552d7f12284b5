"""Two pages to take to an appointment: the story and the questions to ask, in two languages for an interpreter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from flask_babel import force_locale, format_date, gettext

from fhir_bridge.reading.dates import FhirDate
from fhir_bridge.reading.delicate import Delicate
from fhir_bridge.reading.minimum import TOPIC_NAMES, Topic
from fhir_bridge.reading.said import Said
from fhir_bridge.reading.summary_model import Cancer, CancerSummary, Treatment
from patient_portal.edge.languages import direction_of
from patient_portal.papers.typesetting import Paper, Part, facts, heading, new_page, room, small, ticks
from patient_portal.words.record_words import plain_day
from vocabulary.phrase import Phrase, phrase

OTHER_LANGUAGE = "en"
MOST_TREATMENTS, MOST_OWN, MOST_CANCERS = 8, 6, 3
LONGEST, LONGEST_VALUE = 220, 1600

QUESTIONS = (
    phrase("What do we know about my cancer now, and what do we not know yet?"),
    phrase("What do my last test results mean?"),
    phrase("What can I choose between, and what happens if we wait?"),
    phrase("What is the treatment meant to do: cure, slow the cancer, or ease symptoms?"),
    phrase("What side effects can I expect, and whom do I call about them at night?"),
    phrase("Is there a study (clinical trial) that fits me?"),
    phrase("Should anyone in my family be tested?"),
    phrase("What will it cost me, and who can help with that?"),
    phrase("What is the next step, and when?"),
)
_MISSING = phrase("My record does not say: %(topics)s. Can you tell me?")


def appointment_pack(
    story: CancerSummary, missing: Sequence[Topic], own: Iterable[str], later: Collection[Delicate], language: str,
    now: datetime,
) -> Paper:  # fmt: skip
    """The pack in `language` and English; in English alone for its readers. `later` topics stay out of it."""
    tongues = tuple(dict.fromkeys((language, OTHER_LANGUAGE)))
    with force_locale(language):
        title, dated = gettext("For my appointment"), format_date(now, "long")
    rows = [row for cancer in story.cancers[:MOST_CANCERS] for row in _cancer(cancer, later, tongues)]
    rows += _person(story, later, tongues)
    questions = [_between(tongues).join(dict.fromkeys(_in(code, one) for code in tongues)) for one in QUESTIONS]
    if missing:
        questions.append(_between(tongues).join(_asked(missing, code) for code in tongues))
    questions += [words[:LONGEST] for words in own if words.strip()][:MOST_OWN]
    parts: list[Part] = [
        heading(1, _both(phrase("For my appointment"), tongues)),
        heading(2, _both(phrase("My story"), tongues)),
        facts(rows or [(_both(phrase("What cancer I have or had"), tongues), "-")], one_page=True),
        small(_both(phrase("From what my hospital sent. It may not be complete."), tongues)),
        new_page(),
        heading(2, _both(phrase("What I want to ask"), tongues)),
        ticks(*questions, one_page=True),
        room(_both(phrase("What I want to remember:"), tongues)),
    ]
    return Paper(title, language, now, f"{title} · {dated}", parts)


def _cancer(cancer: Cancer, later: Collection[Delicate], tongues: Sequence[str]) -> list[tuple[str, str]]:
    named = " / ".join(
        ", ".join(filter(None, (_in(code, cancer.title), _in(code, cancer.side or "")))) for code in tongues
    )
    rows = [(phrase("Cancer"), "; ".join(filter(None, (named, cancer.clinical))))]
    rows.append((phrase("Found"), _day(cancer.found, tongues)))
    if Delicate.PATHOLOGY not in later:
        rows.append((phrase("Kind"), _both(cancer.histology or cancer.histology_clinical, tongues)))
    rows += _found_out(cancer, later, tongues)
    return [(_both(label, tongues), value[:400]) for label, value in rows if value]


def _found_out(
    about: Cancer | CancerSummary, later: Collection[Delicate], tongues: Sequence[str]
) -> list[tuple[Phrase, str]]:
    """Of one cancer, or of the person what cannot be tied to one."""
    rows = []
    if Delicate.PATHOLOGY not in later:
        markers = (f"{_both(one.name, tongues)}: {_both(one.result, tongues)}" for one in about.markers[:6])
        rows.append((phrase("Markers"), "; ".join(markers)))
    if Delicate.STAGE not in later:
        stages = (
            " ".join(filter(None, (one.value, " ".join(one.parts), _both(one.basis or "", tongues))))
            for one in about.stages[:2]
        )
        rows.append((phrase("Stage"), "; ".join(stages)))
        rows.append((phrase("Has spread to"), "; ".join(_both(one.title, tongues) for one in about.spread)))
    if Delicate.GENOMICS not in later:
        rows.append((phrase("Genes"), "; ".join(f"{_both(g.name, tongues)} {g.clinical}" for g in about.genes[:4])))
    status = about.disease_status
    if status is not None and Delicate.NEW_RESULTS not in later:
        rows.append((phrase("Now"), f"{_both(status.text, tongues)} ({_day(status.date, tongues)})"))
    return rows


def _person(story: CancerSummary, later: Collection[Delicate], tongues: Sequence[str]) -> list[tuple[str, str]]:
    apart = "; ".join(f"{one.clinical} ({_both(one.text, tongues)})" for one in story.told_apart)
    rows = [*_found_out(story, later, tongues), (phrase("Also written down"), apart)]
    treatments = (_treatment(one, tongues) for one in story.treatments[-MOST_TREATMENTS:])
    rows.append((phrase("Treatment"), "\n".join(treatments)))
    if story.performance is not None:
        rows.append((phrase("Daily life"), _both(story.performance.text, tongues)))
    return [(_both(label, tongues), value[:LONGEST_VALUE]) for label, value in rows if value]


def _treatment(one: Treatment, tongues: Sequence[str]) -> str:
    """One line; one a language where they run in different directions, since a number would join the wrong one."""
    if len({direction_of(code) for code in tongues}) > 1:
        return "\n".join(_treatment(one, [code]) for code in tongues)
    names = ", ".join(one.names)
    spans = (dict.fromkeys((_day(one.start, [code]), _day(one.end, [code]))) for code in tongues)
    when = " / ".join(dict.fromkeys(" – ".join(filter(None, span)) for span in spans))
    told = _both(one.told, tongues) if one.told else ""
    return " · ".join(filter(None, (when, _both(one.title, tongues), names[:80], told)))


def _asked(missing: Sequence[Topic], code: str) -> str:
    topics = ", ".join(_in(code, TOPIC_NAMES[one]).lower() for one in missing)
    return _in(code, Phrase(_MISSING.msgid, (("topics", topics),)))


def _both(said: Said, tongues: Sequence[str]) -> str:
    """In each language, once where they say the same; the hospital's own words stay as they are."""
    return " / ".join(dict.fromkeys(_in(code, said) for code in tongues))


def _between(tongues: Sequence[str]) -> str:
    """Whole sentences stand on lines of their own where one runs to the left: its last sign would leave the other."""
    return " / " if len({direction_of(code) for code in tongues}) == 1 else "\n"


def _in(code: str, said: Said) -> str:
    if isinstance(said, str):
        return said
    with force_locale(code):
        words = str(gettext(said.msgid))
    return words % dict(said.values) if said.values else words


def _day(found: FhirDate | None, tongues: Sequence[str]) -> str:
    days = []
    for code in tongues:
        with force_locale(code):
            days.append(plain_day(found))
    return " / ".join(dict.fromkeys(filter(None, days)))
