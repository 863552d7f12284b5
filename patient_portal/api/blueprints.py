"""All that `portal api` answers."""

from __future__ import annotations

from patient_portal.api.capabilities import blueprint as capabilities
from patient_portal.api.decisions import blueprint as decisions
from patient_portal.api.fhir_read import blueprint as fhir_read
from patient_portal.api.sign_in import blueprint as sign_in

BLUEPRINTS = (sign_in, capabilities, fhir_read, decisions)
