"""Shows that a store obeys: hostile cases against its test endpoint, with invented people only, and a signed report."""
