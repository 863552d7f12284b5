"""The compiled message catalogs: made at the first start when a `.mo` is missing or older than its `.po`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER = Path(__file__).resolve().parent.parent / "translations"


def compile_if_older(folder: Path = FOLDER) -> list[Path]:
    """Compile what needs it; returns the files written. Two processes may do it at once without harm."""
    written = []
    for source in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        try:
            _compile(source, target)
        except OSError:
            # An image that is read-only carries catalogs compiled when it was built.
            continue
        written.append(target)
    return written


def _compile(source: Path, target: Path) -> None:
    with source.open("rb") as file:
        catalog = read_po(file)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as staged:
        write_mo(staged, catalog)
    os.chmod(staged.name, 0o644)
    Path(staged.name).replace(target)
