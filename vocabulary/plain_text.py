"""Text made comparable: what people type against what stands written."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """Lower case without accents, so that "Cuándo" is found by "cuando"."""
    return "".join(each for each in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(each))
