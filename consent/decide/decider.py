"""Answers whether data may be used, fresh to the last commit before the question (G4.4). One per process.

Each call or batch first reads what was committed since the last one: one indexed statement, usually without news.
When that cannot be read, or the ledger went back (a restore), the answer is no; only a report the law requires goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock

from pyroaring import BitMap

from consent.decide.columns import Columns, Question
from consent.decide.history import EPOCH, micros
from consent.decide.ledger_view import Head, LedgerView, News
from consent.decide.names import NameBook
from consent.decide.sieve import Sieve
from consent.decide.snapshot import Installation, Snapshot
from consent.efforts import SANDBOX_EFFORTS, Effort
from consent.may_use import Permission, Reason
from consent.store_config import Basis, Store
from database.keyring import KeyRing
from database.unit_of_work import Database
from vocabulary.errors import Unavailable

UNCHECKED = Permission(False, Reason.NOT_CHECKED)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether, why, and as of which position: all decisions below it count, and every other commit before the call."""

    allowed: bool
    reason: Reason
    position: int


@dataclass(frozen=True)
class Answers:
    """One permission for each name asked about, in order, all as of `position`."""

    position: int
    permissions: Sequence[Permission] = field(repr=False)


@dataclass(frozen=True)
class Look:
    """What was found for a run of names: each one's profile number, and by profile number the permission.

    `column` grows while others ask, and never changes otherwise: what is in it stays.
    """

    position: int
    profiles: Sequence[int] = field(repr=False)
    column: Sequence[Permission] = field(repr=False)

    @property
    def checked(self) -> bool:
        return self.column[0] is not UNCHECKED


@dataclass(frozen=True)
class Sifted:
    """Of `asked` names those that are allowed, in order."""

    position: int
    asked: int
    allowed: Sequence[bytes] = field(repr=False)


