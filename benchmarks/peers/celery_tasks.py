"""The Celery peer of W3: one task for each change, which posts one signed line. Runs in its own environment, without
the product: what it sends is in the task, so that it is measured at its best."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time

import requests
from celery import Celery  # type: ignore[import-not-found]  # lives in an environment of its own

app = Celery("peer", broker=os.environ["BROKER"])
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=64, broker_connection_retry_on_startup=True)
_KEY = base64.b64decode(os.environ["SECRET"].removeprefix("whsec_"))
_SESSION = requests.Session()


@app.task(name="tell")  # type: ignore[untyped-decorator]  # celery is not installed here
def tell(message_id: str, line: str) -> None:
    """Post one line and look at the answer."""
    stamp, body = str(int(time.time())), line.encode()
    mac = hmac.new(_KEY, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signed = {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        "content-type": "application/x-ndjson",
    }
    answer = _SESSION.post(os.environ["ENDPOINT"], body, headers=signed, timeout=20)
    answer.raise_for_status()
    if len(answer.json()["receipts"]) != 1:
        raise ValueError("no receipt")
