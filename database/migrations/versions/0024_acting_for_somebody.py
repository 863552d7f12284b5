"""Representatives with their authority, invited helpers, forms they filled in, and reports of a death."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"

OWN = "person_id = ANY (app_persons())"
# Who holds an invitation holds its secret, and is nobody else to us.
HOLDER = f"{OWN} OR token_index = ANY (app_lookups())"
# A report about nobody we found is reached by the id that its task carries, never by looking around.
REPORTED = f"{OWN} OR report_index = ANY (app_lookups())"
BOTH = "portal_web, portal_worker"
TIME = postgresql.TIMESTAMP(timezone=True)
RIGHTS = (
    ("authority", OWN, "SELECT, INSERT"),
    ("authority_step", OWN, "SELECT, INSERT"),
    ("helper", HOLDER, "SELECT, INSERT, UPDATE (attempts_left, ended_at), DELETE"),
    ("helper_visit", HOLDER, "SELECT, INSERT, DELETE"),
    ("filled_in", OWN, "SELECT, INSERT, UPDATE, DELETE"),
    ("silence", OWN, "SELECT, INSERT, DELETE"),
    ("death_report", REPORTED, "SELECT, INSERT, UPDATE (person_id, outcome, settled_by, settled_at)"),
)


def upgrade() -> None:
    _authority()
    _helpers()
    _deaths()
    for table, visible, rights in RIGHTS:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own ON {table} TO {BOTH} USING ({visible}) WITH CHECK ({visible})")
        op.execute(f"GRANT {rights} ON {table} TO {BOTH}")
    for table in ("authority", "authority_step"):
        for name, when, each in (
            ("keep_history", "UPDATE OR DELETE", "ROW"),
            ("keep_all_history", "TRUNCATE", "STATEMENT"),
        ):
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH {each} EXECUTE FUNCTION refuse_change()"
            )
    op.execute(f"GRANT UPDATE (died_on) ON person TO {BOTH}")
    # A campaign is planned for many people at once, and leaves these out.
    op.execute("CREATE POLICY propagation ON silence TO portal_propagation USING (true)")
    op.execute("GRANT SELECT ON silence TO portal_propagation")


def _authority() -> None:
    op.create_table(
        "authority",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("stated_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("of_age_on", sa.Date(), nullable=True),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("stated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authority")),
        sa.UniqueConstraint("person_id", "form", name=op.f("uq_authority_person_id_form")),
    )
    op.create_index(op.f("ix_authority_person_id"), "authority", ["person_id"])
    op.create_index(op.f("ix_authority_account_id"), "authority", ["account_id"])
    op.create_table(
        "authority_step",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("authority_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("by_kind", sa.Text(), nullable=False),
        sa.Column("by_account", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["authority_id"], ["authority.id"], name=op.f("fk_authority_step_authority_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authority_step")),
    )
    op.create_index(op.f("ix_authority_step_authority_id"), "authority_step", ["authority_id"])


def _helpers() -> None:
    op.create_table(
        "helper",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("token_index", sa.LargeBinary(), nullable=False),
        sa.Column("passcode_index", sa.LargeBinary(), nullable=False),
        sa.Column("attempts_left", sa.Integer(), nullable=False),
        sa.Column("known_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("invited_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_helper")),
        sa.UniqueConstraint("token_index", name=op.f("uq_helper_token_index")),
    )
    op.create_index(op.f("ix_helper_person_id"), "helper", ["person_id"])
    op.create_table(
        "helper_visit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("helper_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("token_index", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["helper_id"], ["helper.id"], name=op.f("fk_helper_visit_helper_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_helper_visit")),
    )
    op.create_index(op.f("ix_helper_visit_helper_id"), "helper_visit", ["helper_id"])
    op.create_table(
        "filled_in",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("effort_id", sa.Text(), nullable=False),
        sa.Column("helper_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("filled_in_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "effort_id", name=op.f("pk_filled_in")),
    )


def _deaths() -> None:
    op.add_column("person", sa.Column("died_on", sa.Date(), nullable=True))
    op.create_table(
        "silence",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_silence")),
    )
    op.create_table(
        "death_report",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("report_index", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("told_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("reported_at", TIME, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("settled_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_death_report")),
        sa.UniqueConstraint("report_index", name=op.f("uq_death_report_report_index")),
    )
    op.create_index(op.f("ix_death_report_person_id"), "death_report", ["person_id"])
