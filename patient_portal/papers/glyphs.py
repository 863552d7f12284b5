"""Which characters the shipped fonts can show, read from the fonts themselves (OpenType 1.9, `cmap`, formats 4 and 12).

A name may be written in any script. A character without a glyph would be lost in silence, and PDF/UA refuses such a
file; so it is written out by its number, as in `[U+738B]`, and the person still gets a copy of what they signed.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FONTS = Path(__file__).resolve().parents[2] / "templates/papers/fonts"
_MARKS = {0x200E: None, 0x200F: None}
_UNICODE = {(0, 3), (0, 4), (3, 1), (3, 10)}


def showable(words: str) -> str:
    """`words` with every character that no shipped font shows written as its number; line breaks stay.

    The two marks of direction are left out: dates in Arabic come with them, and the typesetter knows the direction.
    """
    shown = unicodedata.normalize("NFC", words).translate(_MARKS)
    known = _shown()
    return "".join(sign if sign == "\n" or ord(sign) in known else f"[U+{ord(sign):04X}]" for sign in shown)


@cache
def _shown() -> frozenset[int]:
    found = {code for path in sorted(FONTS.glob("*-Regular.ttf")) for code in characters(path.read_bytes())}
    # Control and formatting characters have no picture, and one that turns the direction would move the words around.
    return frozenset(
        code for code in found if unicodedata.category(chr(code)) not in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp")
    )


def characters(font: bytes) -> Iterator[int]:
    """The code points in a font's `cmap`."""
    tables = struct.unpack_from(">H", font, 4)[0]
    for place in range(tables):
        tag, _sum, offset, _length = struct.unpack_from(">4sIII", font, 12 + 16 * place)
        if tag == b"cmap":
            yield from _cmap(font, offset)


def _cmap(font: bytes, start: int) -> Iterator[int]:
    count = struct.unpack_from(">H", font, start + 2)[0]
    for place in range(count):
        platform, encoding, offset = struct.unpack_from(">HHI", font, start + 4 + 8 * place)
        if (platform, encoding) not in _UNICODE:
            continue
        kind = struct.unpack_from(">H", font, start + offset)[0]
        if kind == 12:
            yield from _format_12(font, start + offset)
        elif kind == 4:
            yield from _format_4(font, start + offset)


def _format_12(font: bytes, start: int) -> Iterator[int]:
    groups = struct.unpack_from(">I", font, start + 12)[0]
    for place in range(groups):
        first, last, glyph = struct.unpack_from(">III", font, start + 16 + 12 * place)
        yield from (code for code in range(first, last + 1) if glyph + code - first)


def _format_4(font: bytes, start: int) -> Iterator[int]:
    doubled = struct.unpack_from(">H", font, start + 6)[0]
    segments = doubled // 2
    ends = struct.unpack_from(f">{segments}H", font, start + 14)
    begins = struct.unpack_from(f">{segments}H", font, start + 16 + doubled)
    deltas = struct.unpack_from(f">{segments}H", font, start + 16 + 2 * doubled)
    ranges = start + 16 + 3 * doubled
    offsets = struct.unpack_from(f">{segments}H", font, ranges)
    for place, (first, last, delta, offset) in enumerate(zip(begins, ends, deltas, offsets, strict=True)):
        for code in range(first, min(last, 0xFFFE) + 1):
            glyph = code
            if offset:
                glyph = struct.unpack_from(">H", font, ranges + 2 * place + offset + 2 * (code - first))[0]
            if (glyph + delta) & 0xFFFF and glyph:
                yield code
