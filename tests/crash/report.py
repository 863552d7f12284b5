"""The report of a storm, as Markdown."""

from __future__ import annotations

import platform
import sys
from statistics import median
from typing import TYPE_CHECKING

from tests.crash.rules import KINDS

if TYPE_CHECKING:
    from tests.crash.harness import Outcome

COMMAND = (
    "python -m tests.crash.harness --kills {0.kills} --decisions {0.decisions} --seed {0.seed} --people {0.people}"
    " --second-devices {0.second_devices} --hands {0.hands}"
)


def as_markdown(outcome: Outcome) -> str:
    """Seed, counts, kills by victim, and each zero with the N that was looked at."""
    storm, verdict = outcome.storm, outcome.verdict
    kills = sum(outcome.killed.values())
    postmaster = outcome.killed["postmaster"]
    lines = [
        f"# {kills} kills without warning during {outcome.acknowledged:,} decisions",
        "",
        f"**{_said(outcome)}.** Run again with `{COMMAND.format(storm)}` (see the Makefile).",
        "The checker read the people's logs and the stores' contents and nothing else.",
        "",
        f"- Seed {storm.seed}; {storm.people} people on {storm.people + storm.second_devices} devices, {storm.hands} of"
        f" them deciding at any moment; stores: {', '.join(f'{each.id} ({each.transport})' for each in storm.stores)}.",
        f"- kill -9: {', '.join(f'{name} {count}' for name, count in sorted(outcome.killed.items()))}"
        f" (postmaster {100 * postmaster // max(1, kills)} %).",
        f"- Time: {', '.join(f'{name} {seconds:.0f} s' for name, seconds in outcome.seconds.items())},"
        f" on {_machine()}.",
        f"- From a kill to the next acknowledged decision: {_still(outcome)}.",
        f"- Answers to the people's browsers: {_statuses(outcome)}.",
        "",
        "| Invariant | What would be wrong | Found | Of |",
        "|---|---|---:|---:|",
    ]
    for kind, (invariant, words) in sorted(KINDS.items(), key=lambda item: item[1][0]):
        lines.append(f"| {invariant} | {words} | {verdict.found(kind)} | {verdict.of[kind]:,} |")
    lines += _planted(outcome)
    if outcome.trouble:
        lines += ["", "## Trouble", "", *[f"- {each}" for each in outcome.trouble]]
    if verdict.violations:
        lines += ["", "## Found", ""]
        lines += [f"- {each.kind}: {each.store} {each.person} {each.detail}" for each in verdict.violations[:100]]
    return "\n".join(lines) + "\n"


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, Python {sys.version_info.major}.{sys.version_info.minor}"


def _statuses(outcome: Outcome) -> str:
    order = sorted(outcome.statuses.items())
    return ", ".join(f"{status}: {count:,}" for status, count in order)


def _said(outcome: Outcome) -> str:
    """Passed, failed, or ended by its time limit with nothing found wrong in what was reached."""
    if outcome.passed:
        return "Passed"
    stopped = len(outcome.trouble) == 1 and outcome.trouble[0].startswith("stopped after")
    well = not outcome.verdict.violations and all(outcome.planted.values())
    return (
        f"Ended by its time limit before all {outcome.storm.decisions:,} decisions; nothing found wrong in these"
        if (stopped and well)
        else "FAILED"
    )


def _planted(outcome: Outcome) -> list[str]:
    """How many of the faults planted into this storm's records the checker named, and which."""
    faults = {name: found for name, found in outcome.planted.items() if name != "nothing planted"}
    if not faults:
        return []
    said = ", ".join(f"{name.replace('_', ' ')}{'' if found else ' (NOT FOUND)'}" for name, found in faults.items())
    return [
        "",
        "## Would it have been found?",
        "",
        f"**{sum(faults.values())} of {len(faults)}** faults, each planted alone into this storm's own logs and stores'"
        f" contents afterwards, were named by the checker: {said}.",
    ]


def _still(outcome: Outcome) -> str:
    """Median and longest, by victim."""
    return ", ".join(
        f"{victim} {median(took):.2f} s (longest {max(took):.1f} s)" for victim, took in sorted(outcome.still.items())
    )
