"""The open side of a sandbox store: the page, the feeds on demand, the faults, and what a checker may read."""

from __future__ import annotations

import hmac
import json
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.store.config import StoreConfig
from sandbox.store.discovery import SMALLEST_SHOWN, rebuild
from sandbox.store.faults import KINDS, Fault, Faults
from sandbox.store.hospital_feed import FeedFailed, FeedReport, People, from_platform, platform_list, take_in
from sandbox.store.late import LateReceipts
from sandbox.store.memory import Memory
from sandbox.store.receiving import held_of


def run_feed(config: StoreConfig, memory: Memory, people: People) -> FeedReport:
    """Tonight's feed: a curator copies from the platform, the others take from the hospitals."""
    if config.role == "curator" and config.platform:
        return take_in(config, memory, from_platform(platform_list(config)), "feed")
    return take_in(config, memory, people(), "feed")


class OpenSide:
    """What anyone on this computer may see and press."""

    def __init__(self, config: StoreConfig, memory: Memory, faults: Faults, people: People, late: LateReceipts) -> None:
        self._config, self._memory, self._faults, self._people, self._late = config, memory, faults, people, late

    def blueprint(self) -> Blueprint:
        made = Blueprint("showing", __name__)
        made.add_url_rule("/", view_func=self.page)
        made.add_url_rule("/people", view_func=self.people)
        made.add_url_rule("/contents", view_func=self.contents)
        made.add_url_rule("/feed", view_func=self.feed, methods=["POST"])
        made.add_url_rule("/rebuild", view_func=self.rebuild, methods=["POST"])
        made.add_url_rule("/sandbox/faults", view_func=self.set_faults, methods=["POST"])
        made.add_url_rule("/sandbox/lookup", view_func=self.lookup, methods=["POST"])
        return made

    def page(self) -> str:
        return render_template("store.html", **_view(self._config, self._memory, self._faults))

    def feed(self) -> AnyResponse:
        if self._config.role not in ("holder", "curator", "registry"):
            return _json({"error": "this store has no hospital feed"}, 404)
        sent = request.get_json(silent=True)
        try:
            report = (
                take_in(self._config, self._memory, from_platform(sent), "feed")
                if isinstance(sent, dict) and "people" in sent
                else run_feed(self._config, self._memory, self._people)
            )
        except FeedFailed as problem:
            return _json({"error": str(problem)}, 502)
        return _done({"taken": report.taken, "suppressed": report.suppressed, "entries": report.entries})

    def rebuild(self) -> AnyResponse:
        if self._config.role != "discovery":
            return _json({"error": "only Discovery is rebuilt"}, 404)
        try:
            built = rebuild(self._config, self._memory)
        except FeedFailed as problem:
            return _json({"error": str(problem)}, 502)
        self._late.wake()
        return _done(built)

    def people(self) -> Response:
        """The platform's list, for curators and Discovery, who hold the shared token."""
        given = request.headers.get("authorization", "").encode()
        wanted = f"Bearer {self._config.feed_token}".encode()
        if not self._config.feed_token or not hmac.compare_digest(given, wanted):
            return _json({"error": "token"}, 401)
        return _json({"people": _people_with_resources(self._memory), "suppressed": _suppressed(self._memory)})

    def set_faults(self) -> AnyResponse:
        sent = request.get_json(silent=True) or {}
        kind = sent.get("kind")
        if kind == "none":
            self._faults.clear()
        elif kind in KINDS:
            self._faults.switch_on(Fault(**{name: sent[name] for name in Fault.__dataclass_fields__ if name in sent}))
        else:
            return _json({"error": "unknown kind", "known": {**KINDS, "none": "clears all"}}, 422)
        return _json({"on": self._faults.names()})

    def contents(self) -> Response:
        return _json(_contents(self._config, self._memory))

    def lookup(self) -> Response:
        asked = (request.get_json(silent=True) or {}).get("subjects", [])
        return _json({"store": self._config.id, "holdings": held_of(self._config, self._memory, asked)})


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(value), status=status, content_type="application/json")


def _done(report: dict[str, Any]) -> AnyResponse:
    """A person who pressed a button goes back to the page; a program gets the report."""
    if request.accept_mimetypes.best == "text/html":
        return redirect("/", code=303)
    return _json(report)


def _suppressed(memory: Memory) -> int:
    return memory.count("SELECT count(*) FROM suppressed")


def _people_with_resources(memory: Memory) -> list[dict[str, Any]]:
    resources: dict[str, list[Any]] = {}
    for row in memory.rows("SELECT code, body FROM entry ORDER BY code, source, number"):
        resources.setdefault(row["code"], []).append(json.loads(row["body"]))
    return [
        {**{key: row[key] for key in ("system", "value", "label")}, "resources": resources.get(row["code"], [])}
        for row in memory.rows("SELECT * FROM person ORDER BY system, value")
    ]


def _held(memory: Memory) -> list[dict[str, Any]]:
    counts: dict[str, dict[str, int]] = {}
    for row in memory.rows("SELECT code, kind, count(*) AS n FROM entry GROUP BY code, kind ORDER BY kind"):
        counts.setdefault(row["code"], {})[row["kind"]] = int(row["n"])
    return [
        {
            **{key: row[key] for key in ("system", "value", "label")},
            "entries": sum(counts.get(row["code"], {}).values()),
            "kinds": counts.get(row["code"], {}),
        }
        for row in memory.rows("SELECT * FROM person ORDER BY label, value")
    ]


def _contents(config: StoreConfig, memory: Memory) -> dict[str, Any]:
    """All that a checker needs and the page shows: people held, what was told, effects, suppressions."""
    return {
        "store": config.id,
        "people": _held(memory),
        "suppressed": _suppressed(memory),
        "told": [dict(row) for row in memory.rows("SELECT * FROM told ORDER BY id")],
        "effects": [
            dict(row)
            for row in memory.rows("SELECT id, event, code, choice, effort, version, answer FROM effect ORDER BY id")
        ],
        "owed": memory.count("SELECT count(*) FROM owed WHERE state != 'unwanted'"),
        "build": json.loads(memory.fact("build") or "null"),
    }


def _view(config: StoreConfig, memory: Memory, faults: Faults) -> dict[str, Any]:
    held = _held(memory)
    return {
        "store": config,
        "people": held,
        "entries": sum(person["entries"] for person in held),
        "suppressed": _suppressed(memory),
        "told": memory.rows("SELECT * FROM told ORDER BY id DESC LIMIT 200"),
        "done": memory.rows("SELECT * FROM done ORDER BY id DESC LIMIT 50"),
        "build": json.loads(memory.fact("build") or "null"),
        "owed": memory.count("SELECT count(*) FROM owed WHERE state != 'unwanted'"),
        "faults": faults.names(),
        "smallest": SMALLEST_SHOWN,
    }
