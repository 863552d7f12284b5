"""The feed may add the clock's no for many people at once; of a person's row it gets the lock and nothing else."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"

# The worker's login inherits from the role; what is narrowed here is the role itself, once it is put on.
NOT_THE_ROLE = "current_user <> 'portal_propagation'"
AN_END = f"{NOT_THE_ROLE} OR (answer = 'no' AND means = 'expiry' AND actor_kind = 'system')"


def upgrade() -> None:
    op.execute("GRANT INSERT ON decision, unsequenced TO portal_propagation")
    op.execute(f"CREATE POLICY only_an_end ON decision AS RESTRICTIVE FOR INSERT TO portal_propagation"
               f" WITH CHECK ({AN_END})")  # fmt: skip
    # A row can be locked only by who may update a column of it; no new value is ever let through.
    op.execute("GRANT UPDATE (created_at) ON person TO portal_propagation")
    op.execute(f"CREATE POLICY only_a_lock ON person AS RESTRICTIVE FOR UPDATE TO portal_propagation"
               f" USING (true) WITH CHECK ({NOT_THE_ROLE})")  # fmt: skip
