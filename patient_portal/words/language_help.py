"""The notice that language help is free, in each language it is kept in (LANG-02, 45 CFR 92.11)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from patient_portal.edge.languages import direction_of

FILE = Path(__file__).resolve().parent.parent / "content" / "language_help.toml"


@dataclass(frozen=True)
class Notice:
    """One language: its BCP 47 code, its own name, and the notice with `{phone}` where the number goes."""

    code: str
    name: str
    text: str

    @property
    def direction(self) -> str:
        return direction_of(self.code)

    def around_phone(self) -> tuple[str, str]:
        """The words before and after the number, which a page sets apart so that its digits keep their order."""
        before, _, after = self.text.partition("{phone}")
        return before, after


@lru_cache(maxsize=1)
def notices() -> tuple[Notice, ...]:
    """All notices, English first."""
    raw = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return tuple(Notice(entry["code"], entry["name"], entry["text"]) for entry in raw["notice"])
