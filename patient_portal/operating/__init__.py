"""How the service stands, for those who run it."""
