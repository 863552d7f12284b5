"""Entries of a record changed at random within JSON's shape, read as a hospital's answer and shown in every form."""
