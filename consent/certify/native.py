"""Runs the cases against a warehouse, a FHIR server or a stream, by the very adapter that tells it of decisions.

There is no test door at these: the operator names a test endpoint, which may not be the one that real people are told
to. Everyone is invented; event numbers begin at the time of the run, so that runs do not meet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import singledispatchmethod
from typing import Any

from consent.certify import case as kinds
from consent.certify.as_rows import as_rows
from consent.certify.case import Case, Craft, Expect, Tell
from consent.certify.forge import event_of, in_stream
from consent.certify.outcome import Exchange, Outcome
from consent.decision import Answer
from consent.receipts import NotBelieved, State, StoreReceipt, read_late_receipts
from consent.store_config import Kind, Store
from consent.stores.adapter import Batch, NotDelivered, StoreAdapter
from consent.stores.comparable import CannotCompare, Comparable, Span
from consent.stores.stream_wire import TakesReceipts
from consent.wire import StoreEvent
from vocabulary.errors import PortalError, Refused

SYSTEM = "https://patient-portal.example/fhir/NamingSystem/certification"
PATIENCE = 30.0
"""Seconds in which the store behind a stream has to send its receipts."""
_LOOK_AGAIN = 0.2
_OBEYED = frozenset({State.APPLIED, State.NOTHING_HELD, State.NOT_FOUND})
_NOT_BELIEVED = frozenset({
    Craft.UNSIGNED, Craft.FORGED, Craft.OTHER_BODY, Craft.OTHER_ID, Craft.STALE, Craft.FUTURE, Craft.YEAR_OLD,
    Craft.NO_TIME, Craft.UNKNOWN_SCHEME,
})  # fmt: skip
_NOT_READ = frozenset({Craft.CUT, Craft.GARBAGE, Craft.UNKNOWN_KIND})
"""Of these, in a stream, no event may get a receipt; of the others none but `refused`."""

Overtaken = Callable[[Callable[[], None]], StoreAdapter]
"""Makes another way to the store: between its look at what stands there and its writing, what is given is done."""


class _Failed(Exception):
    """The case ends here."""


class _BrokenOff(Sequence[StoreEvent]):
    """Events that end in the middle of being sent."""

    def __init__(self, events: Sequence[StoreEvent]) -> None:
        self._events = events

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, place: Any) -> Any:
        return self._events[place]

    def __iter__(self) -> Iterator[StoreEvent]:
        yield from self._events[: len(self._events) // 2 + 1]
        raise NotDelivered("broken-off", answered=True)


def certify_native(
    adapter: StoreAdapter,
    clock: Callable[[], datetime],
    run: str,
    cases: Iterable[Case],
    patience: float = PATIENCE,
    overtaken: Overtaken | None = None,
) -> Iterable[Outcome]:
    """Run the cases in order. `overtaken` is for a store that is asked before it is told.

    Refused when the store cannot be reached: then it was told of nobody.
    """
    if not adapter.is_well():
        raise Refused("does-not-answer")
    numbers = int(clock().timestamp() * 1_000) * 1_000  # by the millisecond: far below 2**53, and no run meets another
    told = _Told()
    for case in cases:
        one = _Run(adapter, clock, f"{run}-{case.id}", numbers, told, patience, overtaken)
        yield one.case(case)
        numbers = one.next


@dataclass
class _Told:
    """What came back later in this run, by event number: a stream gives each once."""

    later: dict[int, StoreReceipt] = field(default_factory=dict)


@dataclass
class _Run:
    """One case under way."""

    adapter: StoreAdapter
    clock: Callable[[], datetime]
    run: str
    next: int
    told: _Told
    patience: float
    overtaken: Overtaken | None
    people: dict[str, str] = field(default_factory=dict)
    said: dict[str, tuple[str, list[StoreEvent]]] = field(default_factory=dict)
    newest: dict[str, tuple[int, int, Answer]] = field(default_factory=dict)
    wanted: dict[int, int] = field(default_factory=dict)
    unheard: dict[int, frozenset[State]] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.adapter.store

    def case(self, case: Case) -> Outcome:
        self.people = {who: named.format(run=self.run) for who, named in case.people.items()}
        reason = None
        try:
            for step in case.steps:
                self.do(step)
        except _Failed as failed:
            reason = str(failed)
        return Outcome(case, reason, tuple(self.exchanges))

    @singledispatchmethod
    def do(self, step: kinds.Step) -> None:
        raise TypeError(type(step).__name__)

    @do.register
    def _many(self, step: kinds.Many) -> None:
        self.do(kinds.Say(tuple(Tell(f"m{number}", 2) for number in range(step.count))))

    @do.register
    def _say(self, step: kinds.Say) -> None:
        if step.again:
            name, events = self.said[step.again]
        else:
            events = self.said[step.same_events_as][1] if step.same_events_as else self._events(step)
            name = f"cert-{self.run}-{len(self.exchanges)}"
        if step.name:
            self.said[step.name] = (name, events)
        sent = {"message": name, "how": step.craft.value, "events": [each.number for each in events[:5]]}
        told: Sequence[StoreEvent] = events
        if step.craft is Craft.TWICE:
            told = [event for event in events for _ in range(2)]
        elif step.craft is Craft.CUT and self.store.kind is Kind.SQL:
            told = _BrokenOff(events)
        try:
            receipts = self._deliver(Batch(name, told), step.craft)
        except NotDelivered as error:
            turned_down = step.expect in (Expect.TURNED_DOWN, Expect.ALL_OR_NONE) and error.answered
            self._note("message", sent, {"reason": error.reason}, None if turned_down else f"not taken: {error.reason}")
            return
        wrong = "taken, although it cannot be read as a whole" if step.expect is Expect.TURNED_DOWN else None
        wrong = wrong or self._wrong(told, receipts)
        states = sorted({receipt.state.value for receipt in receipts})
        self._note("message", sent, {"receipts": len(receipts), "states": states}, wrong)
        if step.craft in _NOT_BELIEVED | _NOT_READ:
            allowed = frozenset({State.REFUSED} if step.craft in _NOT_READ else ())
            self.unheard |= {event.number: allowed for event in events}
        else:
            self._remember(events)

    def _deliver(self, batch: Batch, craft: Craft) -> Sequence[StoreReceipt]:
        """In a stream each message is signed, and may be made wrong; a warehouse is told by rows, as by the feed."""
        if self.store.kind is Kind.SQL and craft is Craft.PLAIN:
            batch = Batch(batch.message_id, (), lines=as_rows(batch.events))
        if not isinstance(self.adapter, TakesReceipts):
            return self.adapter.deliver(batch).receipts
        before, self.adapter.make = self.adapter.make, in_stream(craft)
        try:
            return self.adapter.deliver(batch).receipts
        finally:
            self.adapter.make = before

    @do.register
    def _overtakes(self, step: kinds.Overtakes) -> None:
        late, newer = self._events(kinds.Say((step.late, step.newer)))
        if self.overtaken is None:
            raise _Failed("this way to the store cannot be overtaken")
        name = f"cert-{self.run}-{len(self.exchanges)}"

        def meanwhile() -> None:
            self.adapter.deliver(Batch(f"{name}-newer", [newer]))

        sent, came_back = {"message": name, "events": [late.number, newer.number]}, {}
        wrong: str | None = "what was overtaken was taken"
        try:
            self.overtaken(meanwhile).deliver(Batch(f"{name}-late", [late]))
        except NotDelivered as error:
            came_back, wrong = {"reason": error.reason}, None if error.answered else f"no answer: {error.reason}"
        self._note("two senders", sent, came_back, wrong)
        self._remember([newer])

    def _wrong(self, events: Sequence[StoreEvent], receipts: Sequence[StoreReceipt]) -> str | None:
        """A receipt for each event and no other, at no lower version, and a state that obeys."""
        versions = {event.number: event.decision.version for event in events}
        if [receipt.event for receipt in receipts] != [event.number for event in events]:
            return "the receipts are not for the events that were told"
        if any(receipt.version < versions[receipt.event] for receipt in receipts):
            return "a receipt names an older version than was told"
        allowed = {State.ACCEPTED} if self.store.kind is Kind.STREAM else _OBEYED
        other = sorted({receipt.state.value for receipt in receipts} - {state.value for state in allowed})
        return f"answered {', '.join(other)}" if other else None

    def _remember(self, events: Sequence[StoreEvent]) -> None:
        who = {value: name for name, value in self.people.items()}
        for event in events:
            if event.system != self._system:
                continue
            name, mark = who[event.value], (event.decision.version, event.number, event.answer)
            self.newest[name] = max(self.newest.get(name, mark), mark)
            if event.number not in self.wanted:  # told again it has its answer already
                self.wanted[event.number] = self.newest[name][0]

    @property
    def _system(self) -> str:
        return self.store.identifier_system or SYSTEM

    def _events(self, step: kinds.Say) -> list[StoreEvent]:
        first = self.next + step.skip
        self.next = first + len(step.tells)
        made = []
        for number, tell in enumerate(step.tells, start=first):
            value = self.people.setdefault(tell.who, f"{self.run}-{tell.who}")
            made.append(event_of(self.store, tell, number, self._system, value, self.clock()))
        return made

    @do.register
    def _compares(self, step: kinds.Compares) -> None:
        self._compare(step.who, step.answer)

    @do.register
    def _stands(self, step: kinds.Stands) -> None:
        self._compare(step.who, self.newest[step.who][2])

    def _compare(self, who: str, answer: Answer) -> None:
        """In a stream nothing can be asked: there the receipts have to say it (`Keeps`)."""
        if not isinstance(self.adapter, Comparable):
            return
        version, event, _ = self.newest[who]
        try:
            facts = [list(fact) for fact in self.adapter.facts(event, [Span(event, event)])]
        except (NotDelivered, CannotCompare) as error:
            raise _Failed(f"cannot be asked what stands: {error}") from None
        wanted = [event, version, answer.value]
        wrong = None if facts == [wanted] else f"what stands is {facts}, and it should be {wanted}"
        self._note("question", {"stands": wanted}, {"facts": facts}, wrong)

    @do.register
    def _keeps(self, _step: kinds.Keeps) -> None:
        if not isinstance(self.adapter, TakesReceipts):
            return
        until = time.monotonic() + self.patience
        while self.wanted.keys() - self.told.later.keys() and time.monotonic() < until:
            if not self._take(self.adapter):
                time.sleep(_LOOK_AGAIN)
        wrong = self._wrong_later()
        self._note("receipts", {"events": len(self.wanted)}, {"came": len(self.told.later)}, wrong)

    def _take(self, adapter: TakesReceipts) -> int:
        def keep(headers: Mapping[str, str], body: bytes, at: datetime) -> None:
            try:
                receipts = read_late_receipts(self.store, headers, body, at)
            except NotBelieved as error:
                raise Refused(error.reason) from None
            for receipt in receipts:
                if receipt.state is not State.ACCEPTED:
                    self.told.later.setdefault(receipt.event, receipt)

        try:
            return adapter.take_receipts(keep)
        except (NotDelivered, PortalError):
            return 0

    def _wrong_later(self) -> str | None:
        for event, version in sorted(self.wanted.items()):
            receipt = self.told.later.get(event)
            if receipt is None:
                return f"no receipt for event {event} in {self.patience:.0f} s"
            if receipt.state not in _OBEYED:
                return f"event {event} was answered {receipt.state.value}"
            if receipt.version != version:
                return f"event {event}: version {receipt.version} stands there, and it should be {version}"
        for event, states in sorted(self.unheard.items()):
            receipt = self.told.later.get(event)
            if receipt is not None and receipt.state not in states:
                return f"event {event}, which may not be obeyed, was answered {receipt.state.value}"
        return None

    def _note(self, what: str, sent: dict[str, Any], came_back: dict[str, Any], wrong: str | None) -> None:
        self.exchanges.append(Exchange(what, sent, came_back, wrong))
        if wrong is not None:
            raise _Failed(wrong)
