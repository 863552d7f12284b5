"""What must hold between what people were told and what the stores did (threats.md section 2). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.crash.evidence import CANCERLINQ, Answered, Effect, Evidence, Holding, Name, StoreSeen, Told
from tests.crash.matching import effects_by_person


@dataclass(frozen=True)
class Violation:
    """`kind` is one of KINDS; `person` is the record number, "" where it is about no one person."""

    kind: str
    store: str
    person: str
    detail: str = ""


KINDS = {
    "unreadable": ("I1", "stores that could not be read"),
    "lost": ("I1", "acknowledged decisions a store does not have"),
    "altered": ("I1", "decisions that arrived with another answer"),
    "doubled": ("I2", "decisions with more than one effect in a store"),
    "reordered": ("I3", "effects of one person not in rising version"),
    "not-final": ("I4", "people whose newest decision is not what a store goes by"),
    "shared-after-no": ("I4", "people out, whose data a store holds or would take in"),
    "torn": ("I5", "unacknowledged decisions that reached some stores only"),
    "phantom": ("I5", "effects that nobody asked for"),
    "gap": ("I5", "versions of a person that nobody knows of"),
    "second-answer": ("I5", "forms that were answered in two ways"),
    "missing": ("I1", "acknowledged decisions the portal later did not know"),
    "owed": ("I7", "receipts a store promised and the portal never took"),
}


@dataclass
class Verdict:
    """What was found, and how much was looked at (`of`, by kind): a zero means little without its N."""

    violations: list[Violation] = field(default_factory=list)
    of: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, store: str, person: str, detail: str = "") -> None:
        assert kind in KINDS
        self.violations.append(Violation(kind, store, person, detail))

    def found(self, kind: str) -> int:
        return sum(1 for each in self.violations if each.kind == kind)


Effects = Mapping[str, Mapping[Name, Sequence[Effect]]]
"""By store id and person, in the order in which the store did them."""


def check(evidence: Evidence) -> Verdict:
    """Everything, for every person in every store."""
    verdict = Verdict()
    effects: Effects = {
        store.id: effects_by_person(store, evidence.people, lambda name, detail, s=store: verdict.add(  # type: ignore[misc]  # a default in a lambda has no type
            "phantom", s.id, name[1], detail)) for store in evidence.stores if not store.problem
    }  # fmt: skip
    for store in evidence.stores:
        verdict.of["unreadable"] += 1
        if store.problem:
            verdict.add("unreadable", store.id, "", store.problem)
            continue
        _events(verdict, store)
        for told in evidence.people.values():
            done = effects[store.id].get(told.name, ())
            _each_decision(verdict, store, told, done)
            _order(verdict, store, told, done)
            _final(verdict, store, told, done)
        _nobody_too_many(verdict, store, effects[store.id])
    for told in evidence.people.values():
        _answers(verdict, told)
        _unacknowledged(verdict, told, evidence.stores, effects)
    return verdict


def _acknowledged(told: Told, subject: str) -> dict[int, Answered]:
    return {each.version: each for each in told.answered if each.subject == subject}


def _each_decision(verdict: Verdict, store: StoreSeen, told: Told, done: Sequence[Effect]) -> None:
    """I1, I2: each acknowledged decision is there once, as it was answered."""
    expected = _acknowledged(told, store.subject)
    counted = Counter(effect.version for effect in done)
    answers = {effect.version: effect.answer for effect in done}
    for kind in ("lost", "altered"):
        verdict.of[kind] += len(expected)
    verdict.of["doubled"] += len(counted)
    newest = max(counted, default=0) if store.newest_only else 0
    given = _given(store, expected, done)
    for version, answered in expected.items():
        if version not in counted:
            if version < newest:
                continue  # told together with a later one, which stands
            if answered.answer == "no" and (given is None or version < given):
                continue  # a study hears nothing of who has not given it anything yet: they have no code there
            verdict.add("lost", store.id, told.name[1], f"version {version}")
        elif answers[version] != answered.answer:
            verdict.add("altered", store.id, told.name[1], f"version {version}")
    for version, times in counted.items():
        if times > 1:
            verdict.add("doubled", store.id, told.name[1], f"version {version}, {times} times")


def _given(store: StoreSeen, expected: Mapping[int, Answered], done: Sequence[Effect]) -> int | None:
    """The version from which on the store knows the person: the first yes to a study, any for all other stores."""
    if store.subject == CANCERLINQ:
        return 0
    known = [(version, each.answer) for version, each in expected.items()] + [(one.version, one.answer) for one in done]
    return min((version for version, answer in known if answer == "yes"), default=None)


def _events(verdict: Verdict, store: StoreSeen) -> None:
    """I2: one event of a store's feed has one effect; and what a store promised to say later was taken."""
    for event, times in Counter(effect.event for effect in store.effects).items():
        if times > 1:
            verdict.add("doubled", store.id, "", f"event {event}, {times} times")
    verdict.of["owed"] += len(store.effects)
    if store.owed:
        verdict.add("owed", store.id, "", f"{store.owed} receipts")


