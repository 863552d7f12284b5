"""Signing in at a hospital, the session that follows, and several hospitals for one person."""
