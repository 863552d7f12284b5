"""A person's record in forms to take along, and leaving altogether."""
