"""Brings the message catalogs up to date with the sentences in the templates and rooms.

    python scripts/update_translations.py           extract, update every catalog, say what is missing
    python scripts/update_translations.py --check   change nothing; exit 1 when a complete language misses a sentence

Old translations are never guessed at ("fuzzy"): a changed sentence is a new one. Catalogs carry no line numbers and
are sorted, so that a change in a page changes only the lines of its own sentences.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir, extract_python
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
CATALOGS = ROOT / "patient_portal" / "translations"
ROOMS = ("templates", "patient_portal", "research", "consent", "fhir_bridge", "notifications", "vocabulary")
KEYWORDS = {**DEFAULT_KEYWORDS, "_l": None, "phrase": None}
COMPLETE = ("ar", "es")
_CALLED = re.compile(rb"\b(?:%s)\s*\(" % "|".join(KEYWORDS).encode())


def extracted() -> Catalog:
    """Every sentence for people, as a template catalog."""
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]  # Babel has no types here
    template = Catalog(charset="utf-8")
    for room in ROOMS:
        ways: list[Any] = [
            (pattern.removeprefix(f"{room}/"), _python if method == "python" else method)
            for pattern, method in methods
            if _covers(pattern, room)
        ]
        found = extract_from_dir(
            ROOT / room,
            ways,
            {pattern.removeprefix(f"{room}/"): option for pattern, option in options.items()},
            KEYWORDS,
        )
        for _, _, message, _, context in found:
            template.add(message, context=context)
    return template


def _python(
    file: IO[bytes], keywords: Mapping[str, Any], tags: Collection[str], options: Mapping[str, Any]
) -> Iterable[tuple[Any, ...]]:
    """As Babel's own, which reads a program word by word: where nothing is called that says something, not at all."""
    if not _CALLED.search(file.read()):
        return ()
    file.seek(0)
    return extract_python(file, keywords, tags, options)  # type: ignore[arg-type]  # Babel asks for its own types


def _covers(pattern: str, room: str) -> bool:
    return pattern.startswith(("**", f"{room}/"))


def read(language: str) -> Catalog:
    """The catalog of a language as it stands."""
    with (CATALOGS / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def missing(catalog: Catalog, template: Catalog) -> list[str]:
    """The sentences that the template has and the catalog does not say."""
    return sorted(_name(message.id) for message in template if message.id and not _said(catalog, message.id))


def _name(message: str | tuple[str, ...] | list[str]) -> str:
    return message if isinstance(message, str) else message[0]


def _said(catalog: Catalog, message: str | tuple[str, ...] | list[str]) -> bool:
    found = catalog.get(_name(message))
    if found is None or found.fuzzy or not found.string:
        return False
    return bool(found.string) if isinstance(found.string, str) else all(found.string)


def update(language: str, template: Catalog) -> Catalog:
    """Writes the catalog with the template's sentences: kept where translated, empty where new."""
    catalog = read(language)
    catalog.update(template, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    with (CATALOGS / language / "LC_MESSAGES" / "messages.po").open("wb") as file:
        write_po(file, catalog, width=0, no_location=True, sort_output=True, omit_header=False)
    return catalog


def main(arguments: list[str]) -> int:
    template = extracted()
    check = "--check" in arguments
    languages = sorted(path.name for path in CATALOGS.iterdir() if (path / "LC_MESSAGES" / "messages.po").is_file())
    failed = False
    for language in languages:
        catalog = read(language) if check else update(language, template)
        absent = missing(catalog, template)
        sys.stdout.write(f"{language}: {len(absent)} missing\n")
        if language in COMPLETE:
            sys.stdout.writelines(f"  {sentence!r}\n" for sentence in absent)
            failed = failed or bool(absent)
    return 1 if check and failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
