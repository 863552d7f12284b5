"""What a FHIR server is told and what it answers, as plain dictionaries. Pure.

One Consent per person (as the server knows them), choice and effort, under an id that we assign and that never
changes: the server's own history of it is the history of the decisions. The server counts its versions; ours, by which
the highest wins, stands in an extension. Each decision has one Provenance beside it (CON-08, CON-12).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from consent.as_fhir import SITE, as_consent, as_provenance
from consent.decision import Answer
from consent.receipts import State, StoreReceipt
from consent.stores.adapter import NotDelivered
from consent.stores.comparable import LARGEST, Fact
from consent.wire import StoreEvent
from vocabulary.resource import Resource

VERSION = f"{SITE}/StructureDefinition/decision-version"
DECISION = f"{SITE}/NamingSystem/decision"
EVENT = f"{SITE}/NamingSystem/event"
RUN = f"{SITE}/NamingSystem/event-run"
GRAIN = 256  # event numbers in a run; by runs a server can count, which is all that it can do for a comparison
UNSIGNED = "not signed by the store"
_GOOD = re.compile(r"20[01]( .*)?")
_ETAG = re.compile(r'(W/)?"[A-Za-z0-9.\-]{1,64}"')
_CODE = re.compile(r"[a-z][a-z-]{1,30}")


@dataclass(frozen=True)
class Held:
    """What stands on the server under one id: our version, decision and event in it, and its own version as an ETag."""

    version: int
    decision: str
    etag: str | None
    event: int = 0


def consent_id(store_id: str, event: StoreEvent) -> str:
    """The stable id of this person's Consent for this choice at this store."""
    subject = event.subject
    name = "|".join((store_id, event.system, event.value, subject.choice.value, subject.effort or ""))
    return _id_of(f"{SITE}/Consent/{name}")


