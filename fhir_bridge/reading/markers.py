"""Tumor markers: what is measured in the blood over time, and what was found in the tumor (MC-06, MC-10)."""

from __future__ import annotations

import re
from typing import Any

from fhir_bridge.reading.shape import LOINC, codings, concept_text, has_profile, searchable
from vocabulary.phrase import Phrase, phrase
from vocabulary.resource import Resource

BLOOD_MARKERS: dict[str, Phrase] = {
    "ca15-3": phrase("CA 15-3 (breast cancer marker)"),
    "ca27-29": phrase("CA 27.29 (breast cancer marker)"),
    "ca125": phrase("CA 125 (ovarian cancer marker)"),
    "ca19-9": phrase("CA 19-9 (pancreas and bile duct marker)"),
    "cea": phrase("CEA (a cancer marker)"),
    "afp": phrase("AFP (liver and testis marker)"),
    "psa": phrase("PSA (prostate marker)"),
    "hcg": phrase("HCG (testis marker)"),
    "thyroglobulin": phrase("Thyroglobulin (thyroid marker)"),
    "calcitonin": phrase("Calcitonin (thyroid marker)"),
    "chromogranin": phrase("Chromogranin A (a cancer marker)"),
    "b2m": phrase("Beta-2 microglobulin (blood cancer marker)"),
    "nse": phrase("Neuron-specific enolase (a cancer marker)"),
}

_BLOOD_CODES = {
    "6875-9": "ca15-3", "83083-6": "ca15-3", "17842-6": "ca27-29", "10334-1": "ca125", "83082-8": "ca125",
    "24108-3": "ca19-9", "83084-4": "ca19-9", "2039-6": "cea", "1834-1": "afp", "2857-1": "psa", "35741-8": "psa",
    "21198-7": "hcg", "20415-6": "hcg", "55869-2": "hcg", "3013-0": "thyroglobulin", "1992-7": "calcitonin",
    "9811-1": "chromogranin", "30169-7": "chromogranin", "1952-1": "b2m", "15060-7": "nse",
}  # fmt: skip

_BLOOD_WORDS: tuple[tuple[str, str], ...] = (
    (r"(cancer ag|ca) ?15-3", "ca15-3"), (r"(cancer ag|ca) ?27[.-]29", "ca27-29"),
    (r"(cancer ag|\bca) ?-?125", "ca125"),
    (r"(cancer ag|ca) ?19-9", "ca19-9"), (r"carcinoembryonic|\bcea\b", "cea"), (r"alpha-?1?-?feto|\bafp\b", "afp"),
    (r"prostate specific ag \[mass/volume\]|prostate[- ]specific antigen|^psa\b", "psa"),
)  # fmt: skip

RECEPTORS: dict[str, Phrase] = {
    "er": phrase("Estrogen"),
    "pr": phrase("Progesterone"),
    "er-pr": phrase("Estrogen and progesterone"),
    "her2": phrase("HER2"),
    "ki67": phrase("Ki-67 (how fast cells grow)"),
    "egfr": phrase("EGFR (a growth signal on the cells)"),
    "pd-l1": phrase("PD-L1"),
    "msi": phrase("Microsatellite instability"),
    "oncotype": phrase("Oncotype DX score"),
}

_RECEPTOR_CODES = {
    "16112-5": "er", "85337-4": "er", "40556-3": "er", "85310-1": "er", "14130-8": "er",
    "16113-3": "pr", "85339-0": "pr", "40557-1": "pr", "85331-7": "pr", "10861-3": "pr",
    "10480-2": "er-pr", "48676-1": "her2", "85319-2": "her2", "85318-4": "her2", "31150-6": "her2", "18474-7": "her2",
    "72383-3": "her2", "29593-1": "ki67", "85147-7": "pd-l1", "81695-9": "msi", "509910": "oncotype",
}  # fmt: skip

_RECEPTOR_WORDS: tuple[tuple[str, str], ...] = (
    (r"estrogen\s*\+\s*progesterone", "er-pr"), (r"(o?estrogen) receptor", "er"), (r"progesterone receptor", "pr"),
    (r"her-?2|erbb2", "her2"), (r"ki-?67", "ki67"), (r"pd-?l1", "pd-l1"), (r"microsatellite", "msi"),
    (r"oncotype", "oncotype"), (r"epidermal growth factor receptor (?!2)", "egfr"),
)  # fmt: skip
_RECEPTOR_NAMES = re.compile(r"her-?2|ki-?67|pd-?l1|oncotype")
_ANY_BLOOD_WORD, _ANY_RECEPTOR_WORD = (
    re.compile("|".join(pattern for pattern, _ in patterns)) for patterns in (_BLOOD_WORDS, _RECEPTOR_WORDS)
)

