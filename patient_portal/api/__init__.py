"""The part for programs: stores, auditors and pipelines read here, each by its own key (SMART Backend Services)."""
