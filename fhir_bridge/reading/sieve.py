"""Which entries of a record can matter to the cancer story, told from their bytes: most are never read as objects.

It errs on one side only: what it leaves out adds nothing to `reading.summary`, what it lets through may. A record says
the same few hundred codes again and again, so what a code means is worked out once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import msgspec
import orjson

from fhir_bridge.reading import how_it_is, staging
from fhir_bridge.reading.cancers import diagnosis_of, had_before, in_doubt
from fhir_bridge.reading.drugs import drugs_in
from fhir_bridge.reading.markers import blood_marker_of, receptor_of
from fhir_bridge.reading.observed import HISTOLOGY
from fhir_bridge.reading.procedure_names import is_surgery, treats
from fhir_bridge.reading.shape import codes, key, objects, searchable
from fhir_bridge.reading.summary import Read
from vocabulary.resource import Resource

MOST_REMEMBERED = 20_000

Entries = Callable[[tuple[str, ...]], Iterable[tuple[str, bytes]]]
"""(type, JSON text) of a record's entries of some types."""

_CODES = staging.STAGE_CODES | how_it_is.CODES | {"69548-6", "53041-0", HISTOLOGY}
_NOTHING = (b"", b"null")


class _Head(msgspec.Struct):
    """The elements that decide, as they stand in the entry; all others are passed over."""

    id: Any = None
    code: msgspec.Raw = msgspec.Raw()
    medication: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="medicationCodeableConcept")
    reference: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="medicationReference")
    reason: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="reasonCode")
    because_of: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="reasonReference")


_HEADS = msgspec.json.Decoder(_Head)


def sifted(entries: Entries) -> Read:
    """How the story reads `entries` (reading/summary.py): what cannot matter is passed over."""
    sieve = Sieve()

    def read(types: tuple[str, ...], keys: Collection[str] | None) -> Iterator[Resource]:
        for kind, raw in entries(types):
            found = sieve.read(kind, raw) if keys is None else sieve.read_named(raw, keys)
            if found is not None:
                yield found

    return read


class Sieve:
    """Reads the entries of one record; to be used for no other, since it remembers their codes."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, bytes], bool] = {}
        self._medicines: dict[bytes, Any] = {}

    def read(self, kind: str, raw: bytes) -> Resource | None:
        """The entry, None when it cannot matter to the story. Of a Medication only what the story reads of it."""
        if b"mcode-" not in raw and b"\\u" not in raw:  # a profile's name; a text that may be written in another way
            try:
                head = _HEADS.decode(raw)
            except (msgspec.MsgspecError, RecursionError, ValueError):
                return _whole(raw)
            if kind == "Medication":
                return self._medicine(head)
            if not self._matters(kind, head):
                return None
        return _whole(raw)

    def read_named(self, raw: bytes, keys: Collection[str]) -> Resource | None:
        """The entry when it is one of `keys` (`Type/id`), whatever it says."""
        found = _whole(raw)
        return found if found is not None and key(found) in keys else None

    def _matters(self, kind: str, head: _Head) -> bool:
        if kind == "Condition":
            return self._means(_may_be_cancer, kind, head.code)
        if kind == "Observation":
            return self._means(_may_say_of_cancer, kind, head.code)
        if kind == "Procedure":
            return self._means(_may_treat, kind, head.code)
        if bytes(head.because_of) not in _NOTHING or bytes(head.reference) not in _NOTHING:
            return True
        return self._means(drugs_in, "medicine", head.medication) or self._means(_names_cancer, "reason", head.reason)

    def _means(self, asked: Callable[[Any], Any], of: str, concept: msgspec.Raw) -> bool:
        """Whether a concept means what is asked, worked out once for each way in which it is written."""
        written = bytes(concept)
        if written in _NOTHING:
            return False
        known = self._said.get((of, written))
        if known is None:
            known = bool(asked(orjson.loads(written)))
            if len(self._said) < MOST_REMEMBERED:
                self._said[of, written] = known
        return known

    def _medicine(self, head: _Head) -> Resource:
        """Many orders name the same medicine, each as an entry of its own: its code stands in memory once."""
        written = bytes(head.code)
        code = self._medicines.get(written)
        if code is None and written not in _NOTHING:
            code = self._medicines.setdefault(written, orjson.loads(written))
        return {"resourceType": "Medication", "id": head.id, "code": code}


def _whole(raw: bytes) -> Resource | None:
    found = orjson.loads(raw)
    return found if isinstance(found, dict) else None


def _may_be_cancer(concept: Any) -> bool:
    return diagnosis_of(concept) is not None or in_doubt(concept) or had_before(concept)


def _names_cancer(reasons: Any) -> bool:
    return any(diagnosis_of(one) is not None for one in objects(reasons))


def _may_say_of_cancer(concept: Any) -> bool:
    words = searchable(concept)
    named = {"code": concept}
    return (
        bool(codes(concept) & _CODES)
        or ("history of" in words and "metasta" in words)
        or blood_marker_of(named) is not None
        or receptor_of(named) is not None
    )


def _may_treat(concept: Any) -> bool:
    return treats(concept) is not None or is_surgery(concept)
