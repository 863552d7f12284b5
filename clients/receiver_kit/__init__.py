"""A receiver for the portal's signed messages. Standard library only, Python 3.11 or later; start with README.md."""
