"""Keeping while more is fetched: what comes first at once, then many in one transaction, everything before the end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from fhir_bridge import write_behind
from fhir_bridge.write_behind import WriteBehind


def test_the_first_is_kept_at_once_and_the_rest_in_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """G1.5, FHIR-10: the first page does not wait for a second, and the patient comes with it; forty later ones take a
    few calls, in their order."""
    monkeypatch.setattr(write_behind, "PATIENCE_SECONDS", 60.0)  # so that only ENOUGH or the end can be the reason
    kept: list[list[Any]] = []
    first = threading.Event()

    def keep(items: list[Any]) -> None:
        kept.append(items)
        first.set()

    behind = WriteBehind(_as_it_is, keep)
    behind.put("the patient", 1)
    behind.put("page 0", 50)
    assert first.wait(30)
    for number in range(1, 41):
        behind.put(f"page {number}", 50)
    behind.close()
    assert kept[0] == ["the patient", "page 0"]
    assert [one for items in kept for one in items][1:] == [f"page {number}" for number in range(41)]
    assert len(kept) <= 2 + 40 * 50 // write_behind.ENOUGH


def test_what_goes_wrong_is_told_to_who_brings_more() -> None:
    """FHIR-10: a database that fails ends the fetch; nothing is thought to be kept."""

    def keep(_items: list[Any]) -> None:
        raise ValueError("no database")

    behind = WriteBehind(_as_it_is, keep)

    def bring() -> None:
        for _ in range(1000):
            behind.put("page", 50)

    with pytest.raises(ValueError, match="no database"):
        bring()
    with pytest.raises(ValueError, match="no database"):
        behind.close()


def test_what_cannot_be_made_ready_ends_the_fetch() -> None:
    """FHIR-10: a page that cannot be sealed is not passed over in silence, and nothing after it is kept."""
    kept: list[Any] = []

    def ready(item: Any) -> Any:
        if item == "page 3":
            raise ValueError("no key")
        return item

    behind = WriteBehind(ready, kept.extend)

    def bring() -> None:
        for number in range(1000):
            behind.put(f"page {number}", 50)

    with pytest.raises(ValueError, match="no key"):
        bring()
    with pytest.raises(ValueError, match="no key"):
        behind.close()
    assert kept in ([f"page {number}" for number in range(count)] for count in range(4))


def test_who_brings_too_much_waits() -> None:
    """G1.6: while the database is slow, no more waits than memory is promised for."""
    slow, brought = threading.Event(), []

    def keep(_items: list[Any]) -> None:
        assert slow.wait(30)

    behind = WriteBehind(_as_it_is, keep)

    def bring() -> None:
        for number in range(100):
            behind.put(number, 100)
            brought.append(number)

    bringing = threading.Thread(target=bring)
    bringing.start()
    bringing.join(0.05)
    assert len(brought) <= write_behind.MOST_WAITING // 100
    slow.set()
    bringing.join(30)
    behind.close()
    assert len(brought) == 100


def _as_it_is(item: Any) -> Any:
    return item
