"""The names of everyone who is permitted, by question: a filter over many names asks only whether each is among them.

Only for stores that know people by codes of their own, one for each person. Pure; for one thread at a time.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from consent.decide.columns import Columns, Question
from consent.decide.snapshot import Snapshot

MOST_QUESTIONS = 8
WORTH_IT = 20
"""A set is made once a question was put about one person of so many: less is sooner looked up one by one."""
MOST_WAITING = 50_000


class Sieve:
    """Made when it is worth it, and then kept current with the snapshot."""

    def __init__(self, snapshot: Snapshot, columns: Columns) -> None:
        self._snapshot, self._columns = snapshot, columns
        self._asked: Counter[Question] = Counter()
        self._permitted: OrderedDict[Question, set[bytes]] = OrderedDict()
        self._code_of: dict[str, list[bytes | None]] = {}
        self._touched: set[int] = set()

    def kept(self, question: Question, codes: Mapping[bytes, int], names: Sequence[bytes]) -> list[bytes] | None:
        """Those of `names` that are permitted, in order; None while it is not worth it."""
        self._settle()
        permitted = self._permitted.get(question)
        if permitted is None:
            self._asked[question] += len(names)
            if self._asked[question] * WORTH_IT < len(codes):
                return None
            permitted = self._make(question, codes)
        return list(filter(permitted.__contains__, names))

    def note(self, persons: Iterable[int], coded: Iterable[tuple[int, str, str]] = ()) -> None:
        """These persons may stand otherwise than before; `coded` have a new code. Looked at before the next filter, for
        whoever asks about one person does not wait for it."""
        if not self._permitted:
            return
        self._touched.update(persons)
        for person, store, code in coded:
            self._touched.add(person)
            if store in self._code_of:
                _put(self._code_of[store], person, code.encode())
        if len(self._touched) > MOST_WAITING:
            self._settle()

    def _settle(self) -> None:
        touched, self._touched = self._touched, set()
        for question, permitted in self._permitted.items():
            column, shown = self._columns.column(question), self._snapshot.shown
            codes = self._code_of[question.store]
            for person in touched:
                name = codes[person] if person < len(codes) else None
                if name is not None:
                    (permitted.add if column[shown[person]].allowed else permitted.discard)(name)

    def _make(self, question: Question, codes: Mapping[bytes, int]) -> set[bytes]:
        if question.store not in self._code_of:
            by_person: list[bytes | None] = [None] * len(self._snapshot.shown)
            self._code_of[question.store] = by_person
            for code, person in codes.items():
                _put(by_person, person, code)
        allowed = [permission.allowed for permission in self._columns.column(question)]
        shown = self._snapshot.shown
        # Copied side by side: scattered among everyone's codes, each look at one would be a page of its own.
        together = b"\n".join(code for code, person in codes.items() if allowed[shown[person]])
        made = set(together.split(b"\n"))
        made.discard(b"")
        self._permitted[question] = made
        if len(self._permitted) > MOST_QUESTIONS:
            self._permitted.popitem(last=False)
            self._asked.clear()
        return made


def _put(codes: list[bytes | None], person: int, code: bytes) -> None:
    codes.extend([None] * (person + 1 - len(codes)))
    codes[person] = code
