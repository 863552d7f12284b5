"""Decisions for data pipelines as the edge speaks them: single, batch and CDS Hooks. No authentication here.

The routes that call these stand behind a gate for backend clients (SMART Backend Services); a client may ask only for
the stores that are its own, which `stores` says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import orjson

from consent.decide.columns import Question, question_of
from consent.decide.decider import Decider
from consent.decide.lines import Form, Tally, answer_lines, blocks, bounded
from consent.decide.snapshot import Installation
from consent.duo.use import blocked_by
from consent.may_use import Reason
from patient_portal.settings import Settings
from patient_portal.wiring import Wiring, now
from vocabulary.errors import Invalid, NotFound, Unavailable

MOST_NAMES, MOST_BYTES, MOST_SINGLE = 1_000_000, 128 * 1024 * 1024, 8 * 1024
PLAIN, NDJSON, CSV = "text/plain", "application/x-ndjson", "text/csv"


def decider_of(wiring: Wiring) -> Decider:
    """The decider of this process; `wiring` is under the worker's login, which may read across persons."""
    return Decider(wiring.database, wiring.keyring, wiring.settings.stores, installation_of(wiring.settings), now)


def installation_of(settings: Settings) -> Installation:
    providers = settings.providers
    return Installation(
        frozenset(each.practice or f"{each.id}-main" for each in providers if each.cancerlinq_participant),
        {each.id: each.state for each in providers},
    )


def decide_one(decider: Decider, stores: Collection[str], body: bytes) -> dict[str, Any]:
    """Answer one question: `{"store", "class", "purpose", "id", "sensitive": […]}`. Invalid says what is wrong.

    A purpose in DUO's terms may bring `disease` and `modifiers`; which terms refuse the use is then in `blocked_by`.
    """
    asked = _object(body, MOST_SINGLE)
    question = _question(decider, stores, asked)
    name = asked.get("id")
    if not isinstance(name, str) or not name:
        raise Invalid("no-id")
    answer = decider.decide(question, name.encode())
    found = {"id": name, "allowed": answer.allowed, "reason": answer.reason.value, "position": answer.position}
    effort = decider.stores[question.store].effort
    if answer.reason is Reason.OTHER_USE and question.use is not None and effort is not None:
        found["blocked_by"] = [code.value for code in blocked_by(effort, question.use)]
    return found


def decide_batch(
    decider: Decider,
    stores: Collection[str],
    asked: Mapping[str, Any],
    body: Iterable[bytes],
    *,
    sent: str,
    wanted: str,
    gzipped: bool = False,
    tally: Tally | None = None,
) -> Iterator[bytes]:
    """Answer up to a million names: `asked` from the query, `sent` and `wanted` media types, the body as it comes.

    The whole body is read and answered before this returns: many clients send all before they read, and what cannot
    be read (Invalid) or checked (Unavailable) is then an error and never half a list. A million answers are held in
    memory, some 130 MB at most, and nothing on disk. `tally` is filled with the counts.
    """
    listed = {name: [n for n in asked.get(name, "").split(",") if n] for name in ("sensitive", "modifiers")}
    question = _question(decider, stores, {**asked, **listed})
    if sent not in (PLAIN, NDJSON, CSV):
        raise Invalid("unknown-media-type")
    form = {CSV: Form.CSV, PLAIN: Form.ALLOWED}.get(wanted, Form.NDJSON)
    runs = blocks(bounded(body, MOST_BYTES, gzipped=gzipped), ndjson=sent == NDJSON)
    tally = tally if tally is not None else Tally()
    pieces = list(answer_lines(decider, question, runs, form, tally, most=MOST_NAMES))
    if tally.reasons.get(Reason.NOT_CHECKED.value):
        raise Unavailable("position-not-checked", retry_after_seconds=1)
    return iter(pieces)


def _question(decider: Decider, stores: Collection[str], asked: Mapping[str, Any]) -> Question:
    words = [asked.get(name, "") for name in ("store", "class", "purpose", "disease")]
    lists = [asked.get(name, []) for name in ("sensitive", "modifiers")]
    if not all(isinstance(word, str) for word in words) or not all(isinstance(each, list) for each in lists):
        raise Invalid("not-a-question")
    if not all(isinstance(word, str) for each in lists for word in each):
        raise Invalid("not-a-question")
    if words[0] not in stores:
        raise NotFound("store")  # another client's store and none at all look the same
    store, category, purpose, disease = words
    sensitive, modifiers = lists
    return question_of(store, category, purpose, sensitive, decider.stores, disease=disease, modifiers=modifiers)


def _object(body: bytes, most: int) -> dict[str, Any]:
    if len(body) > most:
        raise Invalid("too-large")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("not-json") from None
    if not isinstance(found, dict):
        raise Invalid("not-an-object")
    return found
