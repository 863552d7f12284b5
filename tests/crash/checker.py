"""The checker as a program: `python -m tests.crash.checker LOGS_FOLDER STORES.json`; exit status 1 when it finds any.

It reads the people's logs and asks the stores over HTTP. It knows neither the portal nor its database.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.crash.evidence import Evidence, read_logs, read_stores
from tests.crash.rules import KINDS, Verdict, check


def look(logs: Path, stores: Path) -> tuple[Evidence, Verdict]:
    """Read everything once and judge it."""
    people = read_logs(logs)
    evidence = Evidence(people, read_stores(stores, people))
    return evidence, check(evidence)


def as_lines(verdict: Verdict) -> list[str]:
    """One line for each kind: how many, of how many looked at."""
    return [
        f"{invariant}  {verdict.found(kind):>6} of {verdict.of[kind]:>7}  {words}"
        for kind, (invariant, words) in sorted(KINDS.items(), key=lambda item: item[1][0])
    ]


def main() -> int:
    _, verdict = look(Path(sys.argv[1]), Path(sys.argv[2]))
    lines = as_lines(verdict)
    for found in verdict.violations[:200]:
        lines.append(f"FOUND {found.kind}: store {found.store or '-'}, {found.person or '-'}: {found.detail}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
