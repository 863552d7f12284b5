"""The receiver: check, read, obey the highest version, answer with signed receipts. No HTTP server in here."""

from __future__ import annotations

import json
import secrets as randomness
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .memory import Memory
from .reading import Event, Message, NotUnderstood, read_message
from .signatures import is_genuine, sign

Receipt = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What goes back over HTTP."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class Receiver:
    """One data store.

    `secrets`: one `whsec_…`, or two while one replaces the other. `effort`: for a store of what people donate, the
    effort it belongs to. `systems`: the identifier systems by which you know people; an event under another names
    nobody here. `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        store_id: str,
        secrets: Sequence[str],
        memory: Memory,
        systems: Sequence[str],
        effort: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store_id, self.secrets, self.memory = store_id, tuple(secrets), memory
        self.systems, self.effort, self.clock = tuple(systems), effort, clock

    def take(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """One message. Nothing is read before the signature fits; a message is done as a whole or not at all."""
        given = {name.lower(): value for name, value in headers.items()}
        if not self.genuine(given, body):
            return Reply(401, b'{"error": "signature"}')
        try:
            message = read_message(given, body)
        except NotUnderstood:
            return Reply(422, b'{"error": "not understood"}')
        message_id = given["webhook-id"]
        with self.memory.change():
            answer = self.answered(message_id, body)
            if answer is None:
                answer = json.dumps(self.act(message))
                self.memory.remember(message_id, body, answer)
        return self.signed(message_id, answer)

    def may_take_in(self, system: str, value: str) -> bool:
        """Ask this for every person in every feed and load (the re-ingest rule). Donated data needs a standing yes."""
        code = self.code_of(system, value)
        if self.effort:
            standing = self.memory.standing(code, "donation", self.effort)
            return standing is not None and standing[1] == "yes"
        return not self.memory.is_kept_out(code)

    def genuine(self, headers: Mapping[str, str], body: bytes) -> bool:
        return is_genuine(self.secrets, headers, body, self.clock())

    def answered(self, message_id: str, body: bytes) -> str | None:
        return self.memory.answer_to(message_id, body)

    def act(self, message: Message) -> dict[str, Any]:
        if message.announced is not None:
            self.memory.note_announced(message.announced)
        receipts = {event.number: self.obey(event) for event in message.events}
        for number in receipts:
            self.memory.note_told(number)
        return {
            "store": self.store_id,
            "first": min(receipts, default=None),
            "last": max(receipts, default=None),
            "receipts": list(receipts.values()),
        }

    def obey(self, event: Event) -> Receipt:
        """The highest version wins, whatever order they come in; what is older is answered with what stands.

        The same version under a higher number is no retry: the portal found it not in force, and it is done again.
        """
        if (event.choice == "donation") != bool(self.effort) or event.effort != self.effort:
            return self.receipt(event, "refused", reason="not for this store")
        if event.system not in self.systems:
            return self.receipt(event, "not_found", reason="unknown identifier system")
        code = self.code_of(event.system, event.value)
        standing = self.memory.standing(code, event.choice, event.effort)
        if standing is not None and (standing[0], standing[2]["event"]) >= (event.version, event.number):
            return {**standing[2], "event": event.number}
        receipt = self.apply(event, code)
        if receipt["state"] != "ambiguous":  # somebody sorts it out, and then it is done on the next telling
            self.memory.stand(code, event.choice, event.effort, event.version, event.answer, receipt)
        return receipt

    def apply(self, event: Event, code: str) -> Receipt:
        if event.answer == "yes":
            self.memory.let_in(code)
            return self.receipt(event, "applied", stopped=False)
        self.memory.keep_out(code)
        if self.memory.records(code) > 1:  # more than one person under this identifier: a human has to look
            return self.receipt(event, "ambiguous", reason="more than one person", stopped=True)
        removed = self.memory.remove(code)
        state = "applied" if removed else "nothing-held"
        return self.receipt(event, state, removed=removed, stopped=True, keeps="suppression-key")

    def receipt(self, event: Event, state: str, **more: Any) -> Receipt:
        return {
            "event": event.number,
            "version": event.version,
            "state": state,
            "reference": f"REF-{randomness.token_hex(4)}",
            "at": datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="seconds"),
            **more,
        }

    def signed(self, message_id: str, answer: str) -> Reply:
        body = answer.encode()
        headers = {"content-type": "application/json", **sign(self.secrets, message_id, body, self.clock())}
        return Reply(200, body, headers)

    def code_of(self, system: str, value: str) -> str:
        return self.memory.code_of(system, value)
