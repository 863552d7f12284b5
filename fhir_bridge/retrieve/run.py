"""One retrieval: the patient and every type at once, then what they refer to (FHIR-01 to FHIR-17)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import quote

from fhir_bridge.retrieve.asking import Asker, Clock, Fetch
from fhir_bridge.retrieve.at_once import AtOnce
from fhir_bridge.retrieve.beside import FILE_TYPE, files, read_outcome, referenced
from fhir_bridge.retrieve.chain import Chain, Mark
from fhir_bridge.retrieve.offered import NOTHING, Offered, ask_offered
from fhir_bridge.retrieve.one_type import Asking, TypeRun
from fhir_bridge.retrieve.page import Received, read_resource
from fhir_bridge.retrieve.plan import Plan, since, with_provenance
from fhir_bridge.retrieve.ranges import DATE_PARAMETERS
from fhir_bridge.retrieve.references import FileLink
from fhir_bridge.retrieve.rest import the_rest
from fhir_bridge.retrieve.shelf import Shelf, Sinks
from fhir_bridge.retrieve.states import Dropped, State, TypeOutcome, state_of_refusal

__all__ = ["FILE_TYPE", "Before", "Retrieved", "Sinks", "retrieve_all"]

AT_ONCE = 8
AT_ONCE_WHEN_SPLITTING = 16
WAITING_BUDGET_SECONDS = 120.0
FIRST = 1000.0


@dataclass(frozen=True)
class Before:
    """What is known before the first question.

    `offered`: of the server, None when it is to be asked. `marks` and `had`: how far an earlier run of this retrieval
    came, and what it kept. `has_file`: whether a file need not be fetched. `since`: by type, the moment after which
    changes are asked for, instead of all (FHIR-16).
    """

    offered: Offered | None = None
    marks: Mapping[str, Mark] = field(default_factory=dict)
    had: Iterable[Received] = ()
    has_file: Callable[[FileLink], bool] = lambda _link: False
    since: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Retrieved:
    """What a retrieval came to: one outcome per type, the referenced types included, and what the server offers."""

    outcomes: tuple[TypeOutcome, ...]
    offered: Offered = NOTHING

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


def retrieve_all(
    fetch: Fetch,
    plan: Plan,
    base: str,
    sinks: Sinks,
    *,
    renew: Callable[[], bool],
    clock: Clock,
    before: Before | None = None,
    at_once: int | None = None,
    budget_seconds: float = WAITING_BUDGET_SECONDS,
) -> Retrieved:
    """Bring in everything in `plan` from the FHIR `base`, with at most `at_once` questions at a time (None: as many as
    suit the server). `renew` gets a new token (True) or cannot (False). Raises only what a sink raises."""
    before = before or Before()
    shelf = Shelf(sinks, base, plan.referenced)
    run = _Run(Asker(fetch, renew, clock, budget_seconds), plan, base, shelf, before, AtOnce(at_once or AT_ONCE))
    run.may_hire = at_once is None
    for one in before.had:
        shelf.recall(one)
        run.ids.setdefault(one.type, set()).add(one.id)
    return run.go(sinks)


class _Run:
    """What the parts of one retrieval share."""

    def __init__(
        self, asker: Asker, plan: Plan, base: str, shelf: Shelf, before: Before, threads: AtOnce
    ) -> None:  # fmt: skip
        self.asker, self.plan, self.base, self.shelf = asker, plan, base, shelf
        self.before, self.threads = before, threads
        self.may_hire = True
        self.offered = NOTHING
        self.ids: dict[str, set[str]] = {}
        self.patient: TypeOutcome | None = None
        self.runs: list[TypeRun] = []

    def go(self, sinks: Sinks) -> Retrieved:
        self.threads.put(2 * FIRST, self._ask_patient)
        if self.before.offered is None:
            self.threads.put(FIRST, lambda: self._begin(ask_offered(self.asker, self.base)))
        else:
            self._begin(self.before.offered)
        self.threads.run()
        assert self.patient is not None
        outcomes = [self.patient, *(self._settled(one.outcome) for one in self.runs if one.outcome is not None)]
        outcomes = the_rest(self._asking(), self.plan, self.shelf, outcomes, self._follow)
        whole = not self.before.since
        outcomes += referenced(self.asker, self.plan, self.base, self.shelf, self.threads, whole=whole)
        if sinks.on_file is not None and self.plan.files:
            found = files(self.asker, self.shelf, self.threads, sinks.on_file, self.before.has_file)
            outcomes.append(self.shelf.done(replace(found, whole=whole)))
        return Retrieved(tuple(outcomes), self.offered)

    def _begin(self, offered: Offered) -> None:
        """Put every search of every type."""
        self.offered = offered
        if self.may_hire and any(
            name in offered.parameters.get(kind, ()) for kind, name in DATE_PARAMETERS.items()
        ):  # fmt: skip
            self.threads.limit = AT_ONCE_WHEN_SPLITTING
        plan = self.plan
        types = with_provenance(plan.types, offered.revincluding) if plan.may_search_provenance else plan.types
        types = since(types, {kind: moment for kind, moment in self.before.since.items() if offered.changed(kind)})
        asking = self._asking()
        for one in types:
            run = TypeRun(asking, one, tuple(self.ids.get(one.type, ())))
            self.runs.append(run)
            self._put(run, run.begin())

    def _asking(self) -> Asking:
        base, marks = self.base, self.before.marks
        return Asking(self.asker, base, self.plan.patient_id, self.offered, self.shelf.keep, marks)

    def _follow(self, run: TypeRun) -> None:
        """Take a run's steps to their end; its outcome is the caller's to tell."""
        run.quiet = True
        self._put(run, run.begin())
        self.threads.run()

    def _put(self, run: TypeRun, chains: list[Chain]) -> None:
        for chain in chains:
            self.threads.put(chain.left, partial(self._step, run, chain))
        outcome = run.to_tell()
        if outcome is not None:
            self.shelf.done(outcome)

    def _step(self, run: TypeRun, chain: Chain) -> None:
        self._put(run, run.step(chain))

    def _ask_patient(self) -> None:
        self.patient = self.shelf.done(self._patient())

    def _patient(self) -> TypeOutcome:
        asker, plan = self.asker, self.plan
        if not plan.may_read_patient:
            return read_outcome(asker, "Patient", State.NOT_AUTHORIZED, 0, (), None)
        answer = asker.ask(f"{self.base.rstrip('/')}/Patient/{quote(plan.patient_id, safe='')}")
        page = read_resource(answer.body, "Patient", plan.patient_id, self.base)
        if answer.status == 200 and page.received:
            self.shelf.keep("Patient", list(page.received))
            return read_outcome(asker, "Patient", State.OK, 1, page.dropped, answer.status)
        state = state_of_refusal(answer.status, {notice.code for notice in page.notices}, False)
        return read_outcome(asker, "Patient", state, 0, page.dropped if answer.status == 200 else (), answer.status)

    def _settled(self, outcome: TypeOutcome) -> TypeOutcome:
        """Provenance comes beside what it is about: a server without a search for it may have sent it all (FHIR-08)."""
        had = self.shelf.counts[outcome.type]
        if outcome.type != "Provenance" or had <= outcome.count:
            return outcome
        state = outcome.state if outcome.state in (State.PARTIAL, State.OK) else State.OK
        whole = outcome.whole and not self.before.since
        return self.shelf.done(replace(outcome, state=state, count=had, notices=(), http_status=200, whole=whole))