GENOMIC_CODES = frozenset({"69548-6", "55233-1", "81247-9", "94076-7", "51963-7", "47998-0"})

GENE, VARIANT, DNA_CHANGE, PROTEIN_CHANGE, SOURCE = "48018-6", "81252-9", "48004-6", "48005-3", "48002-0"
GENOME_CHANGE, MEANING = "81290-9", "53037-8"

POSITIVE, NEGATIVE = phrase("positive"), phrase("negative")
EQUIVOCAL, PRESENT, ABSENT = phrase("not clear"), phrase("found"), phrase("not found")

_RESULTS = {
    "LA6576-8": POSITIVE, "10828004": POSITIVE, "POS": POSITIVE, "LA6577-6": NEGATIVE, "260385009": NEGATIVE,
    "NEG": NEGATIVE, "LA11884-6": EQUIVOCAL, "LA9633-4": PRESENT, "52101004": PRESENT, "LA9634-2": ABSENT,
    "2667000": ABSENT,
}  # fmt: skip
_RESULT_WORDS = (
    (r"\b(negative|neg|(not|non|no)[ -](detected|amplif(ied|ication)|over-?express(ed|ion)))\b", NEGATIVE),
    (r"\b(positive|pos|amplified|over-?expressed)\b", POSITIVE),
    (r"\b(equivocal|indeterminate)\b", EQUIVOCAL),
)  # fmt: skip
# Words that change what a result means: then the laboratory's own words stand.
_MORE_THAN_ONE_WORD = re.compile(r"\b(low|weak\w*|faint\w*|focal\w*|border\w*|not|non|no|possib\w*|suspicious)\b")


def blood_marker_of(observation: Resource) -> str | None:
    """The key of BLOOD_MARKERS that an Observation measures, None when none."""
    concept = observation.get("code")
    for coding in codings(concept):
        if coding.code in _BLOOD_CODES and coding.system in (LOINC, ""):
            return _BLOOD_CODES[coding.code]
    words = searchable(concept)
    if any(other in words for other in ("urine", "fluid", "tissue", "pericardial", "free", "ratio", "semen")):
        return None
    return _first(_BLOOD_WORDS, _ANY_BLOOD_WORD, words)


def receptor_of(observation: Resource) -> str | None:
    """The key of RECEPTORS that an Observation reports, None when none."""
    concept = observation.get("code")
    for coding in codings(concept):
        if coding.code in _RECEPTOR_CODES:
            return _RECEPTOR_CODES[coding.code]
    words = searchable(concept)
    if "presence" not in words and "receptor" not in words and not _RECEPTOR_NAMES.search(words):
        return None
    return _first(_RECEPTOR_WORDS, _ANY_RECEPTOR_WORD, words)


def _first(patterns: tuple[tuple[str, str], ...], any_of_them: re.Pattern[str], words: str) -> str | None:
    """What the first pattern found in the words stands for; nearly all words hold none, which one look tells."""
    if not any_of_them.search(words):
        return None
    return next((name for pattern, name in patterns if re.search(pattern, words)), None)


def is_other_marker(observation: Resource) -> bool:
    """A tumor marker by profile only: shown under its own name."""
    return has_profile(observation, "mcode-tumor-marker-test")


def is_genomic_variant(observation: Resource) -> bool:
    return any(c.code == "69548-6" for c in codings(observation.get("code"))) or has_profile(
        observation, "mcode-genomic-variant"
    )


def result_words(value: Any) -> Phrase | str:
    """A coded result as positive, negative and so on; else the provider's own words."""
    for coding in codings(value):
        if coding.code in _RESULTS:
            return _RESULTS[coding.code]
    words, found = searchable(value), []
    for pattern, said in _RESULT_WORDS:
        rest = re.sub(pattern, " ", words)
        found += [said] if rest != words else []
        words = rest
    return found[0] if len(found) == 1 and not _MORE_THAN_ONE_WORD.search(words) else concept_text(value)