def _order(verdict: Verdict, store: StoreSeen, told: Told, done: Sequence[Effect]) -> None:
    """I3: the applied versions of a person rise."""
    verdict.of["reordered"] += max(0, len(done) - 1)
    for before, after in pairwise(done):
        if after.version < before.version:
            verdict.add("reordered", store.id, told.name[1], f"version {after.version} after {before.version}")


def _final(verdict: Verdict, store: StoreSeen, told: Told, done: Sequence[Effect]) -> None:
    """I4: the store goes by the person's newest decision, and holds nothing of who is out."""
    expected = {version: answered.answer for version, answered in _acknowledged(told, store.subject).items()}
    if not expected or _given(store, _acknowledged(told, store.subject), done) is None:
        return
    verdict.of["not-final"] += 1
    newest = max(expected)
    goes_by = _goes_by(store.holdings.get(told.name), done) if store.subject == CANCERLINQ else _last(done)
    if goes_by is None or goes_by[0] < newest or (goes_by[0] == newest and goes_by[1] != expected[newest]):
        verdict.add("not-final", store.id, told.name[1], f"goes by {goes_by}, newest is version {newest}")
        return
    holding = store.holdings.get(told.name)
    if goes_by[1] == "no" and holding is not None and store.subject == CANCERLINQ:
        verdict.of["shared-after-no"] += 1
        if holding.entries or not holding.suppressed:
            verdict.add("shared-after-no", store.id, told.name[1], f"{holding.entries} entries")


def _goes_by(holding: Holding | None, done: Sequence[Effect]) -> tuple[int, str] | None:
    """The store's own word; it must be what its last effect was."""
    if holding is None or holding.standing != _last(done):
        return None
    return holding.standing


def _last(done: Sequence[Effect]) -> tuple[int, str] | None:
    return (done[-1].version, done[-1].answer) if done else None


def _nobody_too_many(verdict: Verdict, store: StoreSeen, effects: Mapping[Name, Sequence[Effect]]) -> None:
    """I4: an effort holds data of no more subjects than said yes last; it names none of them to us."""
    if store.subject == CANCERLINQ:
        return
    given = sum(1 for done in effects.values() if done and done[-1].answer == "yes")
    verdict.of["shared-after-no"] += len(effects)
    if store.held > given:
        verdict.add("shared-after-no", store.id, "", f"data of {store.held}, {given} gave")


