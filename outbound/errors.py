"""What can go wrong on the way out. A reason is a short code; it never holds an address, a token or an identity."""

from __future__ import annotations

from vocabulary.errors import Refused, Unavailable


class OutboundRefused(Refused):
    """The address is not one we may call, or a token would leave the place it was issued for; nothing was sent."""


class OutboundTimeout(Unavailable):
    """The other side was too slow to connect, to answer, or to finish its answer."""


class OutboundTooLarge(Unavailable):
    """The answer, once decompressed, is larger than allowed; reading stopped."""


class OutboundFailed(Unavailable):
    """The connection failed, broke, or gave an answer that is not HTTP."""
