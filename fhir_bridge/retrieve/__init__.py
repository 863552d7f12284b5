"""Bringing a record in: what to ask the provider for, page by page, and what could not be had (FHIR-01 to FHIR-17).

No database here: resources are handed to a sink, outcomes are returned.
"""
