"""Where a person is sent after signing in: our own paths only (abuse case 26, open redirect)."""

from __future__ import annotations

import re

# A path of ours: one slash, then ordinary path and query characters. Backslashes, a second slash, control
# characters, an escaped slash or dot and anything outside ASCII are what open redirects are made of.
_OWN = re.compile(r"/(?!/)(?!.*//)(?!.*%(?:2[fF]|5[cC]|0|1|2[eE]))[A-Za-z0-9/._~%?&=+-]*")
LONGEST = 500


def own_path(wish: str | None) -> str:
    """`wish` when it is a path of ours, else an empty text."""
    if not wish or len(wish) > LONGEST or not _OWN.fullmatch(wish):
        return ""
    return "" if "/.." in wish or "/./" in wish else wish
