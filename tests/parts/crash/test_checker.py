"""The checker finds what is planted in logs and stores' contents, by the names it gives it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.crash.checker import look
from tests.crash.evidence import Evidence, Name, StoreSeen, Told, read_log, read_logs, seen
from tests.crash.rules import KINDS, Verdict, check

SYSTEM = "urn:oid:1"
ANN, BEN = "MRN-1", "MRN-2"
ANSWERED: dict[str, list[tuple[int, str, str]]] = {
    ANN: [(1, "cancerlinq", "no"), (2, "living-well", "yes"), (3, "cancerlinq", "yes")],
    BEN: [(1, "living-well", "yes"), (2, "cancerlinq", "no"), (3, "living-well", "no")],
}
UNACKNOWLEDGED = (ANN, 4, "cancerlinq", "no")
SUBJECTS = {"cancerlinq": "cancerlinq", "concerto": "cancerlinq", "living-well": "living-well"}

Rows = list[dict[str, Any]]


class Planted:
    """A true world as raw lines and rows, to be damaged. `lookup` may be damaged after it was derived."""

    def __init__(self) -> None:
        self.logs: dict[str, Rows] = {name: _log(name) for name in ANSWERED}
        person, _version, subject, answer = UNACKNOWLEDGED
        self.logs[person].append({"kind": "asked", "form": "open", "subject": subject, "answer": answer})
        self.logs[BEN].append({"kind": "asked", "form": "never", "subject": subject, "answer": answer})
        self.logs[BEN].append({"kind": "gave-up", "form": "never"})
        self.stores = {store: _effects(subject) for store, subject in SUBJECTS.items()}
        self.owed = dict.fromkeys(SUBJECTS, 0)
        self.held: dict[str, int] = {"living-well": 1}
        self.lookup: Callable[[str, Rows], Rows] = lambda _store, rows: rows
        self.unreadable: set[str] = set()

    def answered(self, name: str, version: int) -> dict[str, Any]:
        return next(row for row in self.logs[name] if row["kind"] == "answered" and row["version"] == version)

    def effect(self, store: str, name: str, version: int) -> dict[str, Any]:
        return next(row for row in self.stores[store] if row["who"] == name and row["version"] == version)

    def verdict(self) -> Verdict:
        people: dict[Name, Told] = {}
        for lines in self.logs.values():
            read_log(lines, people)
        return check(Evidence(people, tuple(self._seen(store) for store in self.stores)))

    def _seen(self, store: str) -> Any:
        if store in self.unreadable:
            return StoreSeen(store, SUBJECTS[store], problem="ConnectionError")
        rows = self.stores[store]
        holdings = self.lookup(store, [_holding(rows, name) for name in ANSWERED])
        people = [{"entries": 9}] * self.held.get(store, 0)
        contents = {"store": store, "effects": rows, "people": people, "owed": self.owed[store]}
        return seen(store, SUBJECTS[store], contents, {"holdings": holdings})


def _log(name: str) -> Rows:
    lines: Rows = [{"kind": "person", "system": SYSTEM, "value": name}]
    for version, subject, answer in ANSWERED[name]:
        form = {"form": f"{name}/{version}", "subject": subject, "answer": answer}
        lines.append({"kind": "asked", **form})
        lines.append({"kind": "answered", "decision": f"{name}-{version}", "version": version, **form})
        lines.append({"kind": "again", "form": f"{name}/{version}", "decision": f"{name}-{version}"})
    return lines


def _effects(subject: str) -> Rows:
    every = [(name, *each) for name, rows in ANSWERED.items() for each in rows] + [UNACKNOWLEDGED]
    return [
        {
            "who": name, "event": number, "code": f"code-of-{name}", "version": version, "answer": answer,
            "choice": "cancerlinq" if about == "cancerlinq" else "donation",
            "effort": "" if about == "cancerlinq" else about,
        }
        for number, (name, version, about, answer) in enumerate([one for one in every if one[2] == subject], start=1)
    ]  # fmt: skip


def _holding(rows: Rows, name: str) -> dict[str, Any]:
    own = [row for row in rows if row["who"] == name]
    standing = [own[-1]] if own else []
    out = bool(own) and own[-1]["answer"] == "no"
    return {
        "system": SYSTEM, "value": name, "entries": 0 if out else 7, "suppressed": out, "standing": standing,
        "effects": own,
    }  # fmt: skip


def lost(world: Planted) -> None:
    world.stores["concerto"].remove(world.effect("concerto", ANN, 1))


def lost_everywhere(world: Planted) -> None:
    for store in ("cancerlinq", "concerto"):
        world.stores[store].remove(world.effect(store, BEN, 2))


def lost_donation(world: Planted) -> None:
    world.stores["living-well"].remove(world.effect("living-well", BEN, 1))


def subject_unknown(world: Planted) -> None:
    world.stores["living-well"] = [row for row in world.stores["living-well"] if row["who"] != ANN]


def doubled(world: Planted) -> None:
    world.stores["cancerlinq"].append({**world.effect("cancerlinq", ANN, 4), "event": 99})


def event_twice(world: Planted) -> None:
    world.effect("cancerlinq", ANN, 3)["event"] = world.effect("cancerlinq", ANN, 1)["event"]


def donation_doubled(world: Planted) -> None:
    world.stores["living-well"].append({**world.effect("living-well", BEN, 3), "event": 99})


def reordered(world: Planted) -> None:
    world.stores["concerto"].sort(key=lambda row: -row["version"])


def altered(world: Planted) -> None:
    world.effect("concerto", ANN, 1)["answer"] = "yes"


def goes_by_an_older(world: Planted) -> None:
    def older(store: str, rows: Rows) -> Rows:
        found = copy.deepcopy(rows)
        if store == "cancerlinq":
            found[0]["standing"] = [world.effect(store, ANN, 3)]
        return found

    world.lookup = older


def turned_final(world: Planted) -> None:
    world.effect("cancerlinq", BEN, 2)["answer"] = "yes"


def holds_after_no(world: Planted) -> None:
    world.lookup = lambda _store, rows: [{**row, "entries": 3} for row in rows]


def not_kept_out(world: Planted) -> None:
    world.lookup = lambda _store, rows: [{**row, "suppressed": False} for row in rows]


def effort_holds_too_many(world: Planted) -> None:
    world.held["living-well"] = 2


def missing_store(world: Planted) -> None:
    world.unreadable.add("concerto")


def told_what_it_should_not(world: Planted) -> None:
    world.stores["cancerlinq"].append({**world.effect("living-well", ANN, 2), "event": 99})


def torn(world: Planted) -> None:
    world.stores["concerto"].remove(world.effect("concerto", ANN, 4))


def phantom(world: Planted) -> None:
    world.logs[ANN] = [row for row in world.logs[ANN] if row.get("form") != "open"]


def stranger(world: Planted) -> None:
    world.stores["cancerlinq"].append({**world.effect("cancerlinq", ANN, 1), "event": 99, "who": "nobody"})


def unknown_subject(world: Planted) -> None:
    for number in (1, 2):
        row = {**world.effect("living-well", ANN, 2), "event": 90 + number, "code": f"stranger-{number}"}
        world.stores["living-well"].append(row)


def version_skipped(world: Planted) -> None:
    for name in ("cancerlinq", "concerto"):
        world.effect(name, ANN, 4)["version"] = 6


def other_answer_to_the_same_form(world: Planted) -> None:
    next(row for row in world.logs[BEN] if row["kind"] == "again")["decision"] = "another"


def answered_twice(world: Planted) -> None:
    world.logs[BEN].append({**world.answered(BEN, 2), "decision": "another", "version": 9})


def about_something_else(world: Planted) -> None:
    world.answered(ANN, 1)["answer"] = "yes"


def older_decision_said_to_stand(world: Planted) -> None:
    """A new form is answered with a decision older than one this device was told of."""
    form = {"form": "late", "subject": "living-well", "answer": "yes"}
    world.logs[BEN] += [{"kind": "asked", **form}, {**world.answered(BEN, 1), **form, "counted": True}]


def one_version_two_decisions(world: Planted) -> None:
    form = {"form": "late", "subject": "cancerlinq", "answer": "no"}
    world.logs[BEN] += [{"kind": "asked", **form}, {**world.answered(BEN, 2), **form, "decision": "another"}]


def gone_after_acknowledged(world: Planted) -> None:
    world.logs[ANN].append({"kind": "missing", "form": "ANN/1", "decision": f"{ANN}-1"})


def promised_receipts(world: Planted) -> None:
    world.owed["concerto"] = 3


PLANTED: dict[Callable[[Planted], None], str] = {
    lost: "lost", lost_everywhere: "lost", lost_donation: "lost", subject_unknown: "lost", doubled: "doubled",
    event_twice: "doubled", donation_doubled: "doubled", reordered: "reordered", altered: "altered",
    goes_by_an_older: "not-final", turned_final: "not-final", holds_after_no: "shared-after-no",
    not_kept_out: "shared-after-no", effort_holds_too_many: "shared-after-no", missing_store: "unreadable",
    told_what_it_should_not: "unreadable", torn: "torn", phantom: "phantom", stranger: "phantom",
    unknown_subject: "phantom", version_skipped: "gap", other_answer_to_the_same_form: "second-answer",
    answered_twice: "second-answer", about_something_else: "second-answer",
    older_decision_said_to_stand: "second-answer", one_version_two_decisions: "second-answer",
    gone_after_acknowledged: "missing", promised_receipts: "owed",
}  # fmt: skip


def test_a_true_world_passes() -> None:
    """I1 to I5: nothing is found where nothing is wrong, and each zero has its N."""
    verdict = Planted().verdict()
    assert verdict.violations == []
    assert {kind: verdict.of[kind] for kind in ("lost", "doubled", "torn", "not-final", "unreadable")} == {
        "lost": 9, "doubled": 11, "torn": 2, "not-final": 6, "unreadable": 3,
    }  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_each_planted_fault_is_found(plant: Callable[[Planted], None]) -> None:
    """I1 to I5, I7: each of 28 planted faults is found under its name."""
    world = Planted()
    plant(world)
    assert PLANTED[plant] in {violation.kind for violation in world.verdict().violations}


def test_every_kind_of_finding_is_planted() -> None:
    """Threats 5 (rules for figures): no rule of the checker is without a fault that it finds."""
    assert set(PLANTED.values()) == set(KINDS)


def test_a_store_that_is_away_is_no_pass(tmp_path: Path) -> None:
    """I1: a store that cannot be asked is a finding of its own, and a line cut short by a crash is left out."""
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in _log(ANN)) + '{"kind": "ask')
    (tmp_path / "stores.json").write_text(json.dumps([{"id": "a", "url": "http://localhost:9", "subject": "x"}]))
    _, verdict = look(tmp_path, tmp_path / "stores.json")
    assert [violation.kind for violation in verdict.violations if violation.store] == ["unreadable"]
    assert len(read_logs(tmp_path)[SYSTEM, ANN].answered) == len(ANSWERED[ANN])
