"""The twins that are not ours, for this folder's tests."""

from __future__ import annotations

from tests.support.third_party import profiled, third_party_hospital, third_party_packages, twilio_prism, validator

__all__ = ["profiled", "third_party_hospital", "third_party_packages", "twilio_prism", "validator"]
