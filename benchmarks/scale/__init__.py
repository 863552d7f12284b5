"""The schema at 100 thousand, 1 million and 10 million people: what grows with them, and what must not."""
