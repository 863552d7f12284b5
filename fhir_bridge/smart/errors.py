"""How a launch can end without a grant. Reasons are stable codes and carry no identity."""

from __future__ import annotations

from vocabulary.errors import Conflict, Invalid, Refused, Unavailable


class LaunchDenied(Refused):
    """The person, or the provider on their behalf, said no (`error=access_denied`); they stay signed out (SMART-14)."""


class LaunchRefused(Invalid):
    """What came back does not fit what was asked; nothing is stored and nobody is signed in."""


class ProviderUnavailable(Unavailable):
    """The provider does not answer, or what it publishes about itself cannot be used (SMART-02, SMART-03)."""


class ReconnectNeeded(Conflict):
    """Our refresh token is no longer accepted: delete the tokens and ask the person to reconnect (SMART-47)."""


class PatientChanged(Conflict):
    """A refresh answered for another patient or person: stop this connection and raise an alarm (abuse case 6)."""
