"""The peers of W4, each at its best: policies and entities read beforehand. One that is not installed is None."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.w4_took import Took, took

POLICY = 'permit(principal, action == Action::"use", resource) when { principal.donates.contains("clinical") };'
NEEDS = {"cedar_batch": "cedarpy", "cedar_single": "cedarpy", "casbin": "casbin", "duckdb": "duckdb"}
BATCHES = 10
"""So many batches make one turn: as long as a turn of ours, that a busy machine treats both alike."""


def peer(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


class Peers:
    """cedarpy, casbin and duckdb over the same names and the same answers."""

    def __init__(self, names: Sequence[bytes], donates: Sequence[bool], folder: Path) -> None:
        self._names, self._donates, self._folder = names, donates, folder

    def cedar_answers(self, count: int) -> list[bool] | None:
        """What cedarpy says of the first `count` names; None where it is not installed."""
        cedarpy = peer("cedarpy")
        if cedarpy is None:
            return None
        entities = [_entity(name, yes) for name, yes in self._first(count)]
        found = cedarpy.is_authorized_batch([_ask(name) for name, _ in self._first(count)], POLICY, entities)
        return [answer.decision == cedarpy.Decision.Allow for answer in found]

    def cedar_batch(self) -> Took:
        cedarpy = peer("cedarpy")
        assert cedarpy is not None
        rows = [_entity(name, yes) for name, yes in self._first(1000)]
        entities = cedarpy.Entities.from_json_str(json.dumps(rows))
        policies, asked = cedarpy.PolicySet.from_str(POLICY), [_ask(name) for name in self._names[:1000]]

        def run() -> None:
            for _ in range(BATCHES):
                cedarpy.is_authorized_batch(asked, policies, entities)

        return took(run, 1000 * BATCHES)

    def cedar_single(self) -> Took:
        cedarpy = peer("cedarpy")
        assert cedarpy is not None
        asked = [(_ask(name), [_entity(name, yes)]) for name, yes in self._first(300)]
        return took(lambda: [cedarpy.is_authorized(one, POLICY, entities) for one, entities in asked], 300)

    def casbin(self) -> Took:
        casbin = peer("casbin")
        assert casbin is not None
        model = self._folder / "model.conf"
        model.write_text(
            "[request_definition]\nr = sub, obj\n[policy_definition]\np = sub, obj\n"
            "[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = r.sub == p.sub && r.obj == p.obj\n"
        )
        rules = self._folder / "policy.csv"
        allowed = [name.decode() for name, yes in self._first(4000) if yes][:1000]
        rules.write_text("".join(f"p, {name}, clinical\n" for name in allowed))
        enforcer = casbin.Enforcer(str(model), str(rules))
        names = [name.decode() for name in self._names[:20]]
        return took(lambda: [enforcer.enforce(name, "clinical") for name in names], 20)

    def duckdb(self) -> Took:
        """A join of two files: no freshness, no rules, no identities of a store; the bare speed of a filter."""
        duckdb = peer("duckdb")
        assert duckdb is not None
        standing, ids = self._folder / "standing.csv", self._folder / "ids.csv"
        if not standing.exists():
            standing.write_bytes(
                b"".join(n + (b",1\n" if yes else b",0\n") for n, yes in self._first(len(self._names)))
            )
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE s AS FROM read_csv('{standing}', header=false)")
            asked = f"read_csv('{ids}', header=false)"
            query = f"COPY (SELECT column0, s.column1 FROM {asked} LEFT JOIN s USING (column0))"  # noqa: S608 - constants; values are bound
            return took(lambda: connection.execute(f"{query} TO '{self._folder / 'duck.csv'}'"), len(self._names))

    def _first(self, count: int) -> zip[tuple[bytes, bool]]:
        return zip(self._names[:count], self._donates[:count], strict=True)


def _ask(name: bytes) -> dict[str, Any]:
    return {"principal": f'Person::"{name.decode()}"', "action": 'Action::"use"', "resource": 'Data::"clinical"',
            "context": {}}  # fmt: skip


def _entity(name: bytes, donates: bool) -> dict[str, Any]:
    return {"uid": {"type": "Person", "id": name.decode()}, "attrs": {"donates": ["clinical"] if donates else []},
            "parents": []}  # fmt: skip
