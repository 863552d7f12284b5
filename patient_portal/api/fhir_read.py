"""FHIR R4 read and search over decisions, for stores and auditors: Consent with history, Provenance, AuditEvent.

R5 on request (`Accept: application/fhir+json; fhirVersion=5.0`, CON-14). Nothing can be written here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

import orjson
from flask import Blueprint, Response, request
from werkzeug.datastructures import MultiDict

from consent.as_fhir import as_consent, as_provenance
from consent.as_fhir_r5 import as_r5
from consent.audit import Audited, as_audit_event, read_audit, write_audit
from consent.consent_versions import ConsentVersion, consent_versions, newest_versions
from consent.feed.subscription import read_asked, subscription_events, subscription_status
from consent.history import read_history
from consent.read_for_reader import Named, find_by_decision, find_by_name
from consent.store_config import Store
from consent.wire import subscription_id
from database.context import as_nobody, as_persons, as_propagation
from patient_portal.api.app import caller, needs
from patient_portal.api.clients import ClientRole
from patient_portal.api.search import Page, parameters, searchset, updated_within
from patient_portal.wiring import now, wiring
from vocabulary.errors import Invalid, NotFound
from vocabulary.resource import Resource

blueprint = Blueprint("fhir_read", __name__, url_prefix="/fhir")
FHIR = "application/fhir+json"
BY_NAME = ("patient:identifier", "patient.identifier")


@blueprint.get("/Consent")
@needs("system/Consent.rs")
def search_consents() -> Response:
    """The Consents of one person, named as the caller knows them; the one last changed first."""
    asked = parameters(request.args, {*BY_NAME, "status", "_lastUpdated", "_count", "_offset"})
    named = _named(asked)
    found = [] if named is None else newest_versions(_versions(named, "Consent"))
    status = asked.get("status")
    kept = [each for each in found if status in (None, each.status) and updated_within(asked, each.updated)]
    return _fhir(searchset(request, [_consent(each, named) for each in kept if named], Page.of(asked)))


@blueprint.get("/Consent/<uuid:consent>")
@needs("system/Consent.rs")
def read_consent(consent: UUID) -> Response:
    """A Consent as it is now."""
    named, versions = _of(consent)
    return _one(_consent(versions[-1], named))


@blueprint.get("/Consent/<uuid:consent>/_history")
@needs("system/Consent.rs")
def consent_history(consent: UUID) -> Response:
    """Every version of a Consent, newest first (CON-08)."""
    named, versions = _of(consent)
    entries = [_history_entry(each, named) for each in reversed(versions)]
    return _fhir({"resourceType": "Bundle", "type": "history", "total": len(entries), "entry": entries})


@blueprint.get("/Consent/<uuid:consent>/_history/<int:version>")
@needs("system/Consent.rs")
def read_version(consent: UUID, version: int) -> Response:
    """One version of a Consent."""
    named, versions = _of(consent)
    for each in versions:
        if each.version == version:
            return _one(_consent(each, named))
    raise NotFound("version")


@blueprint.get("/Provenance/<uuid:decision>")
@needs("system/Provenance.rs")
def read_provenance(decision: UUID) -> Response:
    """Who made a decision, for whom and how (CON-12)."""
    named, versions = _of(decision, "Provenance")
    return _one(as_provenance(versions[0].decision, named.system, named.value))


@blueprint.get("/Provenance")
@needs("system/Provenance.rs")
def search_provenance() -> Response:
    """The Provenance of one Consent: `target=Consent/<id>`."""
    asked = parameters(request.args, {"target", "_count", "_offset"})
    match = re.fullmatch(r"Consent/([0-9a-f-]{36})(/_history/\d{1,9})?", asked.get("target", ""))
    if match is None:
        raise Invalid("target-missing")
    try:
        named, versions = _of(UUID(match.group(1)), "Provenance")
    except (NotFound, ValueError):
        return _fhir(searchset(request, [], Page.of(asked)))
    found = as_provenance(versions[0].decision, named.system, named.value)
    return _fhir(searchset(request, [found], Page.of(asked)))


@blueprint.get("/AuditEvent")
@needs("system/AuditEvent.rs")
def search_audit() -> Response:
    """Who acted on one person's choices and record, newest first; for auditors (CON-13)."""
    asked = parameters(request.args, {*BY_NAME, "_count", "_offset"})
    named = _named(asked)
    if named is None:
        return _fhir(searchset(request, [], Page.of(asked)))
    with wiring().database.begin(as_persons(named.person)) as session:
        rows = [as_audit_event(row) for row in read_audit(session, [named.person], limit=1_000)]
        _note(session, named, "AuditEvent")
    return _fhir(searchset(request, rows, Page.of(asked)))


