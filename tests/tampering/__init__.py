"""A superuser against the ledger: every way to change history, and whether the auditor names the row."""
