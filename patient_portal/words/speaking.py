"""Says phrases in one language, without a request: what a worker writes reads like what a page shows."""

from __future__ import annotations

from functools import cache

from babel.support import NullTranslations, Translations

from fhir_bridge.export.copy_facts import Say
from fhir_bridge.reading.said import Said
from patient_portal.words.catalogs import FOLDER, compile_if_older
from vocabulary.phrase import Phrase


def speaker(language: str) -> Say:
    """The words of a phrase in `language`, where there is no translation in English; other words as they are."""
    catalog = _catalog(language)

    def say(words: Said) -> str:
        if not isinstance(words, Phrase):
            return words
        told = str(catalog.ugettext(words.msgid))
        return told % dict(words.values) if words.values else told

    return say


@cache
def _catalog(language: str) -> NullTranslations:
    compile_if_older()
    return Translations.load(str(FOLDER), [language])
