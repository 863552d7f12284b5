"""What every test may ask for; the fixtures themselves stand in `tests/support`."""

from __future__ import annotations

from tests.support.scratch import use_memory

use_memory()

pytest_plugins = [
    "tests.support.schedule",
    "tests.support.postgres",
    "tests.support.portal",
    "tests.support.third_party",
]