class Decider:
    """The snapshot of all persons, kept current. Threads may share one; the clock gives the time of each call."""

    def __init__(
        self,
        database: Database,
        ring: KeyRing,
        stores: Iterable[Store],
        installation: Installation,
        clock: Callable[[], datetime],
        efforts: tuple[Effort, ...] = SANDBOX_EFFORTS,
    ) -> None:
        self._view = LedgerView(database)
        self._ring, self._installation, self._clock, self._efforts = ring, installation, clock, efforts
        self.stores = {store.id: store for store in stores}
        self._lock = Lock()
        self._head: Head | None = None
        self._moment = b""
        self._ended: frozenset[str] = frozenset()
        self._forget()

    def close(self) -> None:
        with self._lock:
            self._view.close()

    def decide(self, question: Question, name: bytes) -> Answer:
        """May this person's data be used? `name` is the one by which the question's store knows them."""
        with self._lock:
            early, moment = self._early(question, name)
            if early is not None:
                return early
            look = self._look(question, (name,), checked=self._catch_up(moment))
        permission = look.column[look.profiles[0]]
        return Answer(permission.allowed, permission.reason, look.position)

    def decide_many(self, question: Question, names: Sequence[bytes]) -> Answers:
        """The same for many at once, with one look at the ledger."""
        look = self.look(question, names)
        return Answers(look.position, list(map(look.column.__getitem__, look.profiles)))

    def sift(self, question: Question, names: Sequence[bytes], *, check: bool = True) -> Sifted | None:
        """Only those who are allowed, sooner than by `look`; None where that is the way to ask."""
        store = self.stores.get(question.store)
        if store is None or store.basis is not Basis.DONATION:
            return None
        with self._lock:
            checked = self._catch_up() if check or self._head is None else True
            if not checked or not self._knows_names_of(store):
                return None
            codes = self._names.codes(store)
            kept = self._sieve.kept(question, codes, names) if codes is not None else None
            return None if kept is None else Sifted(self._snapshot.position, len(names), kept)

    def look(self, question: Question, names: Sequence[bytes], *, check: bool = True) -> Look:
        """The profile of each name and the answer for each profile; without a look at the ledger when not `check`."""
        with self._lock:
            return self._look(question, names, checked=self._catch_up() if check or self._head is None else True)

    def _look(self, question: Question, names: Sequence[bytes], *, checked: bool) -> Look:
        position = self._snapshot.position
        store = self.stores.get(question.store)
        if store is None:
            return Look(position, [0] * len(names), [Permission(False, Reason.UNKNOWN)])
        if not (checked or store.basis is Basis.LAW) or not self._knows_names_of(store):
            return Look(position, [0] * len(names), [UNCHECKED])
        shown = map(self._snapshot.shown.__getitem__, self._names.numbers(store, names))
        return Look(position, list(shown), self._columns.column(question))

    def _early(self, question: Question, name: bytes) -> tuple[Answer | None, bytes | None]:
        """The answer looked up while the ledger is asked, which is right when nothing was committed since; else None
        and what the ledger said, if it did."""
        store = self.stores.get(question.store)
        if store is None or not self._moment or not self._view.is_open or not self._names.has_read(store):
            return None, None
        try:
            self._view.ask_moment()
            try:
                self._pass_time()
                (person,) = self._names.numbers(store, (name,))
                permission = self._columns.column(question)[self._snapshot.shown[person]]
                answer = Answer(permission.allowed, permission.reason, self._snapshot.position)
            finally:
                moment = self._view.moment()
        except Unavailable:
            self._moment = b""
            return None, None
        return (answer if moment == self._moment else None), moment

    def now(self) -> datetime:
        return self._clock()

    def permitted(self, question: Question) -> tuple[int, BitMap]:
        """Position, and the numbers of everyone whose data may be used; Unavailable when it cannot be checked."""
        with self._lock:
            if not self._catch_up():
                raise Unavailable("position-not-checked", retry_after_seconds=1)
            return self._snapshot.position, self._columns.permitted(question)

    def warm(self, *stores: str) -> int:
        """Read everything now rather than at the first question; returns the position. Unavailable when it cannot."""
        with self._lock:
            if not self._catch_up():
                raise Unavailable("position-not-checked", retry_after_seconds=1)
            for store in stores:
                self._names.read(self._view, self.stores[store])
            return self._snapshot.position

    def _knows_names_of(self, store: Store) -> bool:
        try:
            self._names.read(self._view, store)
        except Unavailable:
            return False
        return True

    def _catch_up(self, moment: bytes | None = None) -> bool:
        """Bring the snapshot to now; False when that cannot be shown. `moment`, where this call has read it already."""
        try:
            if moment is None:
                self._view.ask_moment()
                moment = self._view.moment()
            if moment != self._moment or self._head is None:
                self._read_news()
        except Unavailable:
            self._moment = b""
            return False
        self._moment = moment  # taken before the news, so they hold at least all of it
        self._pass_time()
        return True

    def _pass_time(self) -> None:
        self._snapshot.advance(micros(self._clock()))
        self._sieve.note(self._snapshot.moved())

    def _read_news(self) -> None:
        head = self._head or self._read_everything()
        news = self._view.news(head)
        if news.head.position < head.position or news.head.xid < head.xid:
            news = self._view.news(self._read_everything())
        self._snapshot.advance(micros(self._clock()))
        self._apply(news)
        if news.ended != self._ended:
            self._end(news.ended)

    def _apply(self, news: News) -> None:
        self._snapshot.decide_all(news.decided)
        for row, one, other, linked in news.linked:
            self._snapshot.link(row, one, other, linked)
        for person, name, key in news.named:
            self._snapshot.name(person, name)
            self._names.note_kind(name)
            self._names.add_name(key, person)
        for person, store, code in news.coded:
            self._names.add_code(store, code, person)
        self._head = news.head
        self._snapshot.position = news.head.position
        self._sieve.note(self._snapshot.moved(), news.coded)

    def _end(self, ended: frozenset[str]) -> None:
        """Efforts have ended: what the rules said of their stores is asked again."""
        self._ended = ended
        efforts = tuple(replace(each, ended=EPOCH) if each.id in ended else each for each in self._efforts)
        self._columns = Columns(self._snapshot, self.stores, efforts)
        self._sieve = Sieve(self._snapshot, self._columns)

    def _read_everything(self) -> Head:
        """Make the snapshot anew at the ledger's head; what is committed meanwhile comes with the next news."""
        head = self._view.head()
        self._forget()
        self._snapshot.advance(micros(self._clock()))
        for person, name in self._view.names():
            self._snapshot.name(person, name)
            self._names.note_kind(name)
        self._snapshot.decide_all(self._view.decisions())
        for row, one, other, linked in self._view.links():
            self._snapshot.link(row, one, other, linked)
        self._snapshot.moved()
        self._head = head
        return head

    def _forget(self) -> None:
        self._head = None
        self._ended = frozenset()
        self._snapshot = Snapshot(self._installation)
        self._columns = Columns(self._snapshot, self.stores, self._efforts)
        self._sieve = Sieve(self._snapshot, self._columns)
        self._moment = b""
        self._names = NameBook(self._ring, self.stores, self._installation)
