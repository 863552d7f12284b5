"""LANG-03: the shipped languages say every sentence, with the same values in it."""

from __future__ import annotations

import re

import pytest

from patient_portal.languages import SHIPPED, SOURCE
from scripts.update_translations import extracted, missing, read

TRANSLATED = [code for code in SHIPPED if code != SOURCE]
PLACE = re.compile(r"%\(\w+\)[sd]|%%")


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_sentence_is_missing(language: str) -> None:
    """LANG-03: no missing message in a shipped language; `scripts/update_translations.py` lists them."""
    assert missing(read(language), extracted()) == []


@pytest.mark.parametrize("language", [*TRANSLATED, "ar"])
def test_a_translation_keeps_the_values(language: str) -> None:
    """LANG-03: every translation has the placeholders of its sentence and no others, so that filling it in works."""
    for message in read(language):
        ids = message.id if isinstance(message.id, list | tuple) else [message.id]
        said = message.string if isinstance(message.string, list | tuple) else [message.string]
        wanted = {place for one in ids for place in PLACE.findall(one)}
        for text in said:
            if message.id and text:
                assert set(PLACE.findall(text)) == wanted, message.id
