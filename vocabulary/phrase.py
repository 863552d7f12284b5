"""A sentence for a person, said in their language at the edge.

Rooms below the front door know no language. They return a `Phrase`; the page translates its message id and fills
in the values. The extraction of messages looks for calls of `phrase`, so the first argument is a literal.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Phrase:
    """An English message id in gettext's `%(name)s` form, and the values that go into it."""

    msgid: str
    values: tuple[tuple[str, str], ...] = field(default=())

    def __str__(self) -> str:
        return self.msgid % dict(self.values) if self.values else self.msgid


def phrase(msgid: str, **values: object) -> Phrase:
    """Make a phrase; `msgid` must be written out as a literal where this is called."""
    return Phrase(msgid, tuple((name, str(value)) for name, value in sorted(values.items())))
