"""A person's record in the forms in which they can take it along; each is made from one pinned set of versions."""
