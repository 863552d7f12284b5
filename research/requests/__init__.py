"""Researchers' requests for donated data: the CENTRA process from submission to fulfilment (X-07, X-08, X-09)."""
