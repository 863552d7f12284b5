"""Messages, composed: what follows from decisions, records and clocks, and how it is said."""
