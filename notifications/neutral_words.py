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
