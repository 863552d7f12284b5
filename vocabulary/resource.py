"""The raw JSON of one FHIR resource, as received. It is the record; models are only a way of reading it."""

from __future__ import annotations

from typing import Any

Resource = dict[str, Any]
