"""What a retrieval has received so far, shared by the threads of its searches."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from fhir_bridge.retrieve.page import read_page
from fhir_bridge.retrieve.shelf import Shelf, Sinks

BASE = "https://hospital.example/fhir"


class Watched(dict[str, bytes]):
    """Says no to whoever walks through it while others may write into it."""

    def __init__(self, lock: threading.Lock) -> None:
        super().__init__()
        self.lock = lock

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("walked through")

    def keys(self) -> object:  # type: ignore[override]  # only to be looked at
        assert self.lock.locked()
        return super().keys()


def shelf() -> Shelf:
    made = Shelf(Sinks(lambda _kind, _received: None), BASE, ("Practitioner",))
    made.known = Watched(made.lock)
    return made


def page_of(first: int, count: int, kind: str = "Observation") -> bytes:
    entries = ",".join(
        f'{{"resource":{{"resourceType":"{kind}","id":"{n}","subject":{{"reference":"Patient/p"}},'
        f'"performer":[{{"reference":"Practitioner/d{n}"}}]}}}}'
        for n in range(first, first + count)
    )
    return f'{{"resourceType":"Bundle","type":"searchset","entry":[{entries}]}}'.encode()


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching")
def test_a_type_that_ends_while_others_come_in() -> None:
    """FHIR-08: what is there is counted and what is wanted is found without walking through what others write into."""
    kept, stop, seen = shelf(), threading.Event(), []

    def look() -> None:
        while not stop.is_set():
            seen.append((kept.counts["Observation"], len(kept.wanted)))

    def write(first: int) -> None:
        for start in range(first, first + 200, 20):
            page = read_page(page_of(start, 20), "Observation", "p", BASE)
            assert kept.keep("Observation", list(page.received)) == []

    looking = threading.Thread(target=look)
    writing = [threading.Thread(target=write, args=(first,)) for first in (0, 200)]
    for thread in (looking, *writing):
        thread.start()
    for thread in writing:
        thread.join()
    stop.set()
    looking.join()
    assert kept.counts["Observation"] == len(kept.known) == 400
    assert len(kept.wanted) == 400
    assert seen == sorted(seen)
