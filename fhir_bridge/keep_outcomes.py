"""Keeps how each type of a retrieval fared, and takes out what a hospital no longer has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from database.straight import Straight
from fhir_bridge.keep_record import Keeper, version_place
from fhir_bridge.retrieve.beside import FILE_TYPE
from fhir_bridge.retrieve.states import State, TypeOutcome

COMPLETE = {State.OK, State.EMPTY}
MOST_NAMED = 200

_OUTCOMES = text(
    "INSERT INTO retrieval_type (retrieval_id, type, person_id, state, count, notices_sealed, updated_at)"
    " SELECT :retrieval, told.type, :person, told.state, told.count, told.sealed, told.at"
    " FROM unnest(CAST(:types AS text[]), CAST(:states AS text[]), CAST(:counts AS int[]), CAST(:sealed AS bytea[]),"
    " CAST(:ats AS timestamptz[])) AS told (type, state, count, sealed, at)"
    " ON CONFLICT (retrieval_id, type) DO UPDATE SET state = excluded.state, count = excluded.count,"
    " notices_sealed = excluded.notices_sealed, updated_at = excluded.updated_at"
)
_VANISHED = text(
    "WITH gone AS (DELETE FROM record_entry WHERE person_id = :person AND provider_id = :provider"
    " AND type = ANY (CAST(:types AS text[])) AND retrieval_id <> :retrieval RETURNING type, version_id)"
    " SELECT named.type, v.fhir_id_index, v.content_sealed FROM (SELECT type, version_id,"
    " row_number() OVER (PARTITION BY type ORDER BY version_id) AS n FROM gone) named"
    " JOIN resource_version v ON v.id = named.version_id WHERE named.n <= :most ORDER BY named.type, named.n"
)
_HELD = text(
    "SELECT type, count(*) FROM record_entry WHERE person_id = :person AND provider_id = :provider"
    " AND type = ANY (CAST(:types AS text[])) GROUP BY type"
)


@dataclass(frozen=True)
class Said:
    """What was said about a type at an earlier fetch, in the form in which it is kept."""

    notices: Sequence[list[Any]] = ()
    dropped: Sequence[list[str]] = ()


NOTHING_SAID = Said()


def keep_outcomes(
    keeper: Keeper, straight: Straight, outcomes: Iterable[TypeOutcome], earlier: Mapping[str, Said]
) -> None:
    """Keep how some types fared; of the same type the last counts. Entries of a complete type that were not seen
    again are no longer shown, and named; of a type that was only asked for changes all others stand, with what was
    said of them `earlier`."""
    told = list({one.type: one for one in outcomes}.values())
    if not told:
        return
    vanished = _vanished(keeper, straight, [one.type for one in told if _takes_out(one)])
    held = _held(keeper, straight, [one.type for one in told if not one.whole and one.state in COMPLETE])
    columns: dict[str, list[Any]] = {name: [] for name in ("types", "states", "counts", "sealed", "ats")}
    for one in told:
        notices = [[notice.severity, notice.code, notice.text[:500], notice.incomplete] for notice in one.notices]
        dropped = [[each.type, each.id, each.reason] for each in one.dropped[:MOST_NAMED]]
        dropped += [[one.type, identity, "vanished"] for identity in vanished.get(one.type, ())]
        state, count = one.state, one.count
        if one.type in held:
            said, count = earlier.get(one.type, NOTHING_SAID), held[one.type]
            state = State.OK if count else state
            dropped = [*dropped, *(each for each in said.dropped if each not in dropped)][:MOST_NAMED]
            notices += [each for each in said.notices if each not in notices]
        content = orjson.dumps({"notices": notices, "dropped": dropped, "stopped_by": one.stopped_by})
        sealed = keeper.cipher.seal(content, notices_place(keeper.retrieval, one.type))
        for name, value in zip(columns, (one.type, state.value, count, sealed, one.at), strict=True):
            columns[name].append(value)
    straight.execute(_OUTCOMES, columns | {"retrieval": keeper.retrieval, "person": keeper.cipher.person})


def _vanished(keeper: Keeper, straight: Straight, types: list[str]) -> dict[str, list[str]]:
    """Take out what whole, complete types no longer hold; by type, the ids of the first of them."""
    found: dict[str, list[str]] = {}
    if types:
        named = keeper.own | {"types": types, "retrieval": keeper.retrieval, "most": MOST_NAMED}
        for kind, index, sealed in straight.rows(_VANISHED, named):
            entry = orjson.loads(keeper.cipher.open(sealed, version_place(kind, index)))
            found.setdefault(kind, []).append(str(entry.get("id")))
    return found


def _held(keeper: Keeper, straight: Straight, types: list[str]) -> dict[str, int]:
    """How many entries of some types are here."""
    if not types:
        return {}
    return dict.fromkeys(types, 0) | dict(straight.rows(_HELD, keeper.own | {"types": types}))


def _takes_out(outcome: TypeOutcome) -> bool:
    """Whether what was not seen again is gone. A file stays with the entry that names it, which may not have been seen
    this time."""
    complete = outcome.whole and outcome.state in COMPLETE and not outcome.dropped
    return complete and outcome.type != FILE_TYPE


def notices_place(retrieval: UUID, of: str) -> str:
    """What binds what was said of a type to its row."""
    return f"retrieval_type:notices:{retrieval}:{of}"
