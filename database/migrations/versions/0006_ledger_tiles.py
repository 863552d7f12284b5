"""Tiles of the ledger's tree: the hash of every complete run of 256, 65,536, … leaves, and one way to read hashes.

`ledger_leaves` stays for processes of the version before, and goes with a later revision.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# Hashes of leaves are salted: nothing can be read from them. Whoever proves a place in the tree needs those of
# others, which row security would hide, so this gives the 32 bytes each and no other column, at most 256 a span.
HASHES = """
CREATE FUNCTION ledger_hashes(levels int[], starts bigint[], stops bigint[])
RETURNS TABLE (place bigint, hashes bytea) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $f$
  SELECT w.place, CASE WHEN w.level = 0
    THEN (SELECT string_agg(p.leaf, ''::bytea ORDER BY p.position) FROM position p
          WHERE p.position >= w.start AND p.position < least(w.stop, w.start + 256))
    ELSE (SELECT string_agg(t.root, ''::bytea ORDER BY t.number) FROM ledger_tile t
          WHERE t.level = w.level AND t.number >= w.start AND t.number < least(w.stop, w.start + 256))
    END
  FROM unnest(levels, starts, stops) WITH ORDINALITY AS w(level, start, stop, place) ORDER BY w.place
$f$
"""


def upgrade() -> None:
    op.create_table(
        "ledger_tile",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_ledger_tile")),
    )
    op.execute(HASHES)
    op.execute("REVOKE ALL ON FUNCTION ledger_hashes FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION ledger_hashes TO portal_web, portal_worker, portal_propagation")
    op.execute("GRANT SELECT ON ledger_tile TO portal_web, portal_worker, portal_propagation")
    op.execute("GRANT INSERT ON ledger_tile TO portal_propagation")
    op.execute(
        "CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE ON ledger_tile"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER keep_all_history BEFORE TRUNCATE ON ledger_tile"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