@lru_cache(maxsize=1_024)  # asked three times for each event of a Bundle
def _id_of(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


def rounds(store_id: str, events: Sequence[StoreEvent], max_entries: int = 500) -> list[list[StoreEvent]]:
    """The events in order, cut so that none of two about the same Consent share a Bundle, and none is too large."""
    cut: list[list[StoreEvent]] = [[]]
    named: set[str] = set()
    for event in events:
        name = consent_id(store_id, event)
        if name in named or len(cut[-1]) >= max_entries // 2:
            cut.append([])
            named = set()
        cut[-1].append(event)
        named.add(name)
    return cut


def question(store_id: str, events: Sequence[StoreEvent]) -> Resource:
    """A batch that reads what stands there now."""
    reads = [{"request": {"method": "GET", "url": f"Consent/{consent_id(store_id, event)}"}} for event in events]
    return {"resourceType": "Bundle", "type": "batch", "entry": reads}


def held_now(events: Sequence[StoreEvent], answer: object) -> dict[int, Held]:
    """By event number, what the server said to `question`; an id that it does not know (or deleted) is left out."""
    found = {}
    for event, entry in zip(events, _entries(answer, "batch-response", len(events)), strict=True):
        status = str(entry["response"].get("status", ""))
        if status[:3] in ("404", "410"):
            continue
        resource = entry.get("resource")
        if not _GOOD.fullmatch(status) or not isinstance(resource, dict):
            raise NotDelivered(f"read-{_status(status)}", answered=True)
        found[event.number] = Held(
            _version_in(resource), _identifier(resource, DECISION), _evidence(entry), event_in(resource)
        )
    return found


def is_news(event: StoreEvent, held: Held | None) -> bool:
    """Whether the event belongs on the server: newer than what stands there, another decision at that version, or told
    again under a higher number."""
    if held is None:
        return True
    version = event.decision.version
    if version == held.version and held.decision != str(event.decision.id):
        return True
    return (version, event.number) > (held.version, held.event)


def told(store_id: str, events: Sequence[StoreEvent], held: Mapping[int, Held]) -> Resource:
    """The transaction: one Consent and one Provenance for each event. What stood there is named by `ifMatch`, so that
    a sender that was overtaken changes nothing."""
    entries: list[Resource] = []
    for event in events:
        name = consent_id(store_id, event)
        request: Resource = {"method": "PUT", "url": f"Consent/{name}"}
        stood = held.get(event.number)
        if stood is not None and stood.etag is not None:
            request["ifMatch"] = stood.etag
        entries.append({"resource": _consent(name, event), "request": request})
        provenance = _provenance(name, event)
        entries.append({"resource": provenance, "request": {"method": "PUT", "url": f"Provenance/{provenance['id']}"}})
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def receipts(events: Sequence[StoreEvent], answer: object) -> dict[int, StoreReceipt]:
    """A receipt for each event of `told`, from the server's version of its Consent; NotDelivered in any doubt."""
    entries = _entries(answer, "transaction-response", 2 * len(events))
    for entry in entries:
        status = str(entry["response"].get("status", ""))
        if not _GOOD.fullmatch(status):
            raise NotDelivered(f"entry-{_status(status)}{issue_code(entry['response'].get('outcome'))}", answered=True)
    return {
        event.number: receipt(event, event.decision.version, _evidence(entry))
        for event, entry in zip(events, entries[::2], strict=True)
    }


def receipt(event: StoreEvent, version: int, etag: str | None) -> StoreReceipt:
    """Applied: the Consent stands there, under the version named. Without a version there is no evidence."""
    if etag is None:
        raise NotDelivered("no-version", answered=True)
    return StoreReceipt(event.number, version, State.APPLIED, reference=f"Consent {etag}", reason=UNSIGNED)


def issue_code(outcome: object) -> str:
    """`-code` of an OperationOutcome's first issue, or nothing. Its text may name a person and is never kept."""
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    first = issues[0] if isinstance(issues, list) and issues else None
    code = first.get("code") if isinstance(first, dict) else None
    return f"-{code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _consent(name: str, event: StoreEvent) -> Resource:
    made = as_consent(event.decision, event.system, event.value, subject=event.subject, answer=event.answer)
    made["id"] = name
    del made["meta"]
    made["extension"] = [{"url": VERSION, "valuePositiveInt": event.decision.version}]
    made["identifier"] = [
        {"system": DECISION, "value": str(event.decision.id)},
        {"system": EVENT, "value": str(event.number)},
        {"system": RUN, "value": run_of(event.number, event.answer)},
    ]
    return made


def _provenance(name: str, event: StoreEvent) -> Resource:
    made = as_provenance(event.decision, event.system, event.value)
    made["id"] = str(uuid5(NAMESPACE_URL, f"{SITE}/Provenance/{name}/{event.decision.version}"))
    decision = {"system": DECISION, "value": str(event.decision.id)}
    made["target"] = [{"reference": f"Consent/{name}", "identifier": decision}]
    return made


def _entries(answer: object, kind: str, count: int) -> list[dict[str, Any]]:
    if not isinstance(answer, dict) or answer.get("resourceType") != "Bundle" or answer.get("type") != kind:
        raise NotDelivered("not-a-response-bundle", answered=True)
    entries = answer.get("entry")
    if not isinstance(entries, list) or len(entries) != count:
        raise NotDelivered("answers-other-entries", answered=True)
    if not all(isinstance(entry, dict) and isinstance(entry.get("response"), dict) for entry in entries):
        raise NotDelivered("entry-without-response", answered=True)
    return entries


def _version_in(resource: Mapping[str, Any]) -> int:
    """Our version in a Consent; 0 when somebody else wrote it, so that ours takes its place."""
    extensions = resource.get("extension")
    for each in extensions if isinstance(extensions, list) else []:
        if isinstance(each, dict) and each.get("url") == VERSION:
            value = each.get("valuePositiveInt")
            return value if isinstance(value, int) and not isinstance(value, bool) else 0
    return 0


def _identifier(resource: Mapping[str, Any], system: str) -> str:
    identifiers = resource.get("identifier")
    for each in identifiers if isinstance(identifiers, list) else []:
        if isinstance(each, dict) and each.get("system") == system:
            return str(each.get("value"))
    return ""


def event_in(resource: Mapping[str, Any]) -> int:
    """The number of the event that the Consent stands for; 0 when it has none of ours."""
    value = _identifier(resource, EVENT)
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 17 else 0
    return number if number < LARGEST else 0


def run_of(event: int, answer: Answer) -> str:
    """Which run of GRAIN event numbers, and the answer: what a server is asked to count."""
    return f"{event // GRAIN}-{answer.value}"


def fact_in(resource: object) -> Fact | None:
    """What a Consent on the server says is in force; None for one that is not ours."""
    if not isinstance(resource, dict) or not event_in(resource):
        return None
    nested = resource.get("provision")
    provisions = nested.get("provision") if isinstance(nested, dict) else None
    first = provisions[0] if isinstance(provisions, list) and provisions else None
    denies = isinstance(first, dict) and first.get("type") == "deny" and resource.get("status") == "active"
    return Fact(event_in(resource), _version_in(resource), (Answer.NO if denies else Answer.YES).value)


def _evidence(entry: Mapping[str, Any]) -> str | None:
    """The server's version as a weak ETag: of the response, or of the resource that came back."""
    etag = entry["response"].get("etag")
    if isinstance(etag, str) and _ETAG.fullmatch(etag):
        return etag
    resource = entry.get("resource")
    meta = resource.get("meta") if isinstance(resource, dict) else None
    made = f'W/"{meta.get("versionId")}"' if isinstance(meta, dict) else ""
    return made if _ETAG.fullmatch(made) else None


def _status(status: str) -> str:
    return status[:3] if status[:3].isascii() and status[:3].isdigit() else "unknown"
