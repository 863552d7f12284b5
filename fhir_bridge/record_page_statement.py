"""How a page of a list is asked for (record_list.py): one text for each way, built once."""

from __future__ import annotations

from functools import cache

from sqlalchemy import TextClause, text

from fhir_bridge.record_aside import BESIDE

# A page of a list: for each person one look into the index of pages, from the mark on, then what stands in those few
# entries. Text, so that nothing is built anew, and LATERAL, so that no plan can read a record from end to end.
_PAGE = """
    SELECT e.id, e.person_id, e.provider_id, e.type, e.kind, e.fhir_id_index, e.retrieval_id, e.clinical_date,
           v.content_sealed, v.received_at, k.wrapped {beside}
    FROM (SELECT o.* FROM unnest(CAST(:persons AS uuid[])) p (id)
          CROSS JOIN LATERAL (SELECT * FROM record_entry r WHERE r.person_id = p.id AND r.kind = :kind {narrowed}
                              ORDER BY r.clinical_date {way}, r.id {way} LIMIT :most) o
          ORDER BY o.clinical_date {way}, o.id {way} LIMIT :most) e
    CROSS JOIN LATERAL (SELECT * FROM resource_version w WHERE w.id = e.version_id LIMIT 1) v
    JOIN person_key k ON k.person_id = e.person_id
    ORDER BY e.clinical_date {way}, e.id {way}
"""
# Of a page of medicines in one statement too what is of the same days, where there are several hospitals: each of them
# may name a medicine that stands in an entry of its own, and those are the second. A day before and after is read, as
# in `record_list`.
_SAME_DAYS = """
    WITH page AS MATERIALIZED ({page}),
    days AS (SELECT min(clinical_date) AS oldest, max(clinical_date) AS newest FROM page
             WHERE (SELECT count(DISTINCT provider_id) FROM retrieval
                    WHERE person_id = ANY (CAST(:persons AS uuid[]))) > 1)
    SELECT page.*, true AS here FROM page
    UNION ALL
    SELECT e.id, e.person_id, e.provider_id, e.type, e.kind, e.fhir_id_index, e.retrieval_id, e.clinical_date,
           v.content_sealed, v.received_at, k.wrapped, NULL, NULL, NULL, false
    FROM days CROSS JOIN LATERAL (
        SELECT r.* FROM record_entry r
        WHERE r.person_id = ANY (CAST(:persons AS uuid[])) AND r.kind = :kind AND r.id NOT IN (SELECT id FROM page)
        AND r.clinical_date >= CASE days.oldest WHEN '' THEN ''
            ELSE to_char(CAST(left(days.oldest, 10) AS date) - 1, 'YYYY-MM-DD') END
        AND r.clinical_date <= CASE days.newest WHEN '' THEN ''
            ELSE to_char(CAST(left(days.newest, 10) AS date) + 1, 'YYYY-MM-DD') || '~' END
        ORDER BY r.clinical_date DESC, r.id DESC LIMIT :most_beside) e
    CROSS JOIN LATERAL (SELECT * FROM resource_version w WHERE w.id = e.version_id LIMIT 1) v
    JOIN person_key k ON k.person_id = e.person_id
    ORDER BY here DESC, clinical_date {way}, id {way}
"""
# Of what is looked through for words: what a page needs beside it comes once, in a row of its own.
_ALONE = """
    WITH page AS MATERIALIZED ({page})
    SELECT page.*, NULL AS beside FROM page
    UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, {beside}
    ORDER BY clinical_date {way} NULLS LAST, id {way} NULLS LAST
"""
_SINCE = " AND r.clinical_date >= :since"
_UNTIL = " AND r.clinical_date < :until AND r.clinical_date <> ''"
_MARK = (
    " AND (r.clinical_date, r.id) {than} ((SELECT m.clinical_date FROM record_entry m WHERE m.id = CAST(:mark AS uuid)"
    " AND m.person_id = ANY (CAST(:persons AS uuid[]))), CAST(:mark AS uuid))"
)
_NAMED = " AND (r.code_index = ANY (CAST(:codes AS bytea[])) OR r.code_index IS NULL)"
_COUNTED = """
    , (SELECT coalesce(sum({facts}), 0) FROM {of} c
       WHERE c.person_id = ANY (CAST(:persons AS uuid[])) AND c.kind = :kind) AS total
    , (SELECT coalesce(sum({withdrawn}), 0) FROM {of} c
       WHERE c.person_id = ANY (CAST(:persons AS uuid[])) AND c.kind = :kind) AS withdrawn
    , {beside} AS beside
"""
# Counted beforehand; or now, where the record is read without some of its entries.
COUNTED_BEFOREHAND = _COUNTED.format(
    facts="c.total - c.withdrawn", withdrawn="c.withdrawn", of="record_count", beside=BESIDE
)  # fmt: skip
COUNTED_NOW = _COUNTED.format(
    facts="CAST(NOT c.mistake AS int)", withdrawn="CAST(c.mistake AS int)", of="record_entry", beside=BESIDE
)


@cache
def page_statement(given: frozenset[str], counted: str, *, backwards: bool, same_days: bool) -> TextClause:
    """One text for each way in which a list can be asked for: `given` names its parameters, `counted` is one of the two
    above; when it is empty, what stands beside comes in a last row without an id. With `same_days` rows come after
    those of the page that are not `here`, but of its days."""
    parts = {"since": _SINCE, "until": _UNTIL, "mark": _MARK.format(than=">" if backwards else "<"), "codes": _NAMED}
    narrowed = "".join(part for name, part in parts.items() if name in given)
    way = "ASC" if backwards else "DESC"
    page = _PAGE.format(narrowed=narrowed, way=way, beside=counted)
    if same_days:
        page = _SAME_DAYS.format(page=page, way=way)
    return text(page if counted else _ALONE.format(page=page, way=way, beside=BESIDE))
