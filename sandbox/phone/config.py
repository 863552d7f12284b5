"""What the phone network is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

OptOutMode = Literal["advanced", "default", "off"]


@dataclass(frozen=True)
class PhoneConfig:
    """`portal`: base URL to which inbound texts are posted (`/webhooks/twilio/inbound`).

    `opt_out`: `advanced` answers STOP, START and HELP itself and says so by `OptOutType`; `default` answers itself
    and says nothing; `off` leaves all answers to the portal. `delay_seconds` stands between status callbacks.
    """

    account_sid: str
    auth_token: str
    state_dir: Path
    portal: str | None = None
    messaging_service_sid: str = "MG00000000000000000000000000000000"
    number: str = "+18885550100"
    program: str = "My Record Portal"
    help_contact: str = "(888) 282-2552"
    opt_out: OptOutMode = "advanced"
    delay_seconds: float = 0.2
    port: int = 0
