"""Texts of our own that are kept in files, and saying them in a language."""
