"""What a record names and no search finds: persons and places by reference, and attached files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from fhir_bridge.retrieve.asking import Asker
from fhir_bridge.retrieve.at_once import AtOnce
from fhir_bridge.retrieve.files import FetchedFile, fetch_file
from fhir_bridge.retrieve.page import read_resource
from fhir_bridge.retrieve.plan import Plan
from fhir_bridge.retrieve.references import FileLink
from fhir_bridge.retrieve.shelf import Shelf
from fhir_bridge.retrieve.states import Dropped, State, TypeOutcome, state_of_refusal

FILE_TYPE = "Binary"
MOST_REFERENCED = 2000
MOST_FILES = 500


def referenced(asker: Asker, plan: Plan, base: str, shelf: Shelf, threads: AtOnce, *, whole: bool) -> list[TypeOutcome]:
    """Two rounds: a PractitionerRole names an Organization that nothing else may name. `whole`: the entries that could
    name them were all seen."""
    asked: dict[str, tuple[int | None, bool]] = {}

    def read(name: str) -> None:
        asked[name] = _read_one(asker, plan, base, shelf, name)

    for _round in range(2):
        for name in sorted(shelf.wanted - asked.keys())[: MOST_REFERENCED - len(asked)]:
            threads.put(0, partial(read, name))
        threads.run()
    unread = shelf.wanted - asked.keys()
    found = (_outcome_of(asker, kind, asked, unread, shelf) for kind in plan.referenced)
    return [shelf.done(replace(one, whole=whole)) for one in found]


def _read_one(asker: Asker, plan: Plan, base: str, shelf: Shelf, name: str) -> tuple[int | None, bool]:
    kind = name.split("/")[0]
    answer = asker.ask(f"{base.rstrip('/')}/{name}")
    page = read_resource(answer.body, kind, plan.patient_id, base)
    got = answer.status == 200 and bool(page.received)
    if got:
        shelf.keep(kind, list(page.received))
    return answer.status, got


def _outcome_of(
    asker: Asker, kind: str, asked: dict[str, tuple[int | None, bool]], unread: set[str], shelf: Shelf
) -> TypeOutcome:
    had = shelf.counts[kind]
    failed = [status for name, (status, got) in asked.items() if not got and name.startswith(f"{kind}/")]
    if had:
        cut = any(name.startswith(f"{kind}/") for name in unread)
        state = State.PARTIAL if failed or cut else State.OK
    else:
        state = state_of_refusal(failed[0], (), False) if failed else State.EMPTY
    return read_outcome(asker, kind, state, had, (), failed[0] if failed else None)


def files(
    asker: Asker,
    shelf: Shelf,
    threads: AtOnce,
    on_file: Callable[[FetchedFile], None],
    has_file: Callable[[FileLink], bool],
) -> TypeOutcome:
    """Fetch every attached file; those that could not be had are named by the entry they belong to (FHIR-11)."""
    links = list(shelf.files.values())
    there = [link for link in links if has_file(link)]
    waiting = [link for link in links if link not in set(there)]
    fetched = [FetchedFile(link, None, link.content_type, (), "too-many") for link in waiting[MOST_FILES:]]
    for one in fetched:
        on_file(one)

    def fetch(link: FileLink) -> None:
        found = fetch_file(asker, link)
        with shelf.lock:
            on_file(found)
            fetched.append(FetchedFile(link, None, found.content_type, found.problems, found.missing))

    for link in waiting[:MOST_FILES]:
        threads.put(0, partial(fetch, link))
    threads.run()
    dropped = tuple(
        Dropped(*one.link.owner.partition("/")[::2], f"file-{one.missing}") for one in fetched if one.missing
    )
    had = len(there) + len(fetched) - len(dropped)
    state = (State.PARTIAL if had else State.FAILED) if dropped else State.OK if had else State.EMPTY
    return read_outcome(asker, FILE_TYPE, state, had, dropped, None)


def read_outcome(
    asker: Asker, kind: str, state: State, count: int, dropped: tuple[Dropped, ...], status: int | None
) -> TypeOutcome:
    """The outcome of what is read one by one."""
    return TypeOutcome(kind, state, count, 0, min(count, 1), (), dropped, None, status, asker.clock.now())
