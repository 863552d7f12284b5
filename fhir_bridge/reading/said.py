"""What a page prints: a phrase it can translate, or the provider's own words as they are."""

from __future__ import annotations

from typing import Any

from vocabulary.phrase import Phrase

Said = Phrase | str


def said_to_json(said: Said | None) -> Any:
    if isinstance(said, Phrase):
        return {"msgid": said.msgid, "values": dict(said.values)}
    return said


def said_from_json(value: Any) -> Said:
    if isinstance(value, dict):
        values = value.get("values")
        pairs = sorted(values.items()) if isinstance(values, dict) else []
        return Phrase(str(value.get("msgid", "")), tuple((str(k), str(v)) for k, v in pairs))
    return value if isinstance(value, str) else ""
