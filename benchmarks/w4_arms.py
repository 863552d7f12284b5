"""Our arms of W4, and the PostgreSQL pipeline. Each gives what one decision took."""

from __future__ import annotations

import json
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import psycopg
import requests
from flask import Flask, Response, request
from werkzeug.serving import make_server

from benchmarks.harness.postgres import BenchServer
from benchmarks.w4_peers import NEEDS, Peers, peer
from benchmarks.w4_took import Took, took
from benchmarks.w4_world import QUESTION, change, code_of, decider, fill
from consent.decide.columns import Question
from consent.decide.decider import Decider
from consent.decide.lines import BLOCK, Form, Tally, answer_lines, blocks
from patient_portal.choices.deciding import decide_batch, decide_one

FORM = {"store": "living-well", "class": "clinical", "purpose": "research"}
PIPELINE = (
    "COPY (SELECT a.id, coalesce(d.answer = 'yes', false) FROM asked a LEFT JOIN store_subject s"
    " ON s.store_id = 'living-well' AND s.subject = a.id LEFT JOIN LATERAL (SELECT answer FROM decision"
    " WHERE person_id = s.person_id ORDER BY version DESC LIMIT 1) d ON true) TO STDOUT (FORMAT csv)"
)


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
        self._connection = psycopg.connect(self.database.superuser_url, autocommit=True)
        gives = {
            row[0] for row in self._connection.execute(GIVES)
        }  # a folder that was kept holds an earlier run's noes
        self.donates = [number in gives for number in order]
        self.ids = self._folder / "ids.csv"
        self.ids.write_bytes(b"\n".join(self.names) + b"\n")
        self.peers = Peers(self.names, self.donates, self._folder)
        self._http = _serve(self.decider)
        self._version = 1
        self._session = requests.Session()

    def named(self, name: str) -> Callable[[], Took] | None:
        """The arm of this name; None when its library is not installed."""
        if name in NEEDS:
            return None if peer(NEEDS[name]) is None else getattr(self.peers, name)
        found: Callable[[], Took] = getattr(self, name)
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
        assert self.peers.cedar_answers(500) in (None, self.donates[:500]), "cedarpy"

    def batch(self) -> Took:
        return took(lambda: self.decider.decide_many(QUESTION, self.names[:1000]), 1000)

    def single(self) -> Took:
        names = self.names[:300]
        return took(lambda: [self.decider.decide(QUESTION, name) for name in names], len(names))

    def file(self) -> Took:
        def run() -> None:
            with self.ids.open("rb") as source, (self._folder / "answers.txt").open("wb") as target:
                runs = blocks(iter(lambda: source.read(BLOCK), b""))
                for piece in answer_lines(self.decider, QUESTION, runs, Form.ALLOWED, Tally(), most=10**9):
                    target.write(piece)

        return took(run, self._people)

    def postgres(self) -> Took:
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

        return took(run, self._people, self._connection.info.backend_pid)

    def http_batch(self) -> Took:
        body = self.ids.read_bytes()

        def run() -> None:
            found = self._session.post(f"{self._http.url}/batch", data=body, stream=True, timeout=600)
            size = sum(len(part) for part in found.iter_content(BLOCK))
            assert size > self._people * 20

        return took(run, self._people)

    def http_single(self) -> Took:
        asked = [orjson.dumps({**FORM, "id": name.decode()}) for name in self.names[:200]]

        def run() -> None:
            for body in asked:
                self._session.post(f"{self._http.url}/one", data=body, timeout=60).raise_for_status()

        return took(run, len(asked))

    def few_stores(self) -> Took:
        return self._over(10)

    def many_stores(self) -> Took:
        return self._over(1_000)

    def _over(self, stores: int) -> Took:
        """200 batches of 100, the stores in turn: their columns are made once and kept."""
        asked = [Question(f"store-{n % stores}", QUESTION.category, QUESTION.purpose) for n in range(1_000)]
        for question in asked:
            self.decider._columns.column(question)
        shown = self.decider._snapshot.shown

        def run() -> None:
            for question in asked:
                column = self.decider._columns.column(question)
                list(map(column.__getitem__, map(shown.__getitem__, range(1, 101))))

        return took(run, 100_000)

    def stale_yeses(self, trials: int) -> int:
        """Withdraw, commit, ask: how often the answer was yes. The mark has no place yet, as right after a commit.

        A commit is seen before it is on the disk, and what is seen is the question: no wait for the disk."""
        stale, connection = 0, self._connection
        connection.execute("SET synchronous_commit = off")
        donors = [n for n, yes in zip(self.names, self.donates, strict=True) if yes]
        for trial in range(trials):
            name = donors[trial % len(donors)]
            answer = "yes" if (trial // len(donors)) % 2 else "no"
            connection.execute(WITHDRAW, {"code": name.decode(), "answer": answer})
            stale += self.decider.decide(QUESTION, name).allowed is not (answer == "yes")
            if trial % 50 == 49:
                connection.execute(SEQUENCE)  # the feed's work
        connection.execute(SEQUENCE)
        return stale

    def catch_up(self, changes: int) -> Took:
        """All of them at once, by one statement: the time in all, not for each."""
        row = self._connection.execute("SELECT max(version) FROM decision").fetchone()
        self._version = max(self._version, row[0] if row else 1) + 1
        self.decider.warm()
        change(self.database, changes, self._version)
        backend = self.decider._view._open().info.backend_pid
        return took(self.decider.warm, 1, backend)

    def close(self) -> None:
        self._http.stop()
        self._connection.close()
        self.decider.close()


GIVES = (
    "SELECT p.person_no FROM person p JOIN LATERAL (SELECT answer FROM decision d WHERE d.person_id = p.id"
    " ORDER BY version DESC LIMIT 1) d ON d.answer = 'yes'"
)
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
