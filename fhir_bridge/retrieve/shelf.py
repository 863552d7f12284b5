"""What a retrieval has received so far: each resource once, what it refers to, and its attached files."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from fhir_bridge.retrieve.chain import Mark
from fhir_bridge.retrieve.files import FetchedFile
from fhir_bridge.retrieve.page import Received
from fhir_bridge.retrieve.references import FileLink, References, file_links_in
from fhir_bridge.retrieve.states import Dropped, TypeOutcome


def _nothing(_given: object) -> None:
    return None


@dataclass(frozen=True)
class Sinks:
    """Where things go. They are called by one thread at a time, so they may share one database session.

    `on_page(type, resources)`: as each page arrives; the same type and id may come again when a newer copy is found.
    `on_mark`: how far a search is, after its page. `on_outcome`: when a type is finished. `on_file`: each attached
    file; None: files are not fetched.
    """

    on_page: Callable[[str, list[Received]], None]
    on_outcome: Callable[[TypeOutcome], None] = _nothing
    on_file: Callable[[FetchedFile], None] | None = None
    on_mark: Callable[[Mark], None] = _nothing


@dataclass
class Shelf:
    """Shared by the threads of one retrieval. `known` holds 16 bytes of each resource's digest and its lastUpdated, by
    `Type/id`: what a record of 100,000 entries can afford."""

    sinks: Sinks
    base: str
    referenced_types: tuple[str, ...]
    lock: threading.Lock = field(default_factory=threading.Lock)
    known: dict[str, bytes] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    files: dict[str, FileLink] = field(default_factory=dict)
    references: References = field(init=False)

    def __post_init__(self) -> None:
        self.references = References(self.referenced_types, self.base)

    @property
    def wanted(self) -> set[str]:
        """`Type/id` of what is referred to and was not received."""
        with self.lock:
            return self.references.found - self.known.keys()

    def keep(self, kind: str, received: list[Received], mark: Mark | None = None) -> list[Dropped]:
        """Hand on what is new or newer; what was not kept because a newer copy is there."""
        fresh, older = [], []
        with self.lock:
            for one in received:
                stands = self._takes(one)
                if stands is None:
                    older.append(Dropped(one.type, one.id, "older-copy"))
                elif stands:
                    fresh.append(one)
            if fresh:
                self.sinks.on_page(kind, fresh)
            if mark is not None:
                self.sinks.on_mark(mark)
        return older

    def recall(self, one: Received) -> None:
        """Know what an earlier run of the same retrieval has kept."""
        with self.lock:
            self._takes(one)

    def done(self, outcome: TypeOutcome) -> TypeOutcome:
        with self.lock:
            self.sinks.on_outcome(outcome)
        return outcome

    def _takes(self, one: Received) -> bool | None:
        """True: it is new; False: it is here; None: a newer copy is."""
        name, updated = f"{one.type}/{one.id}", one.updated.encode()
        digest = hashlib.sha256(one.raw).digest()[:16]
        seen = self.known.get(name)
        if seen is None:
            self.counts[one.type] += 1
        elif seen[:16] == digest:
            return False
        elif updated <= seen[16:]:
            return None
        self.known[name] = digest + updated
        self.references.note(one)
        for link in file_links_in(one.resource, self.base):
            if link.url not in self.files or link.owner.startswith("DocumentReference/"):
                self.files[link.url] = link  # what says which kind of note it is shows it (FHIR-12)
        return True
