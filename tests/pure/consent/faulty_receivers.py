"""Receivers with one fault each, made from the kit's, and the one case of the certification that concerns each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from clients.receiver_kit.comparing import Comparing, Fact
from clients.receiver_kit.memory import Memory
from clients.receiver_kit.reading import Event, Message
from clients.receiver_kit.receiver import Receipt, Receiver, Reply
from clients.receiver_kit.signatures import is_genuine
from consent.certify.forge import STRANGER

Headers = Mapping[str, str]
FAULTS: dict[str, type[Receiver]] = {}
"""By the id of the case that each fails."""
REJECTED = Reply(422, b"{}")


def fails(case: str) -> Callable[[type[Receiver]], type[Receiver]]:
    def named(kind: type[Receiver]) -> type[Receiver]:
        FAULTS[case] = kind
        return kind

    return named


# --- signatures ------------------------------------------------------------------------------------------------------


@fails("unsigned")
class BelievesTheUnsigned(Receiver):
    def genuine(self, headers: Headers, body: bytes) -> bool:
        return "webhook-signature" not in headers or super().genuine(headers, body)


@fails("forged")
class KnowsAStranger(Receiver):
    def genuine(self, headers: Headers, body: bytes) -> bool:
        known = "portal-notification" not in headers and is_genuine([STRANGER], headers, body, self.clock())
        return known or super().genuine(headers, body)


@fails("no-time")
class NeedsNoTime(Receiver):
    def genuine(self, headers: Headers, body: bytes) -> bool:
        return not headers.get("webhook-timestamp", "").isdigit() or super().genuine(headers, body)


@fails("unknown-scheme")
class TakesAnyScheme(Receiver):
    def genuine(self, headers: Headers, body: bytes) -> bool:
        as_v1 = headers.get("webhook-signature", "").replace("v2,", "v1,")
        return super().genuine({**headers, **({"webhook-signature": as_v1} if as_v1 else {})}, body)


@fails("other-body")
class DoesNotCoverTheEnd(Receiver):
    def genuine(self, headers: Headers, body: bytes) -> bool:
        return super().genuine(headers, body) or super().genuine(headers, body + b" ")


@fails("other-id")
class DoesNotCoverTheId(Receiver):
    def genuine(self, headers: Headers, body: bytes) -> bool:
        short = {**headers, "webhook-id": headers["webhook-id"].removesuffix("-b")}
        return super().genuine(headers, body) or super().genuine(short, body)


class _AnotherClock(Receiver):
    offset = 0

    def genuine(self, headers: Headers, body: bytes) -> bool:
        wrong = is_genuine(self.secrets, headers, body, self.clock() + self.offset)
        return wrong or super().genuine(headers, body)


@fails("stale")
class TakesWhatIsOld(_AnotherClock):
    offset = -360


@fails("future")
class TakesWhatIsToCome(_AnotherClock):
    offset = 360


@fails("year-old")
class ComparesTheDayOnly(_AnotherClock):
    offset = -366 * 86_400


class _OneSignature(Receiver):
    place = 0

    def genuine(self, headers: Headers, body: bytes) -> bool:
        one = headers.get("webhook-signature", "").split(" ")[self.place]
        return super().genuine({**headers, "webhook-signature": one}, body)


@fails("two-secrets-new-first")
class LooksAtTheFirst(_OneSignature):
    place = 0


@fails("two-secrets-old-last")
class LooksAtTheLast(_OneSignature):
    place = -1


@fails("heartbeat-forged")
class BelievesAnyHeartbeat(Receiver):
    def genuine(self, headers: Headers, body: bytes) -> bool:
        return headers.get("portal-notification") == "heartbeat" or super().genuine(headers, body)


# --- the channel and the event numbers -------------------------------------------------------------------------------


@fails("handshake-again")
class GreetsOnce(Receiver):
    greeted = 0

    def take(self, headers: Headers, body: bytes) -> Reply:
        greets = headers.get("portal-notification") == "handshake"
        self.greeted += greets
        return REJECTED if greets and self.greeted == 3 else super().take(headers, body)


@fails("heartbeat-ahead")
class DoesNotCompareHeartbeats(Receiver):
    def act(self, message: Message) -> dict[str, Any]:
        return super().act(replace(message, announced=None))


@fails("gap")
class SeesNoHoles(Receiver):
    def act(self, message: Message) -> dict[str, Any]:
        answer = super().act(message)
        if message.events:
            self.memory.run("DELETE FROM told")
            self.memory.run("INSERT INTO told VALUES (1, ?)", max(event.number for event in message.events))
        return answer


@fails("gap-filled")
class NeverClosesAHole(Receiver):
    def act(self, message: Message) -> dict[str, Any]:
        runs = self.memory.rows("SELECT * FROM told")
        late = any(event.number < self.memory.last_told() for event in message.events)
        answer = super().act(message)
        if late:
            self.memory.run("DELETE FROM told")
            for first, last in runs:
                self.memory.run("INSERT INTO told VALUES (?, ?)", first, last)
        return answer


# --- the same again, and versions ------------------------------------------------------------------------------------


@fails("duplicate")
class HasNoIdTable(Receiver):
    def answered(self, message_id: str, body: bytes) -> str | None:
        self.memory.run("DELETE FROM message WHERE id = ?", message_id)
        return None

    def obey(self, event: Event) -> Receipt:
        standing = self.memory.standing(self.code_of(event.system, event.value), event.choice, event.effort)
        if standing is not None and standing[:2] == (event.version, event.answer):
            return self.apply(event, self.code_of(event.system, event.value))
        return super().obey(event)


@fails("duplicate-new-id")
class TakesANumberOnce(Receiver):
    def obey(self, event: Event) -> Receipt:
        told = self.memory.rows("SELECT 1 FROM told WHERE ? BETWEEN first AND last", event.number)
        return self.receipt(event, "refused", reason="known") if told else super().obey(event)


@fails("duplicate-in-batch")
class RefusesTheSecond(Receiver):
    def act(self, message: Message) -> dict[str, Any]:
        answer = super().act(message)
        numbers = [event.number for event in message.events]
        twice = [event for event in message.events if numbers.count(event.number) > 1][1:]
        answer["receipts"] += [self.receipt(event, "refused", reason="twice") for event in twice]
        return answer


class _Versions(Receiver):
    """`wins` says whether an event that is not newer than what stands is obeyed all the same."""

    under_way: frozenset[int] = frozenset()

    def act(self, message: Message) -> dict[str, Any]:
        self.under_way = frozenset(event.number for event in message.events)
        return super().act(message)

    def wins(self, event: Event, version: int, answer: str, *, same_message: bool) -> bool:
        raise NotImplementedError

    def obey(self, event: Event) -> Receipt:
        code = self.code_of(event.system, event.value)
        standing = self.memory.standing(code, event.choice, event.effort)
        if standing is not None:
            same = standing[2]["event"] in self.under_way
            if self.wins(event, standing[0], standing[1], same_message=same):
                receipt = self.apply(event, code)
                self.memory.stand(code, event.choice, event.effort, event.version, event.answer, receipt)
                return receipt
        return super().obey(event)


@fails("version-back")
class LetsAnOlderYesWin(_Versions):
    def wins(self, event: Event, version: int, answer: str, *, same_message: bool) -> bool:
        return event.version == version - 1 and event.answer == "yes" and not same_message


@fails("no-after-newer-yes")
class LetsAnyNoWin(_Versions):
    def wins(self, event: Event, version: int, answer: str, *, same_message: bool) -> bool:
        return event.version < version and (event.answer, answer) == ("no", "yes")


@fails("disorder-in-batch")
class LetsTheLastWin(_Versions):
    def wins(self, event: Event, version: int, answer: str, *, same_message: bool) -> bool:
        return same_message and event.version < version


@fails("same-version")
class LetsTheSameVersionWin(_Versions):
    def wins(self, event: Event, version: int, answer: str, *, same_message: bool) -> bool:
        return event.version == version and event.answer != answer and not same_message


class _DoesSeenMessagesAgain(Receiver):
    seen, wanted = False, ""

    def answered(self, message_id: str, body: bytes) -> str | None:
        answer = super().answered(message_id, body)
        self.seen = answer is not None and f'"answer":"{self.wanted}"'.encode() in body
        if self.seen:
            self.memory.run("DELETE FROM message WHERE id = ?", message_id)
        return None if self.seen else answer

    def obey(self, event: Event) -> Receipt:
        code = self.code_of(event.system, event.value)
        standing = self.memory.standing(code, event.choice, event.effort)
        if not self.seen or standing is None or standing[0] == event.version:
            return super().obey(event)
        receipt = self.apply(event, code)
        self.memory.stand(code, event.choice, event.effort, event.version, event.answer, receipt)
        return receipt


@fails("replayed-yes")
class DoesAnOldYesAgain(_DoesSeenMessagesAgain):
    wanted = "yes"


@fails("replayed-no")
class DoesAnOldNoAgain(_DoesSeenMessagesAgain):
    wanted = "no"


@fails("order-in-batch")
class TakesOnePerPerson(Receiver):
    def act(self, message: Message) -> dict[str, Any]:
        first: dict[str, Event] = {}
        for event in message.events:
            first.setdefault(event.value, event)
        answer = super().act(replace(message, events=tuple(first.values())))
        known = {receipt["event"]: receipt for receipt in answer["receipts"]}
        later = [event for event in message.events if event.number not in known]
        for event in later:
            self.memory.note_told(event.number)
        answer["receipts"] += [self.receipt(event, "applied", removed=0) for event in later]
        return answer


@fails("version-far")
class ComparesVersionsAsText(Receiver):
    def obey(self, event: Event) -> Receipt:
        standing = self.memory.standing(self.code_of(event.system, event.value), event.choice, event.effort)
        if standing is not None and standing[0] != event.version and str(standing[0]) >= str(event.version):
            return {**standing[2], "event": event.number, "version": max(event.version, standing[0])}
        return super().obey(event)


@fails("told-again")
class TakesAVersionOnce(Receiver):
    def obey(self, event: Event) -> Receipt:
        standing = self.memory.standing(self.code_of(event.system, event.value), event.choice, event.effort)
        if standing is not None and standing[0] >= event.version:
            return {**standing[2], "event": event.number}
        return super().obey(event)


class _MiscountsVersions(Comparing):
    def _within(self, first: int, last: int) -> list[Fact]:
        found = super()._within(first, last)
        return [(event, 1 if version == 3 else version, answer) for event, version, answer in found]


class _SaysWhatItWasTold(Comparing):
    def _within(self, first: int, last: int) -> list[Fact]:
        rows = self._receiver.memory.rows("SELECT json_extract(receipt, '$.event'), version, answer FROM standing")
        return sorted((event, version, answer) for event, version, answer in rows if first <= event <= last)


@fails("compared")
class ComparesWrongly(Receiver):
    comparing = _MiscountsVersions


@fails("compared-truly")
class ComparesItsMemory(Receiver):
    comparing = _SaysWhatItWasTold


# --- obeying ---------------------------------------------------------------------------------------------------------


@fails("removed-count")
class CountsPeople(Receiver):
    def receipt(self, event: Event, state: str, **more: Any) -> Receipt:
        return super().receipt(event, state, **{**more, **({"removed": 1} if more.get("removed") else {})})


@fails("promise-kept")
class PromisesOnly(Receiver):
    def receipt(self, event: Event, state: str, **more: Any) -> Receipt:
        return super().receipt(event, "accepted" if state in ("applied", "nothing-held") else state, **more)


class _Identifiers(Receiver):
    def code_of(self, system: str, value: str) -> str:
        return super().code_of(system, self.named(value))

    def named(self, value: str) -> str:
        raise NotImplementedError


@fails("close-identifiers")
class DropsZeros(_Identifiers):
    def named(self, value: str) -> str:
        return re.sub(r"-0+(?=\d)", "-", value)


@fails("case-of-letters")
class DropsCase(_Identifiers):
    def named(self, value: str) -> str:
        return value.lower()


@fails("unicode")
class KnowsOneAlphabet(Receiver):
    def obey(self, event: Event) -> Receipt:
        return super().obey(event) if event.value.isascii() else self.receipt(event, "not_found")


@fails("other-system")
class IgnoresTheSystem(Receiver):
    def obey(self, event: Event) -> Receipt:
        return super().obey(replace(event, system=self.systems[0]))


@fails("ambiguous")
class TakesTheFirstOfTwo(Receiver):
    def apply(self, event: Event, code: str) -> Receipt:
        if self.memory.records(code) > 1:
            self.memory.run("DELETE FROM record WHERE id = (SELECT min(id) FROM record WHERE code = ?)", code)
            return self.receipt(event, "applied", removed=3)
        return super().apply(event, code)


@fails("kept-out")
class LetsTheRemovedBack(Receiver):
    def apply(self, event: Event, code: str) -> Receipt:
        held = self.memory.entries(code)
        receipt = super().apply(event, code)
        if held:
            self.memory.let_in(code)
        return receipt


@fails("kept-out-unseen")
class ForgetsThoseItNeverHeld(Receiver):
    def apply(self, event: Event, code: str) -> Receipt:
        held = self.memory.entries(code)
        receipt = super().apply(event, code)
        if not held:
            self.memory.let_in(code)
        return receipt


@fails("let-in-again")
class NeverLetsInAgain(Receiver):
    def apply(self, event: Event, code: str) -> Receipt:
        was_out = self.memory.is_kept_out(code)
        receipt = super().apply(event, code)
        if was_out:
            self.memory.keep_out(code)
        return receipt


@fails("not-its-business")
class ObeysWhatIsNotItsOwn(Receiver):
    def obey(self, event: Event) -> Receipt:
        return super().obey(replace(event, choice="cancerlinq", effort=""))


# --- the form --------------------------------------------------------------------------------------------------------


class _Bodies(Receiver):
    """Reads another body, or content type, than it was sent; the signature is that of what was sent."""

    sent: tuple[Headers, bytes] | None = None

    def genuine(self, headers: Headers, body: bytes) -> bool:
        return super().genuine(*(self.sent or (headers, body)))

    def take(self, headers: Headers, body: bytes) -> Reply:
        given = {name.lower(): value for name, value in headers.items()}
        self.sent = (given, body)
        try:
            return super().take(*self.read_as(given, body))
        finally:
            self.sent = None

    def read_as(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        raise NotImplementedError


@fails("cut")
class PassesOverBrokenLines(_Bodies):
    def read_as(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        whole = [line for line in body.splitlines(keepends=True) if not line.startswith(b"{") or line.endswith(b"\n")]
        return headers, b"".join(whole)


@fails("wrong-type")
class IgnoresTheType(_Bodies):
    def read_as(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        return {**headers, "content-type": "application/x-ndjson"}, body


@fails("garbage")
class AnswersAnything(Receiver):
    def take(self, headers: Headers, body: bytes) -> Reply:
        reply = super().take(headers, body)
        broken = reply.status == 422 and body.startswith(b"[")
        return Reply(200, b"{}") if broken else reply


@fails("unknown-kind")
class TakesWhatItDoesNotKnow(_Bodies):
    def read_as(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        return headers, body.replace(b"weather", b"cancerlinq") if body.count(b"\n") == 1 else body


@fails("poisoned")
class DropsWhatItDoesNotKnow(_Bodies):
    def read_as(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        lines = body.splitlines(keepends=True)
        return headers, b"".join(line for line in lines if len(lines) == 1 or b"weather" not in line)


@fails("empty")
class FallsOverNothing(Receiver):
    def take(self, headers: Headers, body: bytes) -> Reply:
        empty = not body and "portal-notification" not in headers
        return Reply(500) if empty else super().take(headers, body)


@fails("extra-fields")
class KnowsItsFieldsOnly(Receiver):
    def take(self, headers: Headers, body: bytes) -> Reply:
        return REJECTED if b'"later"' in body else super().take(headers, body)


def memory() -> Memory:
    return Memory(":memory:")
