"""What every test may ask for; the fixtures themselves stand in `tests/support`."""

from __future__ import annotations

import os

from hypothesis import settings

from tests.support.scratch import use_memory

use_memory()
settings.register_profile("quick", max_examples=25)  # `make check`: a first look; `make test` draws four times as many

# The pure tests of `make check` touch no real part, and loading these takes seconds.
REAL_PARTS = ["tests.support.postgres", "tests.support.portal", "tests.support.third_party"]
pytest_plugins = ["tests.support.schedule", *([] if os.environ.get("PURE_ONLY") else REAL_PARTS)]
