"""A browser that is refused: the calm page, nobody signed in, nothing kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.actors import Cast, Visitor

PATIENT = "rv-p04"
KEPT = ("account", "person", "connection", "token", "retrieval", "decision", "procrastinate_jobs")


@pytest.fixture
def visitor(cast: Cast) -> Visitor:
    """A new browser; what the hospitals publish is read anew."""
    cast.portal.app.extensions.pop("smart-client", None)
    return cast.newcomer()


@pytest.fixture
def nothing_kept(cast: Cast) -> Iterator[None]:
    """After the test there is not one row more of an account, a person, a connection, a token or a job."""
    before = counts(cast)
    yield
    assert counts(cast) == before


def counts(cast: Cast) -> dict[str, int]:
    counted = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS n FROM {name}" for name in KEPT)
    return {row.name: row.n for row in cast.portal.rows(counted)}


def refused(cast: Cast, visitor: Visitor, answer: Any, status: int | set[int], words: str = "") -> None:
    """A calm page with this status, and nobody signed in."""
    assert answer.status_code in ({status} if isinstance(status, int) else status), answer.text
    assert "<h1>" in answer.text
    assert words in answer.text
    assert "Traceback" not in answer.text
    assert visitor.get("/record").status_code == 303
    assert cast.portal.app.extensions["wiring"] is cast.portal.wiring


def in_spanish(cast: Cast, visitor: Visitor, ask: Callable[[], Any], english: str) -> None:
    """The same refusal again, for a browser that speaks Spanish."""
    visitor.get("/?lang=es")
    page = ask().text
    assert '<html lang="es"' in page
    assert english not in page
