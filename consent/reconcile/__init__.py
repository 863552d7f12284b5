"""Each night, and on demand: is in every store what should be? Counts, then digests, then what differs (ADR 0011)."""
