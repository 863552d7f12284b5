"""Sandbox data stores: strangers that are told of decisions over HTTP, and answer with signed receipts."""
