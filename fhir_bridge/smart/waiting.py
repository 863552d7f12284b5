"""How long a provider asks us to leave its sign-in alone (RFC 9110 section 10.2.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from fhir_bridge.retrieve.retry import told_to_wait

LONGEST_SECONDS = 3600


def asked_to_wait(headers: Mapping[str, str], now: datetime) -> int | None:
    """The whole seconds that Retry-After asks for, an hour at most; None when it asks for nothing."""
    told = told_to_wait(headers, now)
    return None if told is None else min(math.ceil(told), LONGEST_SECONDS)
