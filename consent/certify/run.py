"""Runs the cases against one store, one after the other, and keeps what was sent and what came back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import singledispatchmethod
from typing import Any

from consent.certify import case as kinds
from consent.certify.case import Case, Craft, Expect, Tell
from consent.certify.door import DoorShut, TestDoor, TestMode
from consent.certify.forge import Message, event_of, greeting_of, message_of, signed
from consent.certify.judge import Answer, Asked, Judged, judge
from consent.certify.line import Line
from consent.certify.outcome import Exchange, Outcome, came_back, shown
from consent.receipts import State, StoreReceipt
from consent.store_config import Basis, Store
from consent.stores.comparable import Span
from consent.wire import StoreEvent
from vocabulary.errors import Refused


class NotInTestMode(Refused):
    """Nothing was sent but the question whether the store is in test mode."""


class _Failed(Exception):
    """The case ends here."""


@dataclass
class _Numbers:
    """The event numbers given out in this run."""

    next: int
    skipped: list[int] = field(default_factory=list)
    watched: set[int] = field(default_factory=set)

    def take(self, step: kinds.Say) -> list[int]:
        if step.fill:
            return [self.skipped.pop(0) for _ in step.tells]
        if step.skip:
            gap = range(self.next, self.next + step.skip)
            self.skipped += gap
            self.watched |= set(gap)
            self.next += step.skip
        return list(range(self.next, self.next + len(step.tells)))

    def used(self, numbers: Sequence[int]) -> None:
        self.next = max([self.next, *(number + 1 for number in numbers)])


def certify(
    store: Store, line: Line, clock: Callable[[], datetime], run: str, cases: Iterable[Case]
) -> Iterable[Outcome]:
    """Run the cases that concern `store`, in order. `run` is a word that no run had before.

    NotInTestMode when the store's test door does not say that it is in test mode: then it was told of nobody.
    """
    door = TestDoor(store, line, clock)
    try:
        mode = door.mode()
    except DoorShut as error:
        raise NotInTestMode(error.reason) from None
    numbers = _Numbers(mode.last + 1)
    for case in cases:
        if case.only in (None, store.basis):
            yield _Run(store, line, door, clock, f"{run}-{case.id}", mode, numbers).case(case)


@dataclass
class _Run:
    """One case under way."""

    store: Store
    line: Line
    door: TestDoor
    clock: Callable[[], datetime]
    run: str
    mode: TestMode
    numbers: _Numbers
    people: dict[str, str] = field(default_factory=dict)
    said: dict[str, tuple[Message, tuple[StoreReceipt, ...], list[StoreEvent]]] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    newest: dict[str, tuple[int, int]] = field(default_factory=dict)
    promised: set[int] = field(default_factory=set)
    exchanges: list[Exchange] = field(default_factory=list)
    count: int = 0

    def case(self, case: Case) -> Outcome:
        self.people = {who: named.format(run=self.run) for who, named in case.people.items()}
        self.numbers.watched = set()
        self.numbers.skipped = []
        reason = None
        try:
            for step in case.steps:
                self.do(step)
        except _Failed as failed:
            reason = str(failed)
        except DoorShut as shut:
            reason = shut.reason
        return Outcome(case, reason, tuple(self.exchanges))

    def value(self, who: str) -> str:
        return self.people.setdefault(who, f"{self.run}-{who}")

    @singledispatchmethod
    def do(self, step: kinds.Step) -> None:
        raise TypeError(type(step).__name__)

    @do.register
    def _holds(self, step: kinds.Holds) -> None:
        if self.store.basis is Basis.DONATION:
            self.do(kinds.Say((Tell(step.who, 1, kinds.YES),)))
        taken = self.door.feed(self.mode.system, self.value(step.who), step)
        self._note("feed", {"who": self.value(step.who), "entries": step.entries}, {"taken": taken},
                   None if taken else "the store did not take the person in")  # fmt: skip

    @do.register
    def _feeds(self, step: kinds.Feeds) -> None:
        taken = self.door.feed(self.mode.system, self.value(step.who), kinds.Holds(step.who))
        wrong = "the feed brought a removed person back" if taken else "the feed may bring the person, and did not"
        self._note("feed", {"who": self.value(step.who)}, {"taken": taken}, None if taken is step.taken else wrong)

    @do.register
    def _slips(self, step: kinds.Slips) -> None:
        if self.promised:  # else what was accepted would be done after the mistake, and mend it
            self._finish()
            self.promised.clear()
        taken = self.door.feed(self.mode.system, self.value(step.who), kinds.Holds(step.who), slip=True)
        self._note("mistake", {"who": self.value(step.who)}, {"taken": taken},
                   None if taken else "the test door did not make the mistake it was asked for")  # fmt: skip

    @do.register
    def _compares(self, step: kinds.Compares) -> None:
        if self.promised:
            self._finish()
        event, version = self.newest[step.who]
        facts = self.door.facts(Span(event, event))
        said = None if facts is None else [list(fact) for fact in facts]
        wanted = [event, version, step.answer.value]
        wrong = None if said in (None, [wanted]) else f"in force there is {said}, and it should be {wanted}"
        self._note("question", {"in force": wanted}, {"facts": said}, wrong)

    @do.register
    def _finds(self, step: kinds.Finds) -> None:
        if step.unless is not None and self.states.get(step.who) is step.unless:
            return
        if self.promised:
            self._finish()
        held = self.door.held(self.mode.system, self.value(step.who))
        wrong = None
        if step.entries is not None and held.entries != step.entries:
            wrong = f"{held.entries} entries are held, and it should be {step.entries}"
        elif step.version is not None and held.version != step.version:
            wrong = f"version {held.version} stands, and it should be {step.version}"
        elif step.answer is not None and held.answer != step.answer.value:
            wrong = f"the answer there is {held.answer}, and it should be {step.answer.value}"
        self._note("question", {"held of": self.value(step.who)}, dict(vars(held)), wrong)

    @do.register
    def _misses(self, step: kinds.Misses) -> None:
        known = self.door.missing() & self.numbers.watched
        wrong = None
        if step.some and known != self.numbers.watched:
            wrong = "the store does not know that it missed events"
        if not step.some and known:
            wrong = "the store still misses events that it was told"
        self._note("question", {"missed": sorted(self.numbers.watched)}, {"missing": sorted(known)}, wrong)

    @do.register
    def _keeps(self, _step: kinds.Keeps) -> None:
        if not self.promised:
            return
        left = self._finish()
        self._note("question", {"finish": len(self.promised)}, {"left": sorted(left)},
                   f"event {min(left)} was accepted and never confirmed" if left else None)  # fmt: skip

    def _finish(self) -> set[int]:
        """What was accepted and is not confirmed by the later receipts."""
        done = {
            receipt.get("event")
            for receipt in self.door.finish()
            if receipt.get("state") in (State.APPLIED, State.NOTHING_HELD)
        }
        return {number for number in self.promised if number not in done}

    @do.register
    def _greet(self, step: kinds.Greet) -> None:
        ahead = range(self.numbers.next, self.numbers.next + step.ahead)
        self.numbers.watched |= set(ahead)
        sent = greeting_of(self.store, self._id(), step.kind, self.numbers.next - 1 + step.ahead)
        self._exchange(sent, step.craft, step.expect, Asked(self.store, sent, kinds.OBEYED), step.kind)

    @do.register
    def _many(self, step: kinds.Many) -> None:
        tells = tuple(Tell(f"m{number}", 2) for number in range(step.count))
        self.do(kinds.Say(tells, states=kinds.OBEYED | {State.NOT_FOUND}))

    @do.register
    def _say(self, step: kinds.Say) -> None:
        if step.again:
            sent, earlier, events = self.said[step.again]
        else:
            events = self.said[step.same_events_as][2] if step.same_events_as else self._events(step)
            sent, earlier = message_of(self.store, self._id(), events, step.craft), ()
        poison = events[len(events) // 2].number if step.expect is Expect.REFUSED_OR_DOWN else None
        asked = Asked(self.store, sent, step.states, earlier, poison, step.removed)
        judged = self._exchange(sent, step.craft, step.expect, asked, "message")
        self._remember(events, judged.receipts)
        if step.name:
            self.said[step.name] = (sent, judged.receipts, events)

    def _remember(self, events: Sequence[StoreEvent], receipts: Sequence[StoreReceipt]) -> None:
        who = {value: name for name, value in self.people.items()}
        state = {receipt.event: receipt.state for receipt in receipts}
        for event in events:
            if event.number in state:
                self.states[who[event.value]] = state[event.number]
                self.newest[who[event.value]] = (event.number, event.decision.version)
        self.promised |= {number for number, each in state.items() if each is State.ACCEPTED}

    def _events(self, step: kinds.Say) -> list[StoreEvent]:
        numbers = self.numbers.take(step)
        return [self._event(tell, number) for tell, number in zip(step.tells, numbers, strict=True)]

    def _event(self, tell: Tell, number: int) -> StoreEvent:
        return event_of(self.store, tell, number, self.mode.system, self.value(tell.who), self.clock())

    @do.register
    def _slowly(self, step: kinds.Slowly) -> None:
        slow, fast = self._event(step.slow, self.numbers.next), self._event(step.meanwhile, self.numbers.next + 1)
        self.numbers.used([slow.number, fast.number])
        sent = message_of(self.store, self._id(), [slow], Craft.PLAIN)
        other = message_of(self.store, self._id(), [fast], Craft.PLAIN)
        asked = Asked(self.store, other, kinds.OBEYED)

        def meanwhile() -> None:
            # On a connection of its own: one that is kept may already have the store's only attention.
            answer = self.line.halting(signed(self.store, other, Craft.PLAIN, self.clock()), other.body, lambda: None)
            self._judged(answer, other, Craft.PLAIN, Expect.RECEIPTS, asked, "message while another is slow")

        headers = signed(self.store, sent, Craft.PLAIN, self.clock())
        answer = self.line.halting(headers, sent.body, meanwhile)
        wrong = f"answered {answer.status}" if answer.status >= 500 else None
        self._note("slow message", shown(sent, Craft.PLAIN), came_back(answer, ()), wrong)

    @do.register
    def _hang_up(self, step: kinds.HangUp) -> None:
        sent = message_of(self.store, self._id(), [self._event(step.tell, self.numbers.next)], Craft.PLAIN)
        answer = self.line.halting(signed(self.store, sent, Craft.PLAIN, self.clock()), sent.body, None)
        self._note("half a message", shown(sent, Craft.PLAIN), came_back(answer, ()), None)

    def _exchange(self, sent: Message, craft: Craft, expect: Expect, asked: Asked, what: str) -> Judged:
        answer = self.line.post(signed(self.store, sent, craft, self.clock()), sent.body)
        return self._judged(answer, sent, craft, expect, asked, what)

    def _judged(self, answer: Answer, sent: Message, craft: Craft, expect: Expect, asked: Asked, what: str) -> Judged:
        if answer.status == 200:
            self.numbers.used(list(sent.told))
        judged = judge(expect, asked, answer, self.clock())
        self._note(what, shown(sent, craft), came_back(answer, judged.receipts), judged.reason)
        return judged

    def _note(self, what: str, sent: dict[str, Any], came_back: dict[str, Any], wrong: str | None) -> None:
        self.exchanges.append(Exchange(what, sent, came_back, wrong))
        if wrong is not None:
            raise _Failed(wrong)

    def _id(self) -> str:
        self.count += 1
        return f"cert-{self.run}-{self.count}"