def _answers(verdict: Verdict, told: Told) -> None:
    """I5: the same form always has the same answer, about what was asked; a version is one decision."""
    name = told.name[1]
    first: dict[str, str] = {}
    versions: dict[int, str] = {}
    for each in told.answered:
        verdict.of["second-answer"] += 1
        form = told.forms.get(each.form)
        if first.setdefault(each.form, each.decision) != each.decision:
            verdict.add("second-answer", "", name, f"form answered with {each.decision} too")
        if form is None or (form.subject, form.answer) != (each.subject, each.answer):
            verdict.add("second-answer", "", name, f"decision {each.decision} is about something else")
        if versions.setdefault(each.version, each.decision) != each.decision:
            verdict.add("second-answer", "", name, f"version {each.version} is two decisions")
    for form_key, decision in told.again:
        verdict.of["second-answer"] += 1
        if first.get(form_key) != decision:
            verdict.add("second-answer", "", name, f"form sent again was answered with {decision}")
    for decision in told.backwards:
        verdict.add("second-answer", "", name, f"{decision} was said to stand after a newer one")
    _known(verdict, told)


def _known(verdict: Verdict, told: Told) -> None:
    """I1: what was acknowledged is found again, by its receipt and in the person's own list."""
    name = told.name[1]
    verdict.of["missing"] += len(told.answered)
    for decision in told.missing:
        verdict.add("missing", "", name, decision)
    if told.listed is not None:
        for decision in sorted({each.decision for each in told.answered} - set(told.listed)):
            verdict.add("missing", "", name, f"{decision} is not listed")
        if len(told.listed) != len(set(told.listed)):
            verdict.add("second-answer", "", name, "a decision is listed twice")


def _unacknowledged(verdict: Verdict, told: Told, stores: Iterable[StoreSeen], effects: Effects) -> None:
    """I5: what was never acknowledged is in all stores concerned or in none, and somebody asked for it."""
    readable = [store for store in stores if not store.problem]
    known = {each.version for each in told.answered}
    answered_forms = {each.form for each in told.answered}
    open_forms = Counter((form.subject, form.answer) for key, form in told.forms.items() if key not in answered_forms)
    verdict.of["torn"] += sum(open_forms.values())
    highest = max(known, default=0)
    for subject in sorted({store.subject for store in readable}):
        of_subject = [store for store in readable if store.subject == subject]
        found: dict[int, dict[str, str]] = {}
        for store in of_subject:
            for effect in effects[store.id].get(told.name, ()):
                verdict.of["phantom"] += 1
                if effect.version not in _acknowledged(told, subject):
                    found.setdefault(effect.version, {})[store.id] = effect.answer
        for version, where in sorted(found.items()):
            known.add(version)
            highest = max(highest, version)
            due = [store for store in of_subject if not _passed_over(store, version, effects[store.id].get(told.name))]
            _one_unacknowledged(verdict, told, (subject, version), where, due, open_forms)
    verdict.of["gap"] += highest
    for version in sorted(set(range(1, highest + 1)) - known):
        verdict.add("gap", "", told.name[1], f"version {version}")
    if told.listed is not None and len(set(told.listed)) != highest:
        verdict.add("gap", "", told.name[1], f"{len(set(told.listed))} decisions are listed, versions go to {highest}")


def _passed_over(store: StoreSeen, version: int, done: Sequence[Effect] | None) -> bool:
    """Whether a store that keeps the newest only went by this version, for a later one that it was told with it."""
    return store.newest_only and any(effect.version > version for effect in done or ())


def _one_unacknowledged(
    verdict: Verdict,
    told: Told,
    what: tuple[str, int],
    where: Mapping[str, str],
    stores: Sequence[StoreSeen],
    open_forms: Counter[tuple[str, str]],
) -> None:
    subject, version = what
    answers = set(where.values())
    asked = (subject, min(answers))
    if len(answers) > 1 or open_forms[asked] < 1:
        verdict.add("phantom", ", ".join(sorted(where)), told.name[1], f"version {version}")
        return
    open_forms[asked] -= 1
    for store in stores:
        if store.id not in where:
            verdict.add("torn", store.id, told.name[1], f"version {version}")
