"""The growth curve as a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_markdown(result: Mapping[str, Any]) -> str:
    """What is known so far, as tables; the ratio is the largest size over the smallest."""
    names = [f"{size:,}" for size in result["sizes"]]
    said = [
        "# The schema as people grow",
        "",
        "By `python -m benchmarks scale`. Medians; sizes took turns in each round. Times are worth their ratio only.",
        f"Probes, first and last: {result['probes']}",
        "",
        "| Path | Figure | " + " | ".join(names) + " | last / first |",
        "|---|---|" + "---|" * (len(names) + 1),
    ]
    for path, by_size in result.get("paths", {}).items():
        for figure in by_size[names[0]]:
            values = [by_size[name][figure] for name in names]
            ratio = f"{values[-1] / values[0]:.2f}" if values[0] else "-"
            said.append(f"| {path} | {figure} | " + " | ".join(f"{value:,.4g}" for value in values) + f" | {ratio} |")
    said += ["", "## Buffers by statement, and tables read from end to end", ""]
    for name, paths in result.get("plans", {}).items():
        for path, plans in paths.items():
            scans = sorted({scan for plan in plans for scan in plan["scans"]})
            said.append(
                f"- {name}, {path}: {len(plans)} statements, {sum(p['buffers'] for p in plans):,} buffers,"
                f" {sum(p['milliseconds'] for p in plans):.1f} ms in the server" + (f"; SCANS {scans}" if scans else "")
            )
    said += ["", "## Work on everyone", ""]
    said += [f"- {name}: {work}" for name, work in result.get("sets", {}).items()]
    said += ["", "## Ids, indexes and settings, at the largest size", ""]
    said += [f"- {name}: {figures}" for name, figures in result.get("arms", {}).items()]
    said += [
        "",
        "## Bytes on disk (before, at the largest size)",
        "",
        "| Table or index | MB | bytes a row |",
        "|---|---|---|",
    ]
    for row in result.get("tables", {}).get(names[-1], []):
        said.append(f"| {row['name']} | {row['bytes'] / 1e6:,.1f} | {row['bytes'] / max(row['rows'], 1):.0f} |")
    said += ["", "A decision told to a store takes this many bytes there:"]
    said += [f"- {name} people: {took}" for name, took in result.get("event_bytes", {}).items()]
    return "\n".join(said) + "\n"
