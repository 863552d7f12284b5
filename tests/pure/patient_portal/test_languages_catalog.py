"""LANG-03, abuse case 28: the shipped languages say every sentence, with the same values, in the same sense."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from babel.messages.catalog import Catalog, Message

from patient_portal.edge.languages import COMPLETE, SOURCE
from scripts.update_translations import extracted, missing, read

CATALOGS = [code for code in COMPLETE if code != SOURCE]
# Arabic has a form of the word for one and for two, and says no number beside it.
SPELLED_OUT = {
    "ar": {
        "1 day",
        "1 month",
        "1 week",
        "In 2 minutes you will be signed out, to keep your record private. Press the button to go on. What you typed"
        " stays.",
        "It says that it removed 1 entry about you.",
    }
}
PLACE = re.compile(r"%\(\w+\)[sd]|%%")
NUMBER = re.compile(r"\d+")
NAMES = re.compile(r"\b(?:CancerLinQ|Discovery|SEER|HIPAA|FHIR|STOP|HELP|WCAG|ECOG|HER2|JavaScript)\b")
OVERRIDES = re.compile("[\u202a-\u202e\u2066-\u2069]")

# Names, and words that Spanish writes like English.
SAME_IN_SPANISH = {
    ", ",
    "%(count)s",
    "Alaska (Anchorage)",
    "Arizona (Phoenix)",
    "Error:",
    "Genes",
    "General",
    "HER2",
    "No",
    "PD-L1",
    "PDF",
    "final",
    "genes",
    "normal",
}

Row = tuple[str, Sequence[str], Sequence[str]]
# A sentence, what has to be among the words of its translation, and what must not be (both are patterns of a word).
# One word decides here: a person who reads it the other way round gives away, or keeps back, what they did not mean.
SENSE: dict[str, list[Row]] = {
    "es": [
        ("You are in", ("dentro",), ("fuera", "no", r"sal\w+")),
        ("You are out", ("fuera",), ("dentro", "no", r"volver|vuelv\w+")),
        ("In", ("dentro",), ("fuera",)),
        ("Out", ("fuera",), ("dentro",)),
        ("In CancerLinQ", ("dentro",), ("fuera", "sin")),
        ("Out of CancerLinQ", ("fuera",), ("dentro",)),
        ("You are out of CancerLinQ", ("fuera",), ("dentro", "vez", r"volver|vuelv\w+")),
        ("You are back in CancerLinQ", ("dentro", "vez"), ("fuera", r"sal\w+", r"sac\w+|sáq\w+")),
        ("Sign out", ("sesión",), ("salir", "fuera")),
        ("Leave CancerLinQ", ("salir",), (r"volver|vuelv\w+", "dentro", "entrar")),
        ("Leave CancerLinQ?", ("salir",), (r"volver|vuelv\w+", "dentro", "entrar")),
        ("Go back into CancerLinQ", ("volver",), ("salir", "fuera")),
        ("Go back into CancerLinQ?", ("volver",), ("salir", "fuera")),
        ("Take me out", ("sáquenme",), (r"inclu\w+", r"vuelv\w+", "no")),
        ("Take me out of CancerLinQ", ("sáquenme",), (r"inclu\w+", r"vuelv\w+", "no")),
        ("Put me back in", ("vuelvan", "incluirme"), (r"sáq\w+", "salir", "no")),
        ("No, put me back in", ("no", "vuelvan", "incluirme"), (r"sáq\w+", "salir", "sí")),
        ("Take this patient out of CancerLinQ?", ("sacar",), (r"inclu\w+", "volver", "no")),
        ("This patient is out of CancerLinQ", ("fuera",), ("dentro",)),
        ("The patient has gone back into CancerLinQ since", ("volvió",), ("salió", "fuera")),
        ("You said yes", ("sí",), ("no",)),
        ("You said no", ("no",), ("sí",)),
        ("You said no to %(name)s", ("no",), ("sí",)),
        ("Yes to %(name)s", ("sí",), ("no",)),
        ("No to %(name)s", ("no",), ("sí",)),
        ("You share with %(name)s", ("comparte",), ("no", r"par\w+", r"dej\w+")),
        ("Sign and share", ("firmar", "compartir"), ("no", "parar", "sin")),
        ("No, do not share with this study", ("no", "compartir"), ("sí", "firmar")),
        ("Stop sharing with this study", ("parar", "compartir"), ("seguir", "todos")),
        ("Stop all research sharing", ("parar", "compartir", "todos"), ("seguir", "empezar")),
        ("Nothing changes. You stay in.", ("dentro",), ("fuera",)),
        ("Nothing changes. You stay out.", ("fuera",), ("dentro",)),
        ("Keep things as they are", ("dejar", "está"), ("cambiar", "salir")),
        ("Turn texts off", ("apagar",), (r"encend\w+",)),
        ("Yes, text me again", ("sí", "envíenme"), ("no", r"apag\w+")),
        ("You will not be in any new build.", ("no", "ninguna"), ("dentro",)),
        ("We stop sending. It deletes what it holds about you.", ("dejamos", "borra"), (r"guard\w+",)),
        ("Your clinic may send your data to it again.", ("puede", "volver"), ("no", "dejar")),
        ("because you are out of CancerLinQ, which feeds it", ("fuera",), ("dentro",)),
    ],
    "ar": [
        ("You are in", (r"داخل\w*",), (r"خارج\w*", "لا")),
        ("You are out", (r"خارج\w*",), (r"داخل\w*",)),
        ("In", ("داخل",), ("خارج",)),
        ("Out", ("خارج",), ("داخل",)),
        ("You are out of CancerLinQ", ("خارج",), ("داخل",)),
        ("You are back in CancerLinQ", ("عدت",), ("خارج",)),
        ("Leave CancerLinQ?", ("تخرج",), ("تعود",)),
        ("Go back into CancerLinQ?", ("تعود",), ("تخرج",)),
        ("Take me out", ("أخرجوني",), ("أعيدوني",)),
        ("Put me back in", ("أعيدوني",), ("أخرجوني",)),
        ("No, put me back in", ("لا", "أعيدوني"), ("أخرجوني",)),
        ("You said yes", ("نعم",), ("لا",)),
        ("You said no", ("لا",), ("نعم",)),
        ("Nothing changes. You stay in.", (r"داخل\w*",), (r"خارج\w*",)),
        ("Nothing changes. You stay out.", (r"خارج\w*",), (r"داخل\w*",)),
        ("No, do not share with this study", ("لا",), ("نعم",)),
        ("Stop sharing with this study", ("أوقفوا",), ("نعم",)),
        ("In CancerLinQ", ("داخل",), ("خارج",)),
        ("Out of CancerLinQ", ("خارج",), ("داخل",)),
        ("Leave CancerLinQ", ("الخروج",), ("العودة",)),
        ("Go back into CancerLinQ", ("العودة",), ("الخروج",)),
        ("Take me out of CancerLinQ", ("أخرجوني",), ("أعيدوني",)),
        ("Take this patient out of CancerLinQ?", ("تُخرج",), ("تعيد", "لا")),
        ("This patient is out of CancerLinQ", ("خارج",), ("داخل",)),
        ("The patient has gone back into CancerLinQ since", ("عاد",), ("خرج", "خارج")),
        ("You said no to %(name)s", ("لا",), ("نعم",)),
        ("Yes to %(name)s", ("نعم",), ("لا",)),
        ("No to %(name)s", ("لا",), ("نعم",)),
        ("You share with %(name)s", ("تشارك",), ("لا", r"أوقف\w*")),
        ("Sign and share", ("التوقيع", "والمشاركة"), ("لا",)),
        ("Stop all research sharing", ("أوقفوا", "كل"), ("نعم",)),
        ("Keep things as they are", ("اترك", "كما"), ("غيّر",)),
        ("Turn texts off", ("إيقاف",), ("تشغيل",)),
        ("Yes, text me again", ("نعم", "أرسلوا"), ("إيقاف", "لا")),
        ("You will not be in any new build.", ("لن",), ("قد",)),
        ("We stop sending. It deletes what it holds about you.", ("نتوقف", "ويحذف"), ("يحتفظ",)),
        ("Your clinic may send your data to it again.", ("يجوز", "أخرى"), ("لا",)),
        ("because you are out of CancerLinQ, which feeds it", ("خارج",), ("داخل",)),
    ],
}
# If these two changed places, the check of their sense would have to notice.
OPPOSITES = [
    ("You are in", "You are out"),
    ("You said yes", "You said no"),
    ("Take me out", "Put me back in"),
    ("Leave CancerLinQ?", "Go back into CancerLinQ?"),
    ("Nothing changes. You stay in.", "Nothing changes. You stay out."),
]


read_once = functools.cache(read)


@pytest.fixture(scope="module")
def sentences() -> Catalog:
    """Every sentence that the pages and rooms say now."""
    return extracted()


def forms(message: Message) -> tuple[list[str], list[str]]:
    """The singular and plural of a sentence, and everything its translation says (six forms in Arabic)."""
    ids = list(message.id) if isinstance(message.id, list | tuple) else [message.id]
    said = list(message.string) if isinstance(message.string, list | tuple) else [message.string]
    return ids, [text for text in said if text]


def translated(language: str) -> Iterator[tuple[list[str], list[str]]]:
    """Every sentence that the catalog says something for, without its header."""
    for message in read_once(language):
        ids, said = forms(message)
        if message.id and said:
            yield ids, said


def told(language: str, sentence: str) -> str:
    """The translation of one sentence; empty when there is none."""
    found = read_once(language).get(sentence)
    return found.string if found is not None and isinstance(found.string, str) else ""


def wrong_words(text: str, needed: Sequence[str], forbidden: Sequence[str]) -> list[str]:
    """What a translation lacks, and what it says too much; empty when its sense is right."""

    def says(word: str) -> bool:
        return re.search(rf"(?<!\w)(?:{word})(?!\w)", text, re.IGNORECASE) is not None

    return [word for word in needed if not says(word)] + [word for word in forbidden if says(word)]


@pytest.mark.parametrize("language", CATALOGS)
def test_no_sentence_is_missing(language: str, sentences: Catalog) -> None:
    """LANG-03: no missing message in a complete language; `scripts/update_translations.py` lists them."""
    assert missing(read_once(language), sentences) == []


@pytest.mark.parametrize("language", CATALOGS)
def test_nothing_is_guessed(language: str) -> None:
    """LANG-03: no entry is fuzzy: a sentence that changed is translated again, not matched to a similar one."""
    assert [message.id for message in read_once(language) if message.id and message.fuzzy] == []


@pytest.mark.parametrize("language", CATALOGS)
def test_a_translation_keeps_the_values(language: str) -> None:
    """LANG-03: every translation has the placeholders of its sentence, as often, so that filling it in works."""
    for ids, said in translated(language):
        allowed = [Counter(PLACE.findall(one)) for one in ids]
        for text in said:
            assert Counter(PLACE.findall(text)) in allowed, ids[0]


@pytest.mark.parametrize("language", CATALOGS)
def test_names_stay_as_they_are(language: str) -> None:
    """Abuse case 28: names of products, laws and answers to a text are the same in every language."""
    for ids, said in translated(language):
        wanted = {name for one in ids for name in NAMES.findall(one)}
        for text in said:
            assert set(NAMES.findall(text)) == wanted, ids[0]


@pytest.mark.parametrize("language", CATALOGS)
def test_numbers_stay_as_they_are(language: str) -> None:
    """LANG-03: ten minutes are ten minutes, and 911 is 911, in every language."""
    for ids, said in translated(language):
        for text in said if ids[0] not in SPELLED_OUT.get(language, ()) else ():
            assert sorted(NUMBER.findall(text)) == sorted(NUMBER.findall(ids[0])), ids[0]


@pytest.mark.parametrize("language", CATALOGS)
def test_nothing_turns_the_direction_of_the_text(language: str) -> None:
    """Abuse case 28: no override or isolate characters hide in a catalog; pages isolate names by markup."""
    for ids, said in translated(language):
        assert not any(OVERRIDES.search(text) for text in said), ids[0]
        assert all(text == text.strip() for text in said if ids[0] == ids[0].strip()), ids[0]


def test_spanish_is_not_english() -> None:
    """LANG-03: only names, and words that both languages write alike, stand untranslated."""
    same = {ids[0] for ids, said in translated("es") if ids[0] in said}
    assert same <= SAME_IN_SPANISH, same - SAME_IN_SPANISH


@pytest.mark.parametrize(
    ("language", "sentence", "needed", "forbidden"),
    [(language, *row) for language, rows in SENSE.items() for row in rows],
)
def test_consent_verbs_keep_their_sense(
    language: str, sentence: str, needed: Sequence[str], forbidden: Sequence[str]
) -> None:
    """Abuse case 28: in and out, yes and no, stop and share mean the same in the translation."""
    text = told(language, sentence)
    assert text, f"{language} does not say {sentence!r}"
    assert wrong_words(text, needed, forbidden) == [], text


@pytest.mark.parametrize("language", list(SENSE))
@pytest.mark.parametrize(("one", "other"), OPPOSITES)
def test_a_swapped_sentence_would_be_noticed(language: str, one: str, other: str) -> None:
    """Abuse case 28: the check itself tells a sentence from its opposite, both ways."""
    rows = {sentence: (needed, forbidden) for sentence, needed, forbidden in SENSE[language]}
    assert wrong_words(told(language, other), *rows[one])
    assert wrong_words(told(language, one), *rows[other])


@pytest.mark.parametrize("language", list(SENSE))
def test_the_sentences_checked_are_still_said(language: str, sentences: Catalog) -> None:
    """Abuse case 28: a sentence that left the pages leaves the table too, so that the table never checks the past."""
    assert [row[0] for row in SENSE[language] if row[0] not in sentences] == []
