"""Reads the two TOML files of tables (`[[provider]]`, `[[store]]`) so that a mistake can be named by file and line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class ConfigError(Exception):
    """A setting is missing or wrong; says where, what, and what to do about it."""

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}. {remedy}")
        self.where, self.problem, self.remedy = where, problem, remedy


@dataclass(frozen=True)
class ConfigTable:
    """One `[[name]]` table: its values and the line on which each key stands (1-based)."""

    file: str
    name: str
    first_line: int
    values: dict[str, Any]
    lines: dict[str, int]

    def line_of(self, key: str) -> int:
        return self.lines.get(key, self.first_line)

    def error(self, key: str, problem: str, remedy: str) -> ConfigError:
        return ConfigError(f"{self.file}, line {self.line_of(key)}", f"[[{self.name}]] `{key}` {problem}", remedy)

    def text(self, key: str, default: str | None = None, *, one_of: Collection[str] = ()) -> str:
        """The value of `key` as text; ConfigError when it is missing, not text, or not one of `one_of`."""
        if key not in self.values:
            if default is not None:
                return default
            raise self.error(key, "is missing", f'Add a line such as {key} = "..."')
        value = self.values[key]
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, "must be text that is not empty", f'Write it as {key} = "..."')
        if one_of and value not in one_of:
            raise self.error(key, f"is {value!r}, which is not known", f"Use one of: {', '.join(sorted(one_of))}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, "must be true or false", f"Write {key} = true or {key} = false")
        return value

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        value = self.values.get(key, list(default))
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.error(key, "must be a list of texts", f'Write it as {key} = ["..."]')
        return tuple(value)

    def refuse_unknown(self, known: Collection[str]) -> None:
        """A misspelt key would silently change what is protected, so it is an error."""
        for key in self.values:
            if key not in known:
                raise self.error(key, "is not a known key", f"Known keys: {', '.join(sorted(known))}")


def read_tables(path: Path, name: str, *, reserved: Collection[str] = ()) -> list[ConfigTable]:
    """All `[[name]]` tables of the TOML file at `path`, in order; ConfigError when the file cannot be read.

    Tables named in `reserved` may stand in the file and are left to their own reader.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            str(path), f"cannot be read ({error.strerror})", "Check the path and its permissions"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(str(path), "is not UTF-8 text", "Save it as UTF-8") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), f"is not valid TOML: {error}", "Correct the line named") from None
    for key in document:
        if key != name and key not in reserved:
            raise ConfigError(
                str(path), f"has a table or key {key!r} that is not known here", f"Use only [[{name}]] tables"
            )
    tables = document.get(name, [])
    if not isinstance(tables, list):
        raise ConfigError(str(path), f"[{name}] must be written [[{name}]]", "Use double brackets: a list of tables")
    return [
        ConfigTable(str(path), name, first, values, lines)
        for values, (first, lines) in zip(tables, _lines_of(text, name), strict=True)
    ]


def _lines_of(text: str, name: str) -> list[tuple[int, dict[str, int]]]:
    header = re.compile(rf"\s*\[\[\s*{re.escape(name)}\s*\]\]")
    other = re.compile(r"\s*\[")
    key = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
    found: list[tuple[int, dict[str, int]]] = []
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        if header.match(line):
            found.append((number, {}))
            inside = True
        elif other.match(line):
            inside = False
        elif inside and (match := key.match(line)):
            found[-1][1].setdefault(match.group(1), number)
    return found
