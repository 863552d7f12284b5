"""Sends the lines of one delivery to an effort's store, in parts that a store can take at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin

from consent.store_config import Store
from consent.wire_signature import sign
from outbound.client import OutboundClient
from outbound.limits import Limits
from research.answer import MAX_ANSWER_BYTES, NotTaken, Taken, read_answer
from vocabulary.errors import PortalError

PART_BYTES = 4 * 1024 * 1024
LIMITS = Limits(connect_seconds=5, read_seconds=20, total_seconds=60, max_bytes=MAX_ANSWER_BYTES)


@dataclass(frozen=True)
class Parcel:
    """A delivery ready to go: the code under which the store knows the person, the highest version of theirs that the
    store knows (see `permission.version_to_send`), its own id."""

    subject: str
    version: int
    manifest: str
    lines: Sequence[bytes]


def donations_url(store: Store) -> str:
    """The sibling of the endpoint that takes donated data."""
    return urljoin(store.endpoint, "donations")


def parts_of(lines: Sequence[bytes], most: int = PART_BYTES) -> Iterator[list[bytes]]:
    """The lines in runs of at most `most` bytes (a longer line goes alone); equal lines give equal parts."""
    part: list[bytes] = []
    size = 0
    for line in lines:
        if part and size + len(line) > most:
            yield part
            part, size = [], 0
        part.append(line)
        size += len(line) + 1
    if part:
        yield part


def send(
    store: Store,
    http: OutboundClient,
    parcel: Parcel,
    clock: Callable[[], datetime],
    may_go_on: Callable[[], bool] = lambda: True,
) -> list[Taken]:
    """Send every part and check every answer; NotTaken at the first that is not believed.

    A part's message id is the delivery's own and its number: sent again it is known again and has no second effect.
    `may_go_on` is asked before each part, the first too, so that a no stops what has not gone yet.
    """
    answers = []
    for number, part in enumerate(parts_of(parcel.lines), start=1):
        if not may_go_on():
            raise NotTaken("stopped", answered=False)
        answers.append(_send_part(store, http, parcel, f"{parcel.manifest}.{number}", part, clock))
    return answers


def _send_part(
    store: Store,
    http: OutboundClient,
    parcel: Parcel,
    message_id: str,
    part: Sequence[bytes],
    clock: Callable[[], datetime],
) -> Taken:
    body = b"\n".join(part) + b"\n"
    url = donations_url(store)
    headers = {
        **sign(store.secrets, message_id, body, clock()),
        "content-type": "application/fhir+ndjson",
        "accept": "application/json",
        "portal-subject": parcel.subject,
        "portal-version": str(parcel.version),
        "portal-manifest": parcel.manifest,
    }
    try:
        answer = http.request("POST", url, headers=headers, body=body, within=url, limits=LIMITS)
    except PortalError as error:
        wait = getattr(error, "retry_after_seconds", None)
        raise NotTaken(error.reason, answered=False, wait_seconds=wait) from None
    return read_answer(
        store, message_id, parcel.manifest, len(part), answer.status, answer.headers, answer.body, clock()
    )
