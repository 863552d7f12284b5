"""Sends the receipts that come after the answer, until the portal has taken them; they survive a kill -9."""

from __future__ import annotations

import json
import sqlite3
import threading

import requests

from sandbox.store.config import StoreConfig
from sandbox.store.memory import Memory
from sandbox.store.obey import now_text
from sandbox.store.signature import signed_headers

BATCH = 200
NEVER_TAKEN = (400, 404, 422)
_LONGEST_PAUSE = 30.0


class LateReceipts:
    """A thread that empties `owed`; a refusal or silence of the portal means: again, later."""

    def __init__(self, config: StoreConfig, memory: Memory) -> None:
        self._config, self._memory = config, memory
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._at_once = BATCH
        self._thread = threading.Thread(target=self._run, name=f"late-{config.id}", daemon=True)

    def start(self) -> None:
        if self._config.portal:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def wake(self) -> None:
        self._wake.set()

    def _run(self) -> None:
        pause = 0.5
        while not self._stopping.is_set():
            sent = self._send_one_batch()
            pause = min(pause * 2, _LONGEST_PAUSE) if sent is None else 0.5
            if not sent:
                self._wake.wait(timeout=pause if sent is None else 5.0)
                self._wake.clear()

    def _send_one_batch(self) -> int | None:
        """How many receipts the portal took; None when it did not take them."""
        waiting = self._memory.rows("SELECT * FROM owed WHERE state = 'send' ORDER BY event LIMIT ?", self._at_once)
        if not waiting:
            return 0
        receipts = [json.loads(row["receipt"]) for row in waiting]
        body = json.dumps(
            {
                "store": self._config.id,
                "first": min(receipt["event"] for receipt in receipts),
                "last": max(receipt["event"] for receipt in receipts),
                "receipts": receipts,
            }
        ).encode()
        # The rows decide the id, so that a batch sent again after a crash is recognised as the same one.
        message_id = f"late_{self._config.id}_{waiting[0]['id']}_{waiting[-1]['id']}"
        headers = {"content-type": "application/json", **signed_headers(self._config.secrets, message_id, body)}
        try:
            answer = requests.post(
                f"{self._config.portal}/webhooks/stores/{self._config.id}/receipts",
                data=body,
                headers=headers,
                timeout=15,
                allow_redirects=False,
            )
        except requests.RequestException:
            return None
        if answer.status_code in NEVER_TAKEN:
            return self._put_aside(waiting, answer.status_code)
        if not 200 <= answer.status_code < 300:
            return None
        with self._memory.change():
            for row in waiting:
                self._memory.run("DELETE FROM owed WHERE id = ?", row["id"])
        self._at_once = BATCH
        return len(waiting)

    def _put_aside(self, waiting: list[sqlite3.Row], status: int) -> int:
        """The portal will never take this: find the one receipt it objects to, put it aside, say so on the page."""
        if len(waiting) > 1:
            self._at_once = 1
            return len(waiting)
        with self._memory.change():
            self._memory.run("UPDATE owed SET state = 'unwanted' WHERE id = ?", waiting[0]["id"])
            self._memory.note(
                now_text(), f"The portal did not take the receipt of event {waiting[0]['event']} ({status})."
            )
        return 1
