"""One retrieval: the patient first, every type at once, then what they refer to (FHIR-01 to FHIR-17)."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from fhir_bridge.retrieve.asking import Asker, Clock, Fetch
from fhir_bridge.retrieve.files import FetchedFile, fetch_file
from fhir_bridge.retrieve.offered import ask_offered
from fhir_bridge.retrieve.one_type import bring_in
from fhir_bridge.retrieve.page import Received, read_resource
from fhir_bridge.retrieve.plan import Plan, TypePlan, with_provenance
from fhir_bridge.retrieve.references import FileLink, file_links_in, references_in
from fhir_bridge.retrieve.states import Dropped, State, TypeOutcome, state_of_refusal

FILE_TYPE = "Binary"
AT_ONCE = 6
MOST_REFERENCED = 2000
MOST_FILES = 500
WAITING_BUDGET_SECONDS = 120.0


@dataclass(frozen=True)
class Sinks:
    """Where things go. Each is called by one thread at a time, so it may use one database session.

    `on_page(type, resources)`: as each page arrives; the same type and id may come again when a newer copy is found.
    `on_outcome`: when a type is finished. `on_file`: each attached file; None: files are not fetched.
    """

    on_page: Callable[[str, list[Received]], None]
    on_outcome: Callable[[TypeOutcome], None] = lambda _outcome: None
    on_file: Callable[[FetchedFile], None] | None = None


@dataclass(frozen=True)
class Retrieved:
    """What a retrieval came to: one outcome per type, the referenced types included."""

    outcomes: tuple[TypeOutcome, ...]

    @property
    def wrong_patient(self) -> tuple[Dropped, ...]:
        """Entries about another patient (FHIR-17); any at all is to be alarmed and audited."""
        return tuple(one for outcome in self.outcomes for one in outcome.dropped if one.reason == "wrong-patient")

    @property
    def token_refused(self) -> bool:
        """True when the server refused the token itself (401 after renewal): the person must connect again."""
        asked = [outcome for outcome in self.outcomes if outcome.http_status is not None]
        return bool(asked) and all(outcome.http_status == 401 for outcome in asked)

    @property
    def token_ended(self) -> bool:
        """True when the server refused the token at some point: what came after it is missing."""
        return any(outcome.http_status == 401 for outcome in self.outcomes)


@dataclass
class _Shelf:
    """What was received so far, shared by the threads."""

    sinks: Sinks
    base: str
    referenced_types: tuple[str, ...]
    lock: threading.Lock = field(default_factory=threading.Lock)
    known: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    files: dict[str, FileLink] = field(default_factory=dict)

    def keep(self, kind: str, received: list[Received]) -> list[Dropped]:
        fresh, older = [], []
        with self.lock:
            for one in received:
                digest = hashlib.sha256(one.raw).digest()
                seen = self.known.get((one.type, one.id))
                if seen is not None and seen[1] == digest:
                    continue
                if seen is not None and one.updated <= seen[0]:
                    older.append(Dropped(one.type, one.id, "older-copy"))
                    continue
                self.known[(one.type, one.id)] = (one.updated, digest)
                self.wanted |= references_in(one.resource, self.referenced_types, self.base)
                for link in file_links_in(one.resource, self.base):
                    self.files.setdefault(link.url, link)
                fresh.append(one)
            if fresh:
                self.sinks.on_page(kind, fresh)
        return older

    def done(self, outcome: TypeOutcome) -> TypeOutcome:
        with self.lock:
            self.sinks.on_outcome(outcome)
        return outcome


def retrieve_all(
    fetch: Fetch,
    plan: Plan,
    base: str,
    sinks: Sinks,
    *,
    renew: Callable[[], bool],
    clock: Clock,
    at_once: int = AT_ONCE,
    budget_seconds: float = WAITING_BUDGET_SECONDS,
) -> Retrieved:
    """Bring in everything in `plan` from the FHIR `base`.

    `renew` gets a new token (True) or cannot (False); it is called at most once. Raises only what a sink raises.
    """
    asker = Asker(fetch, renew, clock, budget_seconds)
    shelf = _Shelf(sinks, base, plan.referenced)
    with ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="retrieve") as pool:
        asked = pool.submit(ask_offered, asker, base)
        outcomes = [shelf.done(_patient(asker, plan, base, shelf))]
        offered = asked.result()
        types = with_provenance(plan.types, offered.revincluding) if plan.may_search_provenance else plan.types

        def one(type_plan: TypePlan) -> TypeOutcome:
            return shelf.done(
                bring_in(asker, base, plan.patient_id, type_plan, lambda got: shelf.keep(type_plan.type, got))
            )

        outcomes += [_with_included(outcome, shelf) for outcome in pool.map(one, types)]
        outcomes += _referenced(asker, plan, base, shelf, pool)
        if sinks.on_file is not None and plan.files:
            outcomes.append(shelf.done(_files(asker, shelf, pool, sinks.on_file)))
    return Retrieved(tuple(outcomes))


def _patient(asker: Asker, plan: Plan, base: str, shelf: _Shelf) -> TypeOutcome:
    if not plan.may_read_patient:
        return _read_outcome(asker, "Patient", State.NOT_AUTHORIZED, 0, (), None)
    answer = asker.ask(f"{base.rstrip('/')}/Patient/{quote(plan.patient_id, safe='')}")
    page = read_resource(answer.body, "Patient", plan.patient_id, base)
    if answer.status == 200 and page.received:
        shelf.keep("Patient", list(page.received))
        return _read_outcome(asker, "Patient", State.OK, 1, page.dropped, answer.status)
    state = state_of_refusal(answer.status, {notice.code for notice in page.notices}, False)
    return _read_outcome(asker, "Patient", state, 0, page.dropped if answer.status == 200 else (), answer.status)


def _with_included(outcome: TypeOutcome, shelf: _Shelf) -> TypeOutcome:
    """Provenance comes beside what it is about: a server without a search for it may have sent it all (FHIR-08)."""
    if outcome.type != "Provenance":
        return outcome
    had = sum(1 for kind, _id in list(shelf.known) if kind == outcome.type)  # a copy: other types still come in
    if had <= outcome.count:
        return outcome
    state = outcome.state if outcome.state in (State.PARTIAL, State.OK) else State.OK
    return shelf.done(replace(outcome, state=state, count=had, notices=(), http_status=200))


def _referenced(asker: Asker, plan: Plan, base: str, shelf: _Shelf, pool: ThreadPoolExecutor) -> list[TypeOutcome]:
    """Two rounds: a PractitionerRole names an Organization that nothing else may name."""
    asked: dict[str, tuple[int | None, bool]] = {}
    for _round in range(2):
        have = {f"{kind}/{identity}" for kind, identity in shelf.known}
        wanted = sorted(shelf.wanted - have - asked.keys())[: MOST_REFERENCED - len(asked)]
        results = list(pool.map(lambda name: _read_one(asker, plan, base, shelf, name), wanted))
        asked.update(zip(wanted, results, strict=True))
    return [
        shelf.done(
            _referenced_outcome(asker, kind, {n: r for n, r in asked.items() if n.startswith(f"{kind}/")}, shelf)
        )
        for kind in plan.referenced
    ]


def _read_one(asker: Asker, plan: Plan, base: str, shelf: _Shelf, name: str) -> tuple[int | None, bool]:
    kind = name.split("/")[0]
    answer = asker.ask(f"{base.rstrip('/')}/{name}")
    page = read_resource(answer.body, kind, plan.patient_id, base)
    got = answer.status == 200 and bool(page.received)
    if got:
        shelf.keep(kind, list(page.received))
    return answer.status, got


def _referenced_outcome(
    asker: Asker, kind: str, asked: dict[str, tuple[int | None, bool]], shelf: _Shelf
) -> TypeOutcome:
    had = sum(1 for known in shelf.known if known[0] == kind)
    failed = [status for name, (status, got) in asked.items() if not got and name.startswith(f"{kind}/")]
    unread = any(name.startswith(f"{kind}/") and name not in asked for name in shelf.wanted - _names(shelf))
    if had:
        state = State.PARTIAL if failed or unread else State.OK
    else:
        state = state_of_refusal(failed[0], (), False) if failed else State.EMPTY
    return _read_outcome(asker, kind, state, had, (), failed[0] if failed else None)


def _names(shelf: _Shelf) -> set[str]:
    return {f"{kind}/{identity}" for kind, identity in shelf.known}


def _read_outcome(
    asker: Asker, kind: str, state: State, count: int, dropped: tuple[Dropped, ...], status: int | None
) -> TypeOutcome:
    return TypeOutcome(kind, state, count, 0, min(count, 1), (), dropped, None, status, asker.clock.now())


def _files(
    asker: Asker, shelf: _Shelf, pool: ThreadPoolExecutor, on_file: Callable[[FetchedFile], None]
) -> TypeOutcome:
    """Fetch every attached file; those that could not be had are named by the entry they belong to (FHIR-11)."""
    links = list(shelf.files.values())
    fetched = [FetchedFile(link, None, link.content_type, (), "too-many") for link in links[MOST_FILES:]]
    for one in fetched:
        on_file(one)
    for one in pool.map(lambda link: fetch_file(asker, link), links[:MOST_FILES]):
        on_file(one)
        fetched.append(one)
    dropped = tuple(
        Dropped(*one.link.owner.partition("/")[::2], f"file-{one.missing}") for one in fetched if one.missing
    )
    had = len(fetched) - len(dropped)
    state = (State.PARTIAL if had else State.FAILED) if dropped else State.OK if had else State.EMPTY
    return _read_outcome(asker, FILE_TYPE, state, had, dropped, None)
