"""The arms of W4. Each gives the seconds it took for one decision."""

from __future__ import annotations

import importlib
import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import psycopg
import requests
from flask import Flask, Response, request
from werkzeug.serving import make_server

from benchmarks.harness.postgres import BenchServer
from benchmarks.w4_world import QUESTION, change, code_of, decider, fill
from consent.decide.columns import Question
from consent.decide.decider import Decider
from consent.decide.lines import BLOCK, Form, Tally, answer_lines, blocks
from patient_portal.deciding import decide_batch, decide_one

Seconds = float
FORM = {"store": "living-well", "class": "clinical", "purpose": "research"}
POLICY = 'permit(principal, action == Action::"use", resource) when { principal.donates.contains("clinical") };'
PIPELINE = (
    "COPY (SELECT a.id, coalesce(d.answer = 'yes', false) FROM asked a LEFT JOIN store_subject s"
    " ON s.store_id = 'living-well' AND s.subject = a.id LEFT JOIN LATERAL (SELECT answer FROM decision"
    " WHERE person_id = s.person_id ORDER BY version DESC LIMIT 1) d ON true) TO STDOUT (FORMAT csv)"
)


def peer(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


class Arms:
    """One filled database, one warm decider, and everything to compare it with."""

    def __init__(self, server: BenchServer, people: int) -> None:
        self.database, self._server, self._people = fill(server, "w4", people), server, people
        began = time.perf_counter()
        self.decider: Decider = decider(self.database, server, 1_000)
        self.decider.warm("living-well")
        self.built = time.perf_counter() - began
        self._folder = Path(tempfile.mkdtemp(prefix="w4-"))
        order = list(range(1, people + 1))
        random.Random(4).shuffle(order)  # noqa: S311 - a run that repeats
        self.names = [code_of(number).encode() for number in order]
        self.donates = [number % 4 == 0 for number in order]
        self.ids = self._folder / "ids.csv"
        self.ids.write_bytes(b"\n".join(self.names) + b"\n")
        self._http = _serve(self.decider)
        self._version = 1
        self._connection = psycopg.connect(self.database.superuser_url, autocommit=True)
        self._session = requests.Session()

    def named(self, name: str) -> Callable[[], Seconds] | None:
        """The arm of this name; None when its library is not installed."""
        needs = {"cedar_batch": "cedarpy", "cedar_single": "cedarpy", "casbin": "casbin", "duckdb": "duckdb"}
        if name in needs and peer(needs[name]) is None:
            return None
        found: Callable[[], Seconds] = getattr(self, name)
        return found

    def check_alike(self) -> None:
        """Every arm answers the same, or no time counts."""
        ours = [permission.allowed for permission in self.decider.decide_many(QUESTION, self.names).permissions]
        assert ours == self.donates, "ours"
        self.file()
        allowed = [n for n, yes in zip(self.names, self.donates, strict=True) if yes]
        assert (self._folder / "answers.txt").read_bytes().splitlines() == allowed, "file"
        self.postgres()
        rows = dict(row.split(b",") for row in (self._folder / "postgres.csv").read_bytes().splitlines())
        assert [rows[name] == b"t" for name in self.names] == self.donates, "postgres"
        if peer("cedarpy"):
            assert self._cedar(self.names[:500], self.donates[:500]) == self.donates[:500], "cedarpy"

    def batch(self) -> Seconds:
        return _timed(lambda: self.decider.decide_many(QUESTION, self.names[:1000]), 1000)

    def single(self) -> Seconds:
        names = self.names[:300]
        return _timed(lambda: [self.decider.decide(QUESTION, name) for name in names], len(names))

    def file(self) -> Seconds:
        def run() -> None:
            with self.ids.open("rb") as source, (self._folder / "answers.txt").open("wb") as target:
                runs = blocks(iter(lambda: source.read(BLOCK), b""))
                for piece in answer_lines(self.decider, QUESTION, runs, Form.ALLOWED, Tally(), most=10**9):
                    target.write(piece)

        return _timed(run, self._people)

    def postgres(self) -> Seconds:
        """COPY in, join, COPY out: the list pipeline every team writes first."""

        def run() -> None:
            with self._connection.cursor() as cursor:
                cursor.execute("DROP TABLE IF EXISTS asked")
                cursor.execute("CREATE TEMPORARY TABLE asked (id text)")
                with cursor.copy("COPY asked FROM STDIN") as into, self.ids.open("rb") as source:
                    while chunk := source.read(BLOCK):
                        into.write(chunk)
                cursor.execute("ANALYZE asked")
                with cursor.copy(PIPELINE) as out, (self._folder / "postgres.csv").open("wb") as target:
                    for row in out:
                        target.write(row)

        return _timed(run, self._people)

    def duckdb(self) -> Seconds:
        """A join of two files: no freshness, no rules, no identities of a store; the bare speed of a filter."""
        duckdb = peer("duckdb")
        assert duckdb is not None
        standing = self._folder / "standing.csv"
        if not standing.exists():
            standing.write_bytes(
                b"".join(n + (b",1\n" if y else b",0\n") for n, y in zip(self.names, self.donates, strict=True))
            )
        with duckdb.connect() as connection:
            connection.execute(f"CREATE TABLE s AS FROM read_csv('{standing}', header=false)")
            asked = f"read_csv('{self.ids}', header=false)"
            query = f"COPY (SELECT column0, s.column1 FROM {asked} LEFT JOIN s USING (column0))"  # noqa: S608
            return _timed(lambda: connection.execute(f"{query} TO '{self._folder / 'duck.csv'}'"), self._people)

    def cedar_batch(self) -> Seconds:
        """The peer at its best: policies and entities read beforehand."""
        cedarpy = peer("cedarpy")
        assert cedarpy is not None
        names, donates = self.names[:1000], self.donates[:1000]
        rows = [_entity(name, yes) for name, yes in zip(names, donates, strict=True)]
        entities = cedarpy.Entities.from_json_str(json.dumps(rows))
        policies, asked = cedarpy.PolicySet.from_str(POLICY), [_ask(name) for name in names]
        return _timed(lambda: cedarpy.is_authorized_batch(asked, policies, entities), 1000)

    def cedar_single(self) -> Seconds:
        cedarpy = peer("cedarpy")
        assert cedarpy is not None
        asked = [(_ask(name), [_entity(name, yes)]) for name, yes in zip(self.names[:300], self.donates, strict=False)]
        return _timed(lambda: [cedarpy.is_authorized(one, POLICY, entities) for one, entities in asked], 300)

    def casbin(self) -> Seconds:
        casbin = peer("casbin")
        assert casbin is not None
        model = self._folder / "model.conf"
        model.write_text(
            "[request_definition]\nr = sub, obj\n[policy_definition]\np = sub, obj\n"
            "[policy_effect]\ne = some(where (p.eft == allow))\n[matchers]\nm = r.sub == p.sub && r.obj == p.obj\n"
        )
        rules = self._folder / "policy.csv"
        allowed = [n.decode() for n, yes in zip(self.names[:4000], self.donates, strict=False) if yes][:1000]
        rules.write_text("".join(f"p, {name}, clinical\n" for name in allowed))
        enforcer = casbin.Enforcer(str(model), str(rules))
        names = [name.decode() for name in self.names[:20]]
        return _timed(lambda: [enforcer.enforce(name, "clinical") for name in names], 20)

    def http_batch(self) -> Seconds:
        body = self.ids.read_bytes()

        def run() -> None:
            found = self._session.post(f"{self._http.url}/batch", data=body, stream=True, timeout=600)
            size = sum(len(part) for part in found.iter_content(BLOCK))
            assert size > self._people * 20

        return _timed(run, self._people)

    def http_single(self) -> Seconds:
        asked = [orjson.dumps({**FORM, "id": name.decode()}) for name in self.names[:200]]

        def run() -> None:
            for body in asked:
                self._session.post(f"{self._http.url}/one", data=body, timeout=60).raise_for_status()

        return _timed(run, len(asked))

    def few_stores(self) -> Seconds:
        return self._over(10)

    def many_stores(self) -> Seconds:
        return self._over(1_000)

    def _over(self, stores: int) -> Seconds:
        """200 batches of 100, the stores in turn: their columns are made once and kept."""
        asked = [Question(f"store-{n % stores}", QUESTION.category, QUESTION.purpose) for n in range(1_000)]
        for question in asked:
            self.decider._columns.column(question)
        shown = self.decider._snapshot.shown

        def run() -> None:
            for question in asked:
                column = self.decider._columns.column(question)
                list(map(column.__getitem__, map(shown.__getitem__, range(1, 101))))

        return _timed(run, 100_000)

    def stale_yeses(self, trials: int) -> int:
        """Withdraw, commit, ask: how often the answer was yes. The mark has no place yet, as right after a commit."""
        stale, connection = 0, self._connection
        donors = [n for n, yes in zip(self.names, self.donates, strict=True) if yes]
        for trial in range(trials):
            name = donors[trial % len(donors)]
            answer = "yes" if (trial // len(donors)) % 2 else "no"
            connection.execute(WITHDRAW, {"code": name.decode(), "answer": answer})
            stale += self.decider.decide(QUESTION, name).allowed is not (answer == "yes")
            if trial % 200 == 199:
                connection.execute(SEQUENCE)  # the feed's work
        connection.execute(SEQUENCE)
        return stale

    def catch_up_seconds(self, changes: int) -> Seconds:
        row = self._connection.execute("SELECT max(version) FROM decision").fetchone()
        self._version = max(self._version, row[0] if row else 1) + 1
        self.decider.warm()
        change(self.database, changes, self._version)
        began = time.perf_counter()
        self.decider.warm()
        return time.perf_counter() - began

    def close(self) -> None:
        self._http.stop()
        self._connection.close()
        self.decider.close()

    def _cedar(self, names: list[bytes], donates: list[bool]) -> list[bool]:
        cedarpy = peer("cedarpy")
        assert cedarpy is not None
        entities = [_entity(name, yes) for name, yes in zip(names, donates, strict=True)]
        found = cedarpy.is_authorized_batch([_ask(name) for name in names], POLICY, entities)
        return [answer.decision == cedarpy.Decision.Allow for answer in found]


WITHDRAW = (
    "WITH who AS (SELECT person_id FROM store_subject WHERE store_id = 'living-well' AND subject = %(code)s),"
    " made AS (INSERT INTO decision (id, person_id, version, choice, effort_id, answer, categories, sensitive,"
    " actor_kind, means, language, confirmed_by_person, asked_at, recorded_at, idempotency_key, salt)"
    " SELECT gen_random_uuid(), person_id, (SELECT max(version) + 1 FROM decision d WHERE d.person_id = w.person_id),"
    " 'donation', 'living-well', %(answer)s, CASE WHEN %(answer)s = 'yes' THEN ARRAY['clinical'] ELSE '{}'::text[] END,"
    " '{}', 'patient', 'web', 'en', true, now(), now(), gen_random_uuid()::text, '\\x00' FROM who w"
    " RETURNING id, person_id, version) INSERT INTO unsequenced (decision_id, person_id, version, leaf)"
    " SELECT id, person_id, version, '\\x00' FROM made"
)
SEQUENCE = (
    "WITH moved AS (DELETE FROM unsequenced RETURNING id, decision_id, person_id, version, leaf)"
    " INSERT INTO position SELECT (SELECT max(position) FROM position) + row_number() OVER (ORDER BY id),"
    " decision_id, person_id, version, leaf, now() FROM moved"
)


def _ask(name: bytes) -> dict[str, Any]:
    return {"principal": f'Person::"{name.decode()}"', "action": 'Action::"use"', "resource": 'Data::"clinical"',
            "context": {}}  # fmt: skip


def _entity(name: bytes, donates: bool) -> dict[str, Any]:
    return {"uid": {"type": "Person", "id": name.decode()}, "attrs": {"donates": ["clinical"] if donates else []},
            "parents": []}  # fmt: skip


def _timed(work: Callable[[], object], decisions: int) -> Seconds:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) / decisions


class _serve:  # noqa: N801 - used as a verb
    """The edge's functions behind a bare Flask application on the loopback, one thread per connection."""

    def __init__(self, decider: Decider) -> None:
        app = Flask(__name__)
        stores = set(decider.stores)

        @app.post("/one")
        def one() -> Response:
            return Response(json.dumps(decide_one(decider, stores, request.get_data())), mimetype="application/json")

        @app.post("/batch")
        def batch() -> Response:
            body: Iterator[bytes] = iter(lambda: request.stream.read(BLOCK), b"")
            pieces = decide_batch(decider, stores, FORM, body, sent="text/plain", wanted="text/csv")
            return Response(pieces, mimetype="text/csv")

        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
