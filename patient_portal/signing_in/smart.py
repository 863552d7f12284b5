"""This process's SMART client: it remembers what hospitals publish, so there is one of it."""

from __future__ import annotations

from flask import current_app

from fhir_bridge.smart.client import SmartClient
from patient_portal.wiring import wiring


def smart_client() -> SmartClient:
    found = current_app.extensions.get("smart-client")
    if found is None:
        found = current_app.extensions["smart-client"] = SmartClient(wiring().http)
    assert isinstance(found, SmartClient)
    return found
