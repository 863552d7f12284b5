"""What somebody typed as a name or as the name of a paper, as it is kept and shown (threats.md abuse case 28)."""

from __future__ import annotations

import re

# Control characters, and the signs that turn the direction of the words around them.
_HIDDEN = re.compile("[\\x00-\\x08\\x0e-\\x1f\\x7f-\\x84\\x86-\\x9f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]")


def one_line(typed: str) -> str:
    """`typed` in one line, its spaces single, without hidden signs; empty when nothing else was in it."""
    return " ".join(_HIDDEN.sub("", typed).split())
