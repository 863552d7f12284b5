"""Procrastinate's tables and functions, as its version 3.10.0 defines them."""

from __future__ import annotations

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.execute(SchemaManager.get_schema().encode())
    op.execute(
        """
        DO $do$ DECLARE made record; BEGIN
          FOR made IN SELECT c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = 'public' AND c.relname LIKE 'procrastinate%' AND c.relkind IN ('r', 'S') LOOP
            IF made.relkind = 'S' THEN
              EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE %I TO portal_web, portal_worker', made.relname);
            ELSE
              EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO portal_web, portal_worker', made.relname);
            END IF;
          END LOOP;
        END $do$
        """
    )
