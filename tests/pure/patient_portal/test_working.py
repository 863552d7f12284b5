"""What worker and feed do before anything else."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from patient_portal import working


class Told(Exception):
    """Stands for what comes after."""


@pytest.mark.parametrize(
    "run", [lambda settings: working.run_worker_process(settings, 1), working.run_feed_process], ids=["worker", "feed"]
)
def test_they_give_way_to_the_pages(run: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """G6.4: both lower their own priority by what is set, before they begin to work."""

    def nice(by: int) -> int:
        raise Told(by)

    monkeypatch.setattr(os, "nice", nice)
    monkeypatch.setattr(working, "end_with_parent", lambda: None)
    with pytest.raises(Told, match=r"^7$"):
        run(SimpleNamespace(background_nice=7))
