"""Whether words that go out by text name an illness or its care (requirement SMS-08), in English or Spanish."""

from __future__ import annotations

import re
import unicodedata

# Beginnings of words, without accents. Found inside an address too, where words run together ("mycancerportal").
ILLNESS = (
    "cancer", "cancro", "oncolog", "tumor", "tumour", "leukemi", "leukaemi", "leucemi", "lymphom", "linfom", "melanom",
    "myelom", "mielom", "sarcom", "carcinom", "metasta", "chemo", "quimio", "radiother", "radioter", "hospice",
    "paliativ", "palliat", "hematolog", "haematolog", "breast", "prostat", "diabet", "psychiatr", "psiquiatr",
)  # fmt: skip
# Short ones that are harmless inside other words ("aidsummit" is not an illness, "raids" neither).
WHOLE = ("hiv", "vih", "aids", "sida", "tumors", "rehab")


def names_illness(words: str) -> str:
    """The first word found that names an illness; empty when there is none."""
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().casefold()
    for part in ILLNESS:
        if part in plain:
            return part
    return next((word for word in re.findall(r"[a-z]+", plain) if word in WHOLE), "")


# What else a message may not say: who treats a person, what was found or given, what was decided (threats.md abuse 11).
TELLING = re.compile(
    r"hospital|clinic|doctor|physician|patient|paciente|nurse|enfermer|surg|cirug|drug|medicament|medicine|medicin"
    r"|treatment|tratamiento|diagnos|biops|\blab\b|laborator|\bresults?\b|\bresultad|scan\b|radia[ct]|appointment|\bcita\b"
    r"|opt(ed|s)?.?(out|in)\b|donat|donac|donar|research|investigac|\bstud(y|ies)|estudio|\btrial|consent|cancerlinq|\basco\b"
    r"|birth|nacim|\bmrn\b|record number|insur|seguro m|social security"
)


def tells_something(words: str) -> str:
    """The first piece found that tells of care, a person or a decision; empty when there is none."""
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().casefold()
    found = TELLING.search(plain)
    return found.group() if found else ""
