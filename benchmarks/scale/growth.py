"""Fill the sizes, measure every path at each in turns, and write the growth curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from benchmarks.harness.postgres import LOADING, SETTINGS, BenchServer, bench_server
from benchmarks.harness.probes import probe
from benchmarks.harness.say import say
from benchmarks.scale.fill import fill
from benchmarks.scale.paths import KINDS, as_rows, decide, decide_plans, feed, feed_plans, page_plans, pages, sequence
from benchmarks.scale.report import as_markdown
from benchmarks.scale.schema_arms import ARMS, run_arm
from benchmarks.scale.sets import all_donors, event_bytes, in_own_process, policy, sizes, whole_snapshot
from benchmarks.scale.site import Site

Figures = dict[str, Any]
DONORS_INDEX = (
    "CREATE INDEX ix_decision_given ON decision (effort_id, person_id) WHERE effort_id IS NOT NULL AND answer = 'yes'"
)


def run(people: int, reps: int, folder: Path | None, out: Path, *, filled: bool = False) -> Figures:
    """The growth curve up to `people` (a hundredth and a tenth of it before), written to `out`/scale.json and .md.

    `folder` keeps the data; `filled` says that it holds it already.
    """
    wanted = [size for size in (people // 100, people // 10, people) if size >= 10_000]
    with bench_server(SETTINGS if filled else {**SETTINGS, **LOADING}, folder) as bench:
        made = {} if filled else {size: fill(bench, f"scale_{size}", size) for size in wanted}
        if not filled:
            bench.restart(SETTINGS)
        sites = [_site(bench, size) for size in wanted]
        result: Figures = {"sizes": wanted, "filled": made, "probes": [probe(bench.folder)]}
        keep = _keeper(out, result)
        result["tables"] = {site.name: sizes(site) for site in sites}
        result["event_bytes"] = {site.name: event_bytes(site) for site in sites}
        result["paths"] = _in_turns(sites, _paths(people), reps, keep)
        result["plans"] = {site.name: _plans(site) for site in sites}
        keep()
        result["arms"] = _arms(sites[-1], reps, 40 if people < 1_000_000 else 100)
        keep()
        result["sets"] = {}
        for site in sites:
            result["sets"][site.name] = _sets(site)
            keep()
        result["used"] = {site.name: sizes(site) for site in sites}
        result["probes"].append(probe(bench.folder))
        keep()
    return result


def _keeper(out: Path, result: Figures) -> Callable[[], None]:
    """Writes what is known so far: a run that is broken off has still said something."""

    def keep() -> None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "scale.json").write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS))
        (out / "scale.md").write_text(as_markdown(result), encoding="utf-8")

    return keep


def _site(bench: BenchServer, size: int) -> Site:
    name = f"scale_{size}"
    site = Site(f"{size:,}", size, bench.connect(name), bench.ring)
    site.prepare()
    say(f"{name} is ready, {site.top} positions")
    return site


def _paths(people: int) -> dict[str, Callable[[Site], Figures]]:
    """Every path by name; the counts are small at a small shape."""
    part = 1 if people < 1_000_000 else 5
    paths: dict[str, Callable[[Site], Figures]] = {
        "decide, one at a time": lambda site: decide(site, 20 * part),
        "decide, one at a time, first decision": lambda site: decide(site, 20 * part, new=True),
        "decide, eight at once": lambda site: decide(site, 40 * part, at_once=8),
        "sequencer moves 5,000": lambda site: sequence(site, min(5_000, people // 20)),
        "pages": lambda site: pages(site, 20),
    }
    for kind, store in KINDS.items():
        for changes in (1_000, 100, 0):
            paths[f"feed {kind}, {changes} new"] = partial(feed, store=store, changes=changes)
    return paths


def _in_turns(
    sites: Sequence[Site], paths: dict[str, Callable[[Site], Figures]], reps: int, keep: Callable[[], None]
) -> Figures:
    """Each path at every size, A B C A B C …, the first round dropped: median per size, median of the ratios."""
    found: Figures = {}
    for name, path in paths.items():
        rounds = [[path(site) for site in sites] for _ in range(reps + 1)][1:]
        found[name] = {
            site.name: {key: median(turn[at][key] for turn in rounds) for key in rounds[0][at]}
            for at, site in enumerate(sites)
        }
        say(f"{name}: {found[name]}")
        keep()
    return found


def _plans(site: Site) -> Figures:
    found: Figures = {"decide": as_rows(decide_plans(site))}
    for kind, store in KINDS.items():
        found[f"feed {kind}"] = as_rows(feed_plans(site, store, 1_000))
    found |= {page: as_rows(plans) for page, plans in page_plans(site).items()}
    return found


def _sets(site: Site) -> Figures:
    site.sql("DROP INDEX ix_decision_given")
    without = in_own_process(all_donors, site.database.urls.worker)
    site.sql(DONORS_INDEX)
    site.sql("ANALYZE decision")
    found: Figures = {"donors": without}
    found["donors, with an index of what was given"] = in_own_process(all_donors, site.database.urls.worker)
    found["donors index bytes"] = site.number("SELECT pg_relation_size('ix_decision_given')")
    found["mass policy change"] = policy(site, site.people // 100)
    found["snapshot"] = in_own_process(whole_snapshot, site.database.urls.worker)
    say(f"sets at {site.name}: {found}")
    return found


def _arms(site: Site, reps: int, count: int) -> Figures:
    """The schema arms at the largest size, interleaved; ratios are to the first arm of the same round."""
    rounds = [[run_arm(site, arm, count, 1) for arm in ARMS] for _ in range(reps + 1)][1:]
    found: Figures = {}
    for at, arm in enumerate(ARMS):
        found[arm.name] = {key: median(turn[at][key] for turn in rounds) for key in rounds[0][at]}
        for key in ("wal_bytes_in_all", "per_second"):
            found[arm.name][f"{key} ratio"] = median(turn[at][key] / turn[0][key] for turn in rounds)
        say(f"{arm.name}: {found[arm.name]}")
    return found
