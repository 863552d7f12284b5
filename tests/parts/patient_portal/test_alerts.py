"""Each alert can fire and has an entry in the runbook: what it names is what `/metrics` says."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from sqlalchemy import text

from consent.feed.run import note_stores
from database.context import as_propagation
from patient_portal.cli import portal as command_line
from patient_portal.operating.operator_reading import count_for_the_operator
from patient_portal.wiring import now
from tests.support.portal import Portal

ROOT = Path(__file__).resolve().parents[3]
FILE, RUNBOOK = ROOT / "docs/prometheus-rules.yml", ROOT / "docs/runbook.md"
PROMTOOL = shutil.which("promtool")
RULES = [rule for group in yaml.safe_load(FILE.read_text("utf-8"))["groups"] for rule in group["rules"]]
# A channel or a comparison exists once the feed has been at work; a mail, a parked event or a task once there is one.
AT_WORK = """
INSERT INTO store_channel (store_id, state, since, looked_at) VALUES ('cancerlinq', 'active', now(), now());
INSERT INTO store_digest (store_id, step, state, claimed_at, next_try_at, tries, overdue)
  VALUES ('cancerlinq', 1, 'waiting', now(), now(), 0, 1);
INSERT INTO reconciliation (store_id, outcome, through_event, counted, theirs, differing, repaired, to_people, stray,
  requests, fetched, began_at, ended_at) VALUES ('cancerlinq', 'drift', 1, 1, 1, 1, 1, 0, 0, 1, 1, now(), now());
INSERT INTO parked_item (store_id, person_id, position, event_number, reason, attempts, parked_at)
  VALUES ('cancerlinq', gen_random_uuid(), 0, 1, 'status-500', 1, now());
INSERT INTO staff_task (id, store_id, kind, detail, opened_at)
  VALUES (gen_random_uuid(), 'cancerlinq', 'store-parked', '{}', now());
INSERT INTO confirm_time (store_id, month, bucket, events, seconds, slowest, first_at)
  VALUES ('cancerlinq', '2026-11-01', 0, 1, 1, 1, now());
"""


@pytest.fixture
def exposed(portal: Portal) -> dict[str, set[str]]:
    """The labels of each sample that `/metrics` has while everything is at work, by its name."""
    note_stores(portal.worker.database, portal.worker.settings.stores, now())
    with portal.worker.database.begin(as_propagation()) as session:
        for statement in AT_WORK.strip().split(";\n"):
            session.execute(text(statement.rstrip(";")))
    count_for_the_operator(portal.worker, now())
    browser = portal.app.test_client()
    browser.get("/", base_url=portal.url)
    said = browser.get("/metrics", base_url=portal.url).text
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", said, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return found


def test_each_rule_names_what_is_exposed(exposed: dict[str, set[str]]) -> None:
    """Issue 3: no alert is silent because a metric or a label was renamed; and none of the rules is untested."""
    assert len(RULES) > 20
    for rule in RULES:
        named = set(re.findall(r"\bportal_\w+", rule["expr"]))
        assert named, rule["alert"]
        assert named <= exposed.keys(), rule["alert"]
        for name, selected in re.findall(r"\b(portal_\w+)\{([^}]*)\}", rule["expr"]):
            assert set(re.findall(r"(\w+)\s*=~?\s*\"", selected)) <= exposed[name], rule["alert"]
        for labels in re.findall(r"\b(?:by|on) \(([\w, ]+)\)", rule["expr"]):
            known = set().union(*(exposed[name] for name in named))
            assert set(labels.split(", ")) <= known, rule["alert"]


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_each_alert_has_an_entry_that_says_what_to_do(rule: dict[str, Any]) -> None:
    """Issue 3: whoever is woken finds what it means and what to do."""
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert (file, anchor) == ("docs/runbook.md", rule["alert"].lower())
    entry = re.search(rf"^## {rule['alert']}\n(.*?)(?=^## |\Z)", RUNBOOK.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert entry is not None
    assert len(entry[1].split()) >= 25
    assert rule["labels"]["severity"] in {"warning", "critical"}


def test_the_runbook_names_commands_that_exist() -> None:
    """Issue 3: who is woken at night types what stands there."""
    named = set(re.findall(r"`portal ([a-z -]+)", RUNBOOK.read_text("utf-8")))
    assert len(named) >= 5
    for command in named:
        found: click.Command = command_line
        for word in (each for each in command.split() if not each.startswith("-")):
            assert isinstance(found, click.Group), command
            assert word in found.commands, command
            found = found.commands[word]


def test_no_entry_is_left_without_an_alert() -> None:
    """Issue 3: an alert that was taken out takes its entry with it."""
    entries = re.findall(r"^## (\w+)$", RUNBOOK.read_text("utf-8"), re.MULTILINE)
    assert sorted(entries) == sorted(rule["alert"] for rule in RULES)


def test_prometheus_can_read_the_rules() -> None:
    """Issue 3: no key that Prometheus does not know; where its own tool is installed, it reads the expressions too."""
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"[1-9]\d*[mhd]", rule.get("for", "1m"))
        assert rule["expr"].count("(") == rule["expr"].count(")")
    if PROMTOOL is not None:
        done = subprocess.run([PROMTOOL, "check", "rules", str(FILE)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
