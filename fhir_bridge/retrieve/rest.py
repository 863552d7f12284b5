"""What the searches did not give, from `Patient/$everything` or from an export of one patient, where one is offered.

Searches come first: they show the first entries within moments, where an export is prepared for minutes. What comes
twice is the same entry by type, id and content (FHIR-15).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from fhir_bridge.retrieve.asking import FHIR_JSON, Asker
from fhir_bridge.retrieve.json_body import Parsed, parse
from fhir_bridge.retrieve.one_type import Asking, TypeRun
from fhir_bridge.retrieve.page import read_lines
from fhir_bridge.retrieve.paging import absolute
from fhir_bridge.retrieve.plan import COUNT, Plan, Search, TypePlan
from fhir_bridge.retrieve.retry import told_to_wait
from fhir_bridge.retrieve.shelf import Shelf
from fhir_bridge.retrieve.states import Dropped, State, TypeOutcome, state_of_refusal

EVERYTHING, EXPORT = "Patient/everything", "Patient/export"
LACKING = frozenset({State.FAILED, State.NOT_SUPPORTED})
KICK_OFF = FHIR_JSON | {"Prefer": "respond-async"}
LONGEST_EXPORT_SECONDS = 900.0
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 1.0, 30.0
MOST_PARTS = 200


@dataclass(frozen=True)
class _Got:
    """How asking for the rest went, and what was left out."""

    state: State
    dropped: tuple[Dropped, ...] = ()
    status: int | None = 200


def the_rest(
    asking: Asking, plan: Plan, shelf: Shelf, outcomes: Sequence[TypeOutcome], follow: Callable[[TypeRun], None]
) -> list[TypeOutcome]:
    """The outcomes with what `$everything` or an export added; `follow` takes a run's steps to their end."""
    offered = asking.offered
    lacking = {one.type for one in outcomes if one.state in LACKING and one.type in plan.granted} & offered.types
    wanted = sorted(lacking | (set(plan.others) & offered.types))
    if not wanted or not offered.operations & {EVERYTHING, EXPORT}:
        return list(outcomes)
    had = dict(shelf.counts)
    if EVERYTHING in offered.operations:
        got = _everything(asking, plan, wanted, follow)
    else:
        got = _export(asking, plan, wanted, shelf)
    found = [_better(one, shelf, had, got) if one.type in lacking else one for one in outcomes]
    now = asking.asker.clock.now()
    for kind in wanted:
        count = shelf.counts[kind]
        if kind not in lacking and (count or got.state not in (State.OK, State.EMPTY)):
            dropped = tuple(one for one in got.dropped if one.type == kind)
            state = State.OK if count and got.state is State.OK else State.PARTIAL if count else got.state
            found.append(shelf.done(TypeOutcome(kind, state, count, 0, 1, (), dropped, None, got.status, now)))
    return found


def _better(outcome: TypeOutcome, shelf: Shelf, had: dict[str, int], got: _Got) -> TypeOutcome:
    """A type whose searches failed: in part, at most, for nobody says that the rest was all of it."""
    count = shelf.counts[outcome.type]
    if count == had.get(outcome.type, 0):
        return outcome
    dropped = (*outcome.dropped, *(one for one in got.dropped if one.type == outcome.type))
    return shelf.done(replace(outcome, state=State.PARTIAL, count=count, dropped=dropped))


def _everything(asking: Asking, plan: Plan, wanted: list[str], follow: Callable[[TypeRun], None]) -> _Got:
    query = f"Patient/{quote(plan.patient_id, safe='')}/$everything?_type={','.join(wanted)}{COUNT}"
    run = TypeRun(asking, TypePlan("*", (Search("*", None, query),), (), extra=True))
    follow(run)
    outcome = run.outcome
    assert outcome is not None  # a run that was followed to its end has one
    cut = outcome.stopped_by or any(one.incomplete for one in outcome.notices)
    state = outcome.state if not outcome.pages else State.PARTIAL if cut else State.OK
    return _Got(state, outcome.dropped, outcome.http_status)


def _export(asking: Asking, plan: Plan, wanted: list[str], shelf: Shelf) -> _Got:
    """HL7 Bulk Data Access, the export of one patient: asked for, waited for, its files read line by line."""
    asker, base = asking.asker, asking.base.rstrip("/")
    query = f"Patient/{quote(plan.patient_id, safe='')}/$export?_type={','.join(wanted)}"
    answer = asker.ask(f"{base}/{query}", KICK_OFF)
    place = next((value for name, value in answer.headers.items() if name.lower() == "content-location"), "")
    where = absolute(base, place) if answer.status == 202 else None
    if where is None:
        return _Got(state_of_refusal(answer.status, (), True), status=answer.status)
    outputs = _finished(asker, where)
    if outputs is None:
        return _Got(State.FAILED, status=None)
    dropped: list[Dropped] = []
    state = State.OK
    for number, (kind, address) in enumerate(outputs):
        url = absolute(base, address)
        file = asker.ask(url, {"Accept": "application/fhir+ndjson"}) if url and number < MOST_PARTS else None
        if file is None or file.status != 200:
            dropped.append(Dropped(kind, "", "part-failed"))
            state = State.PARTIAL
            continue
        page = read_lines(file.body, kind, plan.patient_id, base)
        dropped += [*page.dropped, *shelf.keep(kind, list(page.received))]
    return _Got(state, tuple(dropped))


def _finished(asker: Asker, where: str) -> list[tuple[str, str]] | None:
    """(type, address) of each file, once the server has made them; None when it does not, or takes too long."""
    waited, wait = 0.0, FIRST_POLL_SECONDS
    while (answer := asker.ask(where)).status == 202:
        told = told_to_wait(answer.headers, asker.clock.now())
        wait = min(LONGEST_POLL_SECONDS, told if told is not None else wait * 2)
        waited += max(wait, FIRST_POLL_SECONDS)
        if waited > LONGEST_EXPORT_SECONDS:
            return None
        asker.clock.sleep(max(wait, FIRST_POLL_SECONDS))
    parsed = parse(answer.body) if answer.status == 200 else None
    listed = parsed.value.get("output") if isinstance(parsed, Parsed) and isinstance(parsed.value, dict) else None
    if not isinstance(listed, list):
        return None
    rows = [one for one in listed if isinstance(one, dict)]
    return [(str(one.get("type", "")), str(one.get("url", ""))) for one in rows]
