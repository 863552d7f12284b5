"""Alembic's entry: runs on the connection handed over by `database.migrate`, in one transaction per revision."""

from __future__ import annotations

from alembic import context

from database.base_table import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    transaction_per_migration=True,
    include_name=lambda name, kind, _parents: kind != "table" or not (name or "").startswith("procrastinate"),
)
with context.begin_transaction():
    context.run_migrations()