@blueprint.get("/Subscription/<subscription>/$status")
@needs("system/Subscription.rs")
def status(subscription: str) -> Response:
    """How the caller's own subscription is (SUB-06)."""
    store = _own_store(subscription)
    with wiring().database.begin(as_nobody()) as session:
        return _fhir(subscription_status(session, [store]))


@blueprint.get("/Subscription/<subscription>/$events")
@needs("system/Subscription.rs")
def events(subscription: str) -> Response:
    """What the caller's store was told, by event number: for one that found a gap (SUB-05)."""
    store, parts = _own_store(subscription), wiring()
    asked = read_asked(parameters(request.args, {"eventsSinceNumber", "eventsUntilNumber", "content"}))
    with parts.database.begin(as_propagation()) as session:
        return _fhir(subscription_events(session, parts.keyring, store, asked, now()))


def _own_store(subscription: str) -> Store:
    store = _store()
    if store is None or not store.is_told or subscription != subscription_id(store.id):
        raise NotFound("subscription")
    return store


def _store() -> Store | None:
    """The store that the caller is; None for an auditor."""
    client = caller().client
    if client.role is ClientRole.AUDITOR:
        return None
    return next(store for store in wiring().settings.stores if store.id in client.stores)


def _named(asked: MultiDict[str, str]) -> Named | None:
    given = [asked[name] for name in BY_NAME if name in asked]
    if len(given) != 1 or "|" not in given[0]:
        raise Invalid("patient-identifier-missing")
    system, _, value = given[0].partition("|")
    if not system or not 1 <= len(value) <= 200:
        raise Invalid("patient-identifier-missing")
    parts = wiring()
    issuers = [provider.id for provider in parts.settings.providers]
    return find_by_name(parts.database, parts.keyring, _store(), issuers, system, value)


def _of(consent: UUID, kind: str = "Consent") -> tuple[Named, tuple[ConsentVersion, ...]]:
    parts = wiring()
    named = find_by_decision(parts.database, parts.keyring, _store(), consent)
    versions = _versions(named, kind).get(consent)
    if versions is None:
        raise NotFound("consent")
    return named, versions


def _versions(named: Named, kind: str) -> dict[UUID, tuple[ConsentVersion, ...]]:
    with wiring().database.begin(as_persons(named.person)) as session:
        history = read_history(session, [named.person])
        _note(session, named, kind)
    return consent_versions([entry.decision for entry in history], _store())


def _note(session: object, named: Named, kind: str) -> None:
    """Every reading is a line that the person sees (CON-13)."""
    client = caller().client
    line = Audited(named.person, "choices.read-by-program", "R", "program", actor_reference=client.id,
                   detail={"type": kind})  # fmt: skip
    write_audit(session, now(), line)  # type: ignore[arg-type]  # a session, as `begin` yields it


def _consent(each: ConsentVersion, named: Named) -> Resource:
    made = as_consent(
        each.decision, named.system, named.value, subject=each.subject, answer=each.answer, status=each.status
    )
    made["meta"] = {"versionId": str(each.version), "lastUpdated": _instant(each)}
    return as_r5(made) if _wants_r5() else made


def _instant(each: ConsentVersion) -> str:
    return each.updated.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _history_entry(each: ConsentVersion, named: Named) -> Resource:
    made = _consent(each, named)
    return {
        "fullUrl": f"{wiring().settings.api_base_url}/fhir/Consent/{made['id']}",
        "resource": made,
        "request": {"method": "POST" if each.status == "active" else "PUT", "url": f"Consent/{made['id']}"},
        "response": {"status": "201" if each.status == "active" else "200", "etag": f'W/"{each.version}"',
                     "lastModified": made["meta"]["lastUpdated"]},
    }  # fmt: skip


def _wants_r5() -> bool:
    asked = [dict(options).get("fhirVersion") for _, options in _accepted()]
    return "5.0" in asked


def _accepted() -> Sequence[tuple[str, dict[str, str]]]:
    from_header = request.headers.get("Accept", "")
    found = []
    for part in from_header.split(",")[:10]:
        kind, *options = [piece.strip() for piece in part.split(";")]
        found.append((kind, dict(option.split("=", 1) for option in options if "=" in option)))
    return found


def _one(resource: Resource) -> Response:
    response = _fhir(resource)
    meta = resource.get("meta", {})
    if "versionId" in meta:
        response.headers["ETag"] = f'W/"{meta["versionId"]}"'
    return response


def _fhir(resource: Resource) -> Response:
    version = "; fhirVersion=5.0" if _wants_r5() else "; fhirVersion=4.0"
    return Response(orjson.dumps(resource), content_type=FHIR + version)
