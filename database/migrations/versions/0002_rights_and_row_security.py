"""Rights by role, forced row security, and the trigger that keeps history as it was written."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

FUNCTIONS = """
CREATE FUNCTION app_persons() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS
  $f$ SELECT string_to_array(current_setting('app.persons', true), ',')::uuid[] $f$;
CREATE FUNCTION app_account() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
  $f$ SELECT nullif(current_setting('app.account', true), '')::uuid $f$;
CREATE FUNCTION app_practices() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS
  $f$ SELECT string_to_array(current_setting('app.practices', true), ',') $f$;
CREATE FUNCTION app_lookups() RETURNS bytea[] LANGUAGE sql STABLE PARALLEL SAFE AS
  $f$ SELECT array(SELECT decode(part, 'hex')
                   FROM unnest(string_to_array(current_setting('app.lookups', true), ',')) AS part) $f$;
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
  $f$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $f$;
"""

OWN = "person_id = ANY (app_persons())"

# table: who may see a row under a person, account or lookup context
ROWS = {
    "person": "id = ANY (app_persons())",
    "person_alias": f"{OWN} OR value_index = ANY (app_lookups())",
    "person_link": f"{OWN} OR other_person_id = ANY (app_persons())",
    "decision": OWN,
    "unsequenced": OWN,
    "position": OWN,
    "store_subject": OWN,
    "parked_item": OWN,
    "audit_event": OWN,
    "staff_task": f"{OWN} OR practice_id = ANY (app_practices())",
    "account": "id = app_account() OR subject_index = ANY (app_lookups())",
    "connection": f"{OWN} OR account_id = app_account()",
    "token": OWN,
    "web_session": "id_index = ANY (app_lookups()) OR account_id = app_account()",
    "login_attempt": "state_index = ANY (app_lookups())",
    "person_key": OWN,
    "retrieval": OWN,
    "retrieval_type": OWN,
    "retrieval_manifest": OWN,
    "resource_version": OWN,
    "record_entry": OWN,
    "cancer_summary": OWN,
    "export_job": OWN,
    "contact_point": f"{OWN} OR value_index = ANY (app_lookups())",
    "contact_consent": f"{OWN} OR value_index = ANY (app_lookups())",
    "message": f"{OWN} OR uuid_send(id) = ANY (app_lookups())",
    "inbound_message": "value_index = ANY (app_lookups())",
    "reminder": OWN,
    "delivery_to_effort": OWN,
}

# Rows about nobody in particular may be noted without a person: a refused sign-in, a clinic that is not linked.
ALSO_WRITE = {"audit_event": "person_id IS NULL", "staff_task": "person_id IS NULL"}

OPEN = (
    "practice", "effort", "consent_text", "tree_head", "store", "store_cursor", "store_batch", "receipt",
    "process_heartbeat", "rate_count",
)  # fmt: skip

APPEND_ONLY = ("decision", "audit_event", "contact_consent", "person_link", "consent_text", "position", "tree_head")

BOTH = "portal_web, portal_worker"
RIGHTS = {
    "person": ["SELECT, INSERT, UPDATE (language, zone)"],
    "person_alias": ["SELECT, INSERT"],
    "person_link": ["SELECT, INSERT"],
    "decision": ["SELECT, INSERT"],
    "unsequenced": ["INSERT"],
    "position": ["SELECT"],
    "store_subject": ["SELECT, INSERT"],
    "parked_item": ["SELECT"],
    "audit_event": ["SELECT, INSERT"],
    "staff_task": ["SELECT, INSERT, UPDATE (closed_at)"],
    "account": ["SELECT, INSERT, UPDATE (signed_in_at)"],
    "connection": ["SELECT, INSERT, UPDATE (state, scope, ended_at)"],
    "token": ["SELECT, INSERT, UPDATE, DELETE"],
    "web_session": ["SELECT, INSERT, UPDATE, DELETE"],
    "login_attempt": ["SELECT, INSERT, UPDATE (used_at)"],
    "person_key": ["SELECT, INSERT, UPDATE (wrapped, destroyed_at)"],
    "retrieval": ["SELECT, INSERT, UPDATE (state, finished_at)"],
    "retrieval_type": ["SELECT, INSERT, UPDATE"],
    "retrieval_manifest": ["SELECT, INSERT"],
    "resource_version": ["SELECT, INSERT, DELETE"],
    "record_entry": ["SELECT, INSERT, UPDATE, DELETE"],
    "cancer_summary": ["SELECT, INSERT, UPDATE, DELETE"],
    "export_job": ["SELECT, INSERT, UPDATE, DELETE"],
    "contact_point": ["SELECT, INSERT, UPDATE"],
    "contact_consent": ["SELECT, INSERT"],
    "message": ["SELECT, INSERT, UPDATE"],
    "inbound_message": ["SELECT, INSERT"],
    "reminder": ["SELECT, INSERT, UPDATE"],
    "delivery_to_effort": ["SELECT, INSERT, UPDATE"],
    "practice": ["SELECT"],
    "effort": ["SELECT"],
    "consent_text": ["SELECT"],
    "tree_head": ["SELECT"],
    "store": ["SELECT"],
    "store_cursor": ["SELECT"],
    "store_batch": ["SELECT"],
    "receipt": ["SELECT, INSERT"],
    "process_heartbeat": ["SELECT, INSERT, UPDATE, DELETE"],
    "rate_count": ["SELECT, INSERT, UPDATE, DELETE"],
}

# The catalogue follows the configuration files; the feed writes it when it starts.
WORKER_ONLY = {
    "practice": "INSERT, UPDATE",
    "effort": "INSERT, UPDATE",
    "store": "INSERT, UPDATE",
    "consent_text": "INSERT",
}

PROPAGATION = {
    "person": "SELECT",
    "person_alias": "SELECT",
    "person_link": "SELECT",
    "decision": "SELECT (id, person_id, version, choice, effort_id, answer, categories, sensitive, actor_kind,"
    " actor_account, actor_reference, means, language, text_id, text_version, practice_id, provider_id, reason,"
    " confirmed_by_person, asked_at, recorded_at, starts_at, expires_at, idempotency_key, salt)",
    "unsequenced": "SELECT, DELETE",
    "position": "SELECT, INSERT",
    "store_subject": "SELECT, INSERT",
    "parked_item": "SELECT, INSERT, UPDATE",
    "audit_event": "INSERT",
    "staff_task": "SELECT, INSERT",
    "practice": "SELECT",
    "effort": "SELECT",
    "consent_text": "SELECT",
    "tree_head": "SELECT, INSERT",
    "store": "SELECT",
    "store_cursor": "SELECT, INSERT, UPDATE",
    "store_batch": "SELECT, INSERT, UPDATE, DELETE",
    "receipt": "SELECT, INSERT",
    "process_heartbeat": "SELECT, INSERT, UPDATE, DELETE",
    "web_session": "SELECT (seen_at), DELETE",
    "login_attempt": "SELECT (created_at), DELETE",
    "message": "SELECT (id, person_id, kind, state, send_after, expires_at)",
    "reminder": "SELECT (id, person_id, about, state, due_at)",
    "delivery_to_effort": "SELECT (id, person_id, effort_id, store_id, decision_version, state, next_try_at)",
}

RELEASE = {
    "person": "SELECT",
    "decision": "SELECT (id, person_id, version, choice, effort_id, answer, categories, sensitive, actor_kind,"
    " text_id, text_version, practice_id, confirmed_by_person, asked_at, recorded_at, starts_at, expires_at)",
    "person_link": "SELECT",
    "position": "SELECT (position, decision_id, person_id, version)",
    "store_cursor": "SELECT, INSERT, UPDATE",
    "store_subject": "SELECT, INSERT",
    "effort": "SELECT",
    "person_key": "SELECT",
    "retrieval": "SELECT",
    "retrieval_type": "SELECT",
    "retrieval_manifest": "SELECT",
    "resource_version": "SELECT",
    "record_entry": "SELECT",
    "delivery_to_effort": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    op.execute(FUNCTIONS)
    op.execute(f"GRANT USAGE ON SCHEMA public TO {BOTH}, portal_propagation, portal_release")
    op.execute(f"GRANT SELECT ON alembic_version TO {BOTH}")
    for table, rights in RIGHTS.items():
        for right in rights:
            op.execute(f"GRANT {right} ON {table} TO {BOTH}")
    for role, granted in (
        ("portal_worker", WORKER_ONLY), ("portal_propagation", PROPAGATION), ("portal_release", RELEASE)
    ):  # fmt: skip
        for table, right in granted.items():
            op.execute(f"GRANT {right} ON {table} TO {role}")
    for table, visible in ROWS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        written = f"{visible} OR {ALSO_WRITE[table]}" if table in ALSO_WRITE else visible
        op.execute(f"CREATE POLICY own ON {table} TO {BOTH} USING ({visible}) WITH CHECK ({written})")
        for role, granted in (("portal_propagation", PROPAGATION), ("portal_release", RELEASE)):
            if table in granted:
                op.execute(
                    f"CREATE POLICY {role.removeprefix('portal_')} ON {table} TO {role} USING (true) WITH CHECK (true)"
                )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER keep_history BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER keep_all_history BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
