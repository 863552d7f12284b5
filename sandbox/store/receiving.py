"""The signed door: deliveries of decisions, donated data, and questions about what is held."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from flask import Blueprint, Response, request

from sandbox.store.comparing import NotAQuestion, compared, read_question
from sandbox.store.config import StoreConfig
from sandbox.store.donations import Donation, DonationRefused, read_lines, take_donation
from sandbox.store.faults import Faults
from sandbox.store.memory import Memory
from sandbox.store.obey import now_text, obey, person_code, refused
from sandbox.store.signature import is_genuine, signed_headers
from sandbox.store.test_door import TestDoor
from sandbox.store.wire import Event, NotUnderstood, read_events


class SignedDoor:
    """`POST /notifications`, `/donations`, `/holdings`, `/reconcile`; unsigned or forged means 401 and no change."""

    def __init__(self, config: StoreConfig, memory: Memory, faults: Faults) -> None:
        self._config, self._memory, self._faults = config, memory, faults

    def blueprint(self) -> Blueprint:
        made = Blueprint("receiving", __name__)
        made.before_request(self.check_signature)
        made.add_url_rule("/notifications", view_func=self.notifications, methods=["POST"])
        made.add_url_rule("/donations", view_func=self.donations, methods=["POST"])
        made.add_url_rule("/holdings", view_func=self.holdings, methods=["POST"])
        made.add_url_rule("/reconcile", view_func=self.reconcile, methods=["POST"])
        if self._config.test:
            made.add_url_rule("/test", view_func=self.test, methods=["POST"])
        return made

    def check_signature(self) -> Response | None:
        if not is_genuine(self._config.secrets, dict(request.headers), request.get_data()):
            return Response('{"error": "signature"}', status=401, content_type="application/json")
        return self._faults.before()

    def notifications(self) -> Response:
        try:
            events = read_events(request.content_type or "", request.get_data())
        except NotUnderstood as problem:
            return Response(json.dumps({"error": str(problem)}), status=422, content_type="application/json")
        with self._memory.change():
            _note_announced(self._memory)
            answer = _seen(self._memory)
            if answer is None:
                answer = json.dumps(self._obey_all(events))
                _remember(self._memory, answer)
        return self._signed(answer)

    def _obey_all(self, events: list[Event]) -> dict[str, Any]:
        receipts = []
        for event in events:
            state = self._faults.state_for(event.value)
            receipts.append(
                refused(self._config, self._memory, event, state) if state else obey(self._config, self._memory, event)
            )
        numbers = [event.number for event in events]
        return {
            "store": self._config.id,
            "first": min(numbers, default=None),
            "last": max(numbers, default=None),
            "receipts": receipts,
        }

    def donations(self) -> Response:
        if self._config.role != "effort":
            return Response('{"error": "not-an-effort"}', status=404, content_type="application/json")
        with self._memory.change():
            answer = _seen(self._memory)
            if answer is None:
                answer = json.dumps(_take(self._config, self._memory))
                _remember(self._memory, answer)
        return self._signed(answer)

    def holdings(self) -> Response:
        sent = request.get_json(silent=True, force=True)
        asked = sent.get("subjects", []) if isinstance(sent, dict) else []
        return self._signed(
            json.dumps({"store": self._config.id, "holdings": held_of(self._config, self._memory, asked)})
        )

    def test(self) -> Response:
        with self._memory.change():
            answer = TestDoor(self._config, self._memory).answer(request.get_json(silent=True, force=True))
        if answer is None:
            return Response('{"error": "unknown question"}', status=422, content_type="application/json")
        return self._signed(json.dumps(answer))

    def reconcile(self) -> Response:
        try:
            asked = read_question(request.get_json(silent=True, force=True))
        except NotAQuestion:
            return Response('{"error": "question"}', status=422, content_type="application/json")
        with self._memory.change():
            found = json.dumps(compared(self._config, self._memory, asked))
        return self._signed(found)

    def _signed(self, answer: str) -> Response:
        body = answer.encode()
        return self._faults.after(body, signed_headers(self._config.secrets, request.headers["webhook-id"], body))


def _take(config: StoreConfig, memory: Memory) -> dict[str, Any]:
    manifest = request.headers.get("portal-manifest", "")
    answer: dict[str, Any] = {"store": config.id, "manifest": manifest, "receipts": [], "at": now_text()}
    try:
        donation = Donation(
            subject=_header("portal-subject"),
            version=_version(_header("portal-version")),
            manifest=_header("portal-manifest"),
            lines=read_lines(request.get_data()),
        )
        received = take_donation(config, memory, donation)
    except DonationRefused as refusal:
        memory.note(now_text(), f"Refused a donation: {refusal.reason}.")
        return {**answer, "state": "refused", "reason": refusal.reason, "received": 0}
    return {**answer, "state": "applied", "received": received}


def _header(name: str) -> str:
    if not request.headers.get(name):
        raise DonationRefused("headers-missing")
    return request.headers[name]


def _version(text: str) -> int:
    if not text.isdecimal():
        raise DonationRefused("headers-missing")
    return int(text)


def held_of(config: StoreConfig, memory: Memory, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is held of each person asked for, for reconciliation: entries, suppression, newest versions known."""
    found = []
    for one in asked:
        code = person_code(config, memory, str(one.get("system") or ""), str(one.get("value")))
        standing = memory.rows("SELECT choice, effort, version, answer FROM standing WHERE code = ?", code)
        found.append(
            {
                "system": one.get("system"),
                "value": one.get("value"),
                "entries": memory.entries_of(code),
                "suppressed": memory.is_suppressed(code),
                "standing": [dict(row) for row in standing],
                "effects": [
                    dict(row)
                    for row in memory.rows(
                        "SELECT event, choice, effort, version, answer FROM effect WHERE code = ? ORDER BY id", code
                    )
                ],
            }
        )
    return found


def _note_announced(memory: Memory) -> None:
    """A handshake or heartbeat names the last event given out: more than came means that some were missed (SUB-06)."""
    announced = request.headers.get("portal-events", "")
    if announced.isascii() and announced.isdigit() and int(announced) > int(memory.fact("announced") or 0):
        memory.set_fact("announced", announced)


def _body_hash() -> str:
    return hashlib.sha256(request.get_data()).hexdigest()


def _seen(memory: Memory) -> str | None:
    """The answer given before to this very message; the id table is permanent."""
    found = memory.rows(
        "SELECT answer FROM seen WHERE webhook_id = ? AND body_hash = ?", request.headers["webhook-id"], _body_hash()
    )
    return str(found[0]["answer"]) if found else None


def _remember(memory: Memory, answer: str) -> None:
    memory.run("INSERT INTO seen VALUES (?, ?, ?)", request.headers["webhook-id"], _body_hash(), answer)
