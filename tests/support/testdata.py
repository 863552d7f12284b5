"""Where the shared test data stands, and what happens when it does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTDATA = Path(os.environ.get("PORTAL_TESTDATA", ROOT.parent / "shared" / "testdata"))


def testdata(path: str) -> Path:
    """The file or folder `path` of the shared test data; without it a test fails in CI and is skipped elsewhere."""
    found = TESTDATA / path
    if not found.exists():
        message = f"shared test data is absent: {path or '.'} (expected beside the checkout as ../shared/testdata)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


testdata.__test__ = False  # type: ignore[attr-defined]  # pytest would collect the name otherwise
