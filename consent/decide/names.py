"""From the names a pipeline uses to person numbers.

A store is asked about people by the names it knows them by: an effort's store by its own random codes, others by
`system|value` (FHIR token form) of an identifier that reaches the store. Values are never kept: only keyed indexes.
A name that is nobody's, or could be two persons', is nobody (0): no is the answer.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

from consent.coverage import alias_reaches
from consent.decide.ledger_view import LedgerView
from consent.decide.snapshot import Installation, Name
from consent.store_config import Basis, Store
from database.keyring import KeyRing

KEY_BYTES = 16


class NameBook:
    """Codes by store and names by keyed index, each read when first asked for. For one thread at a time."""

    def __init__(self, ring: KeyRing, stores: Mapping[str, Store], installation: Installation) -> None:
        self._secret = ring.active("blind-index").raw
        self._stores, self._installation = stores, installation
        self._codes: dict[str, dict[bytes, int]] = {}
        self._keys: dict[bytes, int] | None = None
        self._kinds: set[Name] = set()

    def note_kind(self, name: Name) -> None:
        self._kinds.add(name)

    def add_name(self, key: bytes, person: int) -> None:
        if self._keys is not None:
            self._keys[key] = person

    def add_code(self, store: str, code: str, person: int) -> None:
        if store in self._codes:
            self._codes[store][code.encode()] = person

    def has_read(self, store: Store) -> bool:
        """Whether `read` for this store would find nothing left to read."""
        return store.id in self._codes if store.basis is Basis.DONATION else self._keys is not None

    def read(self, view: LedgerView, store: Store) -> None:
        """Read what questions about this store need; right after news, so that later news completes it."""
        if self.has_read(store):
            return
        if store.basis is Basis.DONATION:
            self._codes[store.id] = dict(view.codes(store.id))
        else:
            self._keys = dict(view.keys())

    def codes(self, store: Store) -> Mapping[bytes, int] | None:
        """Every name by which the store knows people, where those are codes of its own; after `read` for it."""
        return self._codes.get(store.id)

    def numbers(self, store: Store, names: Sequence[bytes]) -> Iterable[int]:
        """The person number of each name, 0 for nobody; after `read` for this store."""
        if store.basis is Basis.DONATION:
            return map(self._codes[store.id].get, names, repeat(0))
        issuers = self._issuers(store)
        return [self._by_identifier(store, issuers, name) for name in names]

    def _issuers(self, store: Store) -> dict[str, list[str]]:
        """Who may have issued an identifier of each system, among the names that reach this store."""
        found: dict[str, set[str]] = {}
        for name in self._kinds:
            if store.basis is Basis.LAW:
                reaches = self._installation.states.get(name.issued_by) in store.states
            else:
                reaches = alias_reaches(store, name.practice, name.system)
            if reaches:
                found.setdefault(name.system, set()).add(name.issued_by)
        return {system: sorted(issuers) for system, issuers in found.items()}

    def _by_identifier(self, store: Store, issuers: Mapping[str, Sequence[str]], name: bytes) -> int:
        system, bar, value = name.decode("utf-8", "replace").partition("|")
        if not bar:
            system, value = store.identifier_system or "", system
        keys = self._keys or {}
        found = {keys.get(self._key(issuer, system, value), 0) for issuer in issuers.get(system, ())} - {0}
        return found.pop() if len(found) == 1 else 0

    def _key(self, issuer: str, system: str, value: str) -> bytes:
        """As `person_identity.alias_index` makes it, without a walk through the ring for each of a million names."""
        return hmac.digest(self._secret, f"alias\x00{issuer}|{system}|{value}".encode(), "sha256")[:KEY_BYTES]
