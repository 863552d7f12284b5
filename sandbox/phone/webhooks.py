"""Delivers status callbacks and inbound texts to the portal in the background, each with a valid signature.

Source: Twilio, "Webhooks security": `X-Twilio-Signature` is base64(HMAC-SHA1(auth token, URL + sorted pairs)).
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from typing import Any

import requests
from defusedxml import ElementTree
from twilio.request_validator import RequestValidator

from sandbox.phone.behaviour import Behaviour
from sandbox.phone.config import PhoneConfig
from sandbox.phone.exchange import Exchange

TRIES = 5


class Webhooks:
    def __init__(self, config: PhoneConfig, exchange: Exchange, behaviour: Behaviour) -> None:
        self._config, self._exchange, self._behaviour = config, exchange, behaviour
        self._signer = RequestValidator(config.auth_token)
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="phone-webhooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout=5)

    def wake(self) -> None:
        self._wake.set()

    def plan_statuses(self, row: sqlite3.Row, error: int | None, now: float) -> None:
        """Queue queued, sent and the last word on one text, inside the caller's change."""
        last = "undelivered" if error else "delivered"
        steps = [("queued", None), ("sent", None), (last, error)]
        if self._behaviour.order == "reversed":
            steps.reverse()
        due = now
        for status, code in steps:
            due += self._config.delay_seconds
            for _ in range(1 + self._behaviour.duplicates):
                params = self._status_params(row, status, code)
                self._exchange.later(due, row["sid"], row["callback"], params, status)

    def _status_params(self, row: sqlite3.Row, status: str, error: int | None) -> dict[str, str]:
        params = {
            "AccountSid": self._config.account_sid,
            "ApiVersion": "2010-04-01",
            "From": row["from"] or self._config.number,
            "To": row["to"],
            "MessageSid": row["sid"],
            "SmsSid": row["sid"],
            "MessageStatus": status,
            "SmsStatus": status,
        }
        if row["service"]:
            params["MessagingServiceSid"] = row["service"]
        if error:
            params["ErrorCode"] = str(error)
        return params

    def plan_inbound(self, row: sqlite3.Row, opt_out_type: str | None, now: float) -> None:
        """Queue one text that a person sent, inside the caller's change."""
        params = {
            "AccountSid": self._config.account_sid,
            "ApiVersion": "2010-04-01",
            "Body": row["body"],
            "From": row["from"],
            "To": row["to"],
            "MessageSid": row["sid"],
            "SmsSid": row["sid"],
            "SmsMessageSid": row["sid"],
            "SmsStatus": "received",
            "MessagingServiceSid": self._config.messaging_service_sid,
            "NumMedia": "0",
            "NumSegments": "1",
        }
        if opt_out_type:
            params["OptOutType"] = opt_out_type
        url = f"{self._config.portal}/webhooks/twilio/inbound" if self._config.portal else None
        self._exchange.later(now, row["sid"], url, params)

    def _run(self) -> None:
        while not self._stopping.is_set():
            due = self._exchange.rows("SELECT * FROM step WHERE due <= ? ORDER BY due, id LIMIT 50", time.time())
            for step in due:
                if self._stopping.is_set():
                    return
                self._deliver(step)
            if not due:
                self._wake.wait(timeout=0.05)
                self._wake.clear()

    def _deliver(self, step: sqlite3.Row) -> None:
        answer = self._post(step) if step["url"] else None
        code = answer.status_code if answer is not None else None
        again = bool(step["url"]) and (code is None or code >= 500) and step["tries"] + 1 < TRIES
        with self._exchange.change():
            now = time.time()
            if step["status"] and step["tries"] == 0:
                self._exchange.advance(step["sid"], step["status"], step["error"], now)
            if again:
                pause = 0.2 * 2 ** step["tries"]
                self._exchange.run("UPDATE step SET tries = tries + 1, due = ? WHERE id = ?", now + pause, step["id"])
            else:
                self._exchange.run("DELETE FROM step WHERE id = ?", step["id"])
            self._exchange.run(
                "INSERT INTO delivered (at, sid, kind, status, answer) VALUES (?,?,?,?,?)",
                *(now, step["sid"], "status" if step["status"] else "inbound", step["status"], code),
            )
            if not step["status"] and answer is not None and code == 200:
                self._say_the_answer(json.loads(step["params"]), answer, now)

    def _post(self, step: sqlite3.Row) -> requests.Response | None:
        params: dict[str, str] = json.loads(step["params"])
        headers = {
            "X-Twilio-Signature": self._signer.compute_signature(step["url"], params),
            "I-Twilio-Idempotency-Token": step["token"],
            "User-Agent": "TwilioProxy/1.1",
        }
        try:
            return requests.post(step["url"], data=params, headers=headers, timeout=15, allow_redirects=False)
        except requests.RequestException:
            return None

    def _say_the_answer(self, params: dict[str, Any], answer: requests.Response, now: float) -> None:
        """Text the person whatever the portal's TwiML says; a person who said STOP gets none of it."""
        if self._exchange.is_stopped(params["From"]) and self._config.opt_out != "off":
            return
        for words in twiml_messages(answer):
            self._exchange.add(
                direction="outbound-reply",
                to=params["From"],
                sender=params["To"],
                service=self._config.messaging_service_sid,
                body=words,
                status="delivered",
                now=now,
            )


def twiml_messages(answer: requests.Response) -> list[str]:
    """The texts of the `<Message>` verbs in a TwiML answer; none when it is not TwiML."""
    if "xml" not in answer.headers.get("content-type", ""):
        return []
    try:
        root = ElementTree.fromstring(answer.content)
    except (ElementTree.ParseError, ValueError):
        return []
    found = []
    for message in root.findall("Message"):
        body = message.find("Body")
        words = ((body.text if body is not None else message.text) or "").strip()
        if words:
            found.append(words)
    return found
