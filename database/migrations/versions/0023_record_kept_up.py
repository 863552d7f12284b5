"""A record kept up: how far a retrieval is, who wrote an entry, counts that cost the same at any size."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

OWN = "person_id = ANY (app_persons())"
RIGHTS = {
    "retrieval_search": "SELECT, INSERT, UPDATE, DELETE",
    "entry_provenance": "SELECT, INSERT, DELETE",
    "record_count": "SELECT, INSERT, UPDATE, DELETE",
}

# The pages ask how many there are of each kind; counting a long record anew for each page costs more than the page.
COUNTING = """
CREATE FUNCTION count_record_entries() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO record_count AS c (person_id, provider_id, kind, total, withdrawn)
    SELECT person_id, provider_id, kind, count(*), count(*) FILTER (WHERE mistake) FROM added
    GROUP BY person_id, provider_id, kind ORDER BY person_id, provider_id, kind
    ON CONFLICT (person_id, provider_id, kind) DO UPDATE
    SET total = c.total + excluded.total, withdrawn = c.withdrawn + excluded.withdrawn;
  ELSIF TG_OP = 'DELETE' THEN
    UPDATE record_count c SET total = c.total - g.total, withdrawn = c.withdrawn - g.withdrawn
    FROM (SELECT person_id, provider_id, kind, count(*) AS total, count(*) FILTER (WHERE mistake) AS withdrawn
          FROM gone GROUP BY person_id, provider_id, kind) g
    WHERE (c.person_id, c.provider_id, c.kind) = (g.person_id, g.provider_id, g.kind);
  ELSE
    INSERT INTO record_count AS c (person_id, provider_id, kind, total, withdrawn)
    SELECT person_id, provider_id, kind, sum(n), coalesce(sum(n) FILTER (WHERE mistake), 0)
    FROM (SELECT person_id, provider_id, kind, mistake, 1 AS n FROM added
          UNION ALL SELECT person_id, provider_id, kind, mistake, -1 FROM gone) moved
    GROUP BY person_id, provider_id, kind
    HAVING sum(n) <> 0 OR coalesce(sum(n) FILTER (WHERE mistake), 0) <> 0 ORDER BY person_id, provider_id, kind
    ON CONFLICT (person_id, provider_id, kind) DO UPDATE
    SET total = c.total + excluded.total, withdrawn = c.withdrawn + excluded.withdrawn;
  END IF;
  RETURN NULL;
END $f$
"""
TRIGGERS = {
    "INSERT": "REFERENCING NEW TABLE AS added",
    "UPDATE": "REFERENCING OLD TABLE AS gone NEW TABLE AS added",
    "DELETE": "REFERENCING OLD TABLE AS gone",
}


def upgrade() -> None:
    # Whether everything was asked for, or only what changed since an earlier fetch.
    op.add_column("retrieval", sa.Column("whole", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.execute("GRANT UPDATE (whole) ON retrieval TO portal_web, portal_worker")
    op.add_column("record_entry", sa.Column("code_index", sa.LargeBinary(), nullable=True))
    op.create_index("ix_record_entry_code", "record_entry", ["person_id", "code_index", "clinical_date", "id"])
    op.create_table(
        "retrieval_search",
        sa.Column("retrieval_id", sa.Uuid(), sa.ForeignKey("retrieval.id"), nullable=False),
        sa.Column("search_index", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("retrieval_id", "search_index", name=op.f("pk_retrieval_search")),
    )
    op.create_table(
        "entry_provenance",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("target_index", sa.LargeBinary(), nullable=False),
        sa.Column("provenance_index", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "person_id", "provider_id", "target_index", "provenance_index", name=op.f("pk_entry_provenance")
        ),
    )
    op.create_table(
        "record_count",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("withdrawn", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("person_id", "provider_id", "kind", name=op.f("pk_record_count")),
    )
    for table, rights in RIGHTS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own ON {table} TO portal_web, portal_worker USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(f"GRANT {rights} ON {table} TO portal_web, portal_worker")
    op.execute(
        "INSERT INTO record_count (person_id, provider_id, kind, total, withdrawn)"
        " SELECT person_id, provider_id, kind, count(*), count(*) FILTER (WHERE mistake) FROM record_entry"
        " GROUP BY person_id, provider_id, kind"
    )
    op.execute(COUNTING)
    for event, rows in TRIGGERS.items():
        op.execute(
            f"CREATE TRIGGER count_after_{event.lower()} AFTER {event} ON record_entry {rows}"
            " FOR EACH STATEMENT EXECUTE FUNCTION count_record_entries()"
        )
