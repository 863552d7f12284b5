"""Purposes in the terms of the Data Use Ontology (GA4GH DUO), and whether a request fits what a donor allows."""
