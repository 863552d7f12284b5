"""What every test may ask for; the fixtures themselves stand in `tests/support`."""

from __future__ import annotations

import gc
import os

from tests.support import draws
from tests.support.scratch import use_memory

use_memory()
# Programs and libraries alone are hundreds of thousands of objects; looking through them every few tests finds nothing.
gc.set_threshold(50_000, 20, 100)
draws.register()

# The pure tests of `make check` touch no real part, and loading these takes seconds.
REAL_PARTS = ["tests.support.postgres", "tests.support.portal", "tests.support.third_party"]
pytest_plugins = ["tests.support.schedule", *([] if os.environ.get("PURE_ONLY") else REAL_PARTS)]
