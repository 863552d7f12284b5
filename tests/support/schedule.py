"""Which test files begin, and which share a process: the longest first, so that no process is left alone with a long
one; and one demo for all journeys that need it, for it is a dozen processes.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # xdist has no types

ALONE = "tests/journeys/test_other_server.py"  # has a portal of its own
JOURNEYS = "tests/journeys/"
LONGEST_FIRST = (
    JOURNEYS,
    "tests/parts/patient_portal/test_loaded_people.py",
    "tests/parts/consent/test_failing_statements.py",
    "tests/parts/crash/",
    "tests/parts/research/",
    "tests/parts/third_party/",
    "tests/parts/fhir_bridge/reading/",
    "tests/parts/test_packaging.py",
    "tests/parts/database/",
    "tests/parts/",
)


class LongestFirst(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A file stays in one process, and so do the journeys in the demo."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return JOURNEYS if file.startswith(JOURNEYS) and file != ALONE else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LongestFirst | None:
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # in the order below, not by the number of tests
    return LongestFirst(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.nodeid))


def _place(nodeid: str) -> int:
    found = (place for place, start in enumerate(LONGEST_FIRST) if nodeid.startswith(start) and ALONE not in nodeid)
    return 1 if nodeid.startswith(ALONE) else next(found, len(LONGEST_FIRST))
