"""Reads back a PDF as the typesetter writes it: its words, its tags, its language (ISO 32000-1; ISO 14289-1).

A small reader of our own, since the product only writes: it knows files without object streams, composite fonts with a
`ToUnicode` map and two-byte codes, and fails on anything else instead of finding nothing.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

_OBJECT = re.compile(rb"(?<![0-9])(\d+) 0 obj\s(.*?)\sendobj", re.S)
_ESCAPES = {b"n": 10, b"r": 13, b"t": 9, b"b": 8, b"f": 12}
_PLAIN = rb"[^()\\]|\\."
# A string may hold balanced parentheses as they are.
_STRING = rb"\((?:" + _PLAIN + rb"|\((?:" + _PLAIN + rb"|\((?:" + _PLAIN + rb")*\))*\))*\)"
_SHOWN = re.compile(rb"<<.*?>>|/(\w+) [\d.]+ Tf|" + _STRING + rb"|<([0-9A-Fa-f]*)>|(ET)", re.S)


@dataclass(frozen=True)
class Pdf:
    """One file."""

    data: bytes

    @cached_property
    def objects(self) -> dict[int, bytes]:
        assert b"/ObjStm" not in self.data
        return {int(found[1]): found[2] for found in _OBJECT.finditer(self.data)}

    @cached_property
    def root(self) -> bytes:
        return next(body for body in self.objects.values() if re.search(rb"/Type\s*/Catalog", body))

    @property
    def language(self) -> str:
        found = re.search(rb"/Lang\s*\(([^)]*)\)", self.root)
        assert found, "no language"
        return found[1].decode()

    @property
    def is_tagged(self) -> bool:
        return bool(re.search(rb"/Marked\s+true", self.root)) and b"/StructTreeRoot" in self.root

    @property
    def says_ua_1(self) -> bool:
        """What the file claims in its metadata (ISO 14289-1 section 5)."""
        stream = self.stream(int(self._reference(self.root, b"Metadata")))
        return b"pdfuaid:part>1<" in stream or b'pdfuaid:part="1"' in stream

    @property
    def tags(self) -> Counter[str]:
        """How often each structure type occurs."""
        found = [re.search(rb"/S\s*/(\w+)", b) for b in self.objects.values() if b"/StructElem" in b or b"/P " in b]
        return Counter(each[1].decode() for each in found if each)

    @property
    def embeds_every_font(self) -> bool:
        described = [body for body in self.objects.values() if re.search(rb"/Type\s*/FontDescriptor", body)]
        return bool(described) and all(b"/FontFile" in body for body in described)

    @property
    def pages(self) -> list[str]:
        """The words of each page; lines end where a text object ends."""
        bodies = [body for body in self.objects.values() if re.search(rb"/Type\s*/Page\b(?!s)", body)]
        return [self._page(body) for body in bodies]

    @property
    def text(self) -> str:
        return "\n".join(self.pages)

    def stream(self, number: int) -> bytes:
        head, rest = self.objects[number].split(b"stream", 1)
        content = rest.lstrip(b"\r\n").rsplit(b"endstream", 1)[0]
        return zlib.decompressobj().decompress(content) if b"/FlateDecode" in head else content

    def _page(self, body: bytes) -> str:
        fonts = {name: self._letters(int(number)) for name, number in self._fonts(body)}
        assert fonts, "a page without fonts"
        letters: dict[int, str] = {}
        words = ""
        for found in _SHOWN.finditer(self.stream(int(self._reference(body, b"Contents")))):
            if found[1]:
                letters = fonts[found[1]]
            elif found[3]:
                words += "\n"
            elif not found[0].startswith(b"<<"):  # properties of marked content are not shown
                code = bytes.fromhex(found[2].decode()) if found[2] is not None else _literal(found[0][1:-1])
                words += "".join(letters[int.from_bytes(code[at : at + 2], "big")] for at in range(0, len(code), 2))
        return words

    def _fonts(self, page: bytes) -> list[tuple[bytes, bytes]]:
        found = re.search(rb"/Resources\s+(\d+) 0 R", page)
        resources = self.objects[int(found[1])] if found else page
        return re.findall(rb"/(f\d+) (\d+) 0 R", resources)

    def _letters(self, font: int) -> dict[int, str]:
        """The characters of a font by code, from its ToUnicode map (ISO 32000-1 section 9.10.3)."""
        table = self.stream(int(self._reference(self.objects[font], b"ToUnicode")))
        found = {}
        for block in re.findall(rb"beginbfchar(.*?)endbfchar", table, re.S):
            for code, value in re.findall(rb"<(\w+)>\s*<(\w*)>", block):
                found[int(code, 16)] = _utf_16(value)
        for block in re.findall(rb"beginbfrange(.*?)endbfrange", table, re.S):
            for first, last, value in re.findall(rb"<(\w+)>\s*<(\w+)>\s*<(\w+)>", block):
                for code in range(int(first, 16), int(last, 16) + 1):
                    found[code] = chr(ord(_utf_16(value)) + code - int(first, 16))
        return found

    @staticmethod
    def _reference(body: bytes, name: bytes) -> bytes:
        found = re.search(rb"/" + name + rb"\s+(\d+) 0 R", body)
        assert found, name
        return found[1]


def _utf_16(value: bytes) -> str:
    return bytes.fromhex(value.decode()).decode("utf-16-be")


def _literal(value: bytes) -> bytes:
    """A string in parentheses (ISO 32000-1 section 7.3.4.2)."""

    def plain(found: re.Match[bytes]) -> bytes:
        sign = found[1]
        if sign[:1].isdigit():
            return bytes([int(sign, 8)])
        return bytes([_ESCAPES[sign]]) if sign in _ESCAPES else sign

    return re.sub(rb"\\([0-7]{1,3}|.)", plain, value, flags=re.S)
