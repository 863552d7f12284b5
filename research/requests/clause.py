"""The clause that every recipient accepts: nobody tries to find out who a person is (X-09).

The words are never edited under their number; a change is a new version, and a request that accepted an older one
accepts the new one before it can be approved. Source of the duty: the leaflet's "prohibited from re-identifying".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ClauseRef:
    """Which clause, in which version."""

    id: str
    version: int

    def as_json(self) -> dict[str, Any]:
        return {"id": self.id, "version": self.version}

    @classmethod
    def of(cls, kept: Mapping[str, Any] | None) -> ClauseRef | None:
        """The clause as an event keeps it; None stands for none accepted."""
        return None if kept is None else cls(str(kept["id"]), int(kept["version"]))


NO_REIDENTIFICATION = ClauseRef("no-re-identification", 1)
WORDS = (
    "We will not try to find out who any person in the data is, nor let anybody else try; we will not join the data"
    " with other data in a way that could show it, nor contact any person or family. If we learn who somebody is, we"
    " tell nobody, report it to the sender within one business day, and destroy what showed it. We give the data to"
    " nobody who has not signed this."
)
