"""Consent texts, and the HIPAA authorization in all its parts (45 CFR 164.508; HIP-10 to HIP-14).

A text is one file for each version and language under `consent/texts/`. It is what the person reads, what the
decision names, and what the signed copy repeats. A version that was once started with is never edited: other words,
another reviewer or another review are another version (`kept_texts.py`), and an older file may stay beside the newer.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vocabulary.config_file import ConfigError
from vocabulary.errors import Conflict

TEXTS_FOLDER = Path(__file__).parent / "texts"
PART_NAME = re.compile(r"[a-z][a-z_]*")

# Every element of 164.508(c)(1) and (2), of (c)(4), and of the Common Rule parts that go with it, in signing order.
ELEMENTS: Mapping[str, str] = {
    "key_information": "HIP-14",
    "information": "HIP-10 (c)(1)(i)",
    "discloser": "HIP-10 (c)(1)(ii)",
    "recipient": "HIP-10 (c)(1)(iii)",
    "purpose": "HIP-10 (c)(1)(iv)",
    "expiry": "HIP-10 (c)(1)(v)",
    "signature": "HIP-10 (c)(1)(vi)",
    "representative": "HIP-10 (c)(1)(vi)",
    "revocation": "HIP-11 (c)(2)(i)",
    "no_condition": "HIP-11 (c)(2)(ii)",
    "redisclosure": "HIP-11 (c)(2)(iii)",
    "copy": "HIP-11 (c)(4)",
    "payment": "HIP-11 (a)(4)",
    "voluntary": "HIP-14 46.116(b)(8)",
    "future_use": "HIP-14 46.116(b)(9)",
    "after_stopping": "HIP-13, HIP-14",
}


@dataclass(frozen=True)
class ConsentText:
    """One version of a consent text in one language.

    `version` counts 1, 2, …; `review` is `approved`, or `sandbox` for a text no reviewer has seen, which production
    refuses; `major` means that people are asked again (`text_versions.py`). `parts` maps an element (see `ELEMENTS`)
    to its paragraphs. `changes` says in plain words what is different since the version before; it is no part of
    what is signed.
    """

    id: str
    version: int
    language: str
    title: str
    reviewer: str
    review: str
    major: bool
    authorizes: bool
    parts: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()

    @property
    def body(self) -> str:
        """The exact words, in signing order."""
        paragraphs = [self.title, *(f"{name}\n{text}" for name, text in self.parts.items())]
        return "\n\n".join(paragraphs)

    @property
    def sha256(self) -> str:
        """Binds a signature to these words (P11-01): change one and it no longer fits."""
        head = f"{self.id}/{self.version}/{self.language}\n\n"
        return hashlib.sha256((head + self.body).encode()).hexdigest()


def missing_elements(text: ConsentText) -> tuple[str, ...]:
    """The elements a valid authorization would still need, in signing order; empty when complete (HIP-12)."""
    if not text.authorizes:
        return ()
    return tuple(name for name in ELEMENTS if not text.parts.get(name, "").strip())


def check_can_activate(text: ConsentText, *, production: bool) -> None:
    """Refuse a text under which nothing may be signed: Conflict with a reason (HIP-10, HIP-12)."""
    if missing_elements(text):
        raise Conflict("authorization-incomplete")
    if production and text.review != "approved":
        raise Conflict("text-not-reviewed")


class Texts:
    """All consent texts, found by id and language; the newest version of each is shown."""

    def __init__(self, texts: Iterable[ConsentText]) -> None:
        self.all = tuple(texts)

    def newest(self, text_id: str, language: str) -> ConsentText | None:
        """The newest version in exactly this language: None means that an interpreter is offered instead.

        None as well while this language lacks the newest major version: nobody signs terms that no longer hold.
        """
        found = [text for text in self.all if (text.id, text.language) == (text_id, language)]
        newest = max(found, key=lambda text: text.version, default=None)
        if newest is None or newest.version < self.newest_major(text_id):
            return None
        return newest

    def newest_major(self, text_id: str) -> int:
        """The newest version, in any language, for which people are asked again; 0 for an unknown text."""
        return max((text.version for text in self.all if text.id == text_id and text.major), default=0)

    def exactly(self, text_id: str, version: int, language: str) -> ConsentText | None:
        wanted = (text_id, version, language)
        return next((text for text in self.all if (text.id, text.version, text.language) == wanted), None)


def load_texts(folder: Path = TEXTS_FOLDER) -> Texts:
    """Read `*.toml`; ConfigError names the file that is wrong."""
    found: dict[tuple[str, int, str], ConsentText] = {}
    majors: dict[tuple[str, int], bool] = {}
    for path in sorted(folder.glob("*.toml")):
        text = _read(path)
        if (text.id, text.version, text.language) in found:
            raise ConfigError(str(path), "repeats a version that another file has", "Give it the next version")
        if majors.setdefault((text.id, text.version), text.major) is not text.major:
            problem = "is major in one language and minor in another"
            raise ConfigError(str(path), problem, "Give all languages of a version the same `major`")
        found[text.id, text.version, text.language] = text
    return Texts(found.values())


def _read(path: Path) -> ConsentText:
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        text = ConsentText(
            id=values["id"],
            version=int(values["version"]),
            language=values["language"],
            title=values["title"],
            reviewer=values["reviewer"],
            review=values["review"],
            major=bool(values.get("major", False)),
            authorizes=bool(values["authorizes"]),
            parts={name: _paragraphs(str(part)) for name, part in values["parts"].items()},
            changes=tuple(str(change) for change in values.get("changes", ())),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(str(path), f"is not a consent text ({error})", "Compare it with another file") from None
    if text.version < 1 or not all(PART_NAME.fullmatch(name) for name in text.parts):
        raise ConfigError(
            str(path), "has a version below 1 or a part with a capital or space", "Compare it with another"
        )
    if text.version > 1 and text.major and not text.changes:
        raise ConfigError(str(path), "is a major version without `changes`", "Say in plain words what is different")
    if text.review not in ("approved", "sandbox"):
        raise ConfigError(str(path), f"has review = {text.review!r}", 'Use "approved" or "sandbox"')
    return text


def _paragraphs(part: str) -> str:
    """One paragraph a line, no empty lines: the kept body can then be read back without doubt."""
    return "\n".join(line.strip() for line in part.splitlines() if line.strip())
