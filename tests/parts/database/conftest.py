"""The versions of PostgreSQL that this machine has; what is true of the embedded server is tested with each."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from database.embedded import Binaries, available_binaries


@pytest.fixture(scope="module", params=available_binaries(), ids=lambda found: f"{found.name}-{found.version}")
def binaries(request: pytest.FixtureRequest) -> Binaries:
    found: Binaries = request.param
    return found


@pytest.fixture(scope="module")
def folder(binaries: Binaries) -> Iterator[Path]:
    """One data folder per version; each test starts a server on it (pytest's own folders are closed to others)."""
    made = Path(tempfile.mkdtemp(prefix="portal-test-"))
    yield made
    shutil.rmtree(made)
