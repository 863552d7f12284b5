"""The kinds of trouble every room can report; the edge turns each into a page or an OperationOutcome."""

from __future__ import annotations

from collections.abc import Mapping


class PortalError(Exception):
    """Something the service refuses or cannot do, with a short machine-readable reason.

    `reason` is a stable code for logs and tests; it never carries an identity or an illness.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotFound(PortalError):
    """Not there, or not this actor's to see; the two are never told apart (404)."""


class Invalid(PortalError):
    """What was sent cannot be read or is incomplete (400 or 422)."""

    def __init__(self, reason: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.fields: dict[str, str] = dict(fields or {})


class Refused(PortalError):
    """Understood, and not allowed for this actor (403)."""


class Conflict(PortalError):
    """Does not fit the present state, such as an illegal change of status (409)."""


class TooMany(PortalError):
    """Asked too often (429)."""

    def __init__(self, reason: str, retry_after_seconds: int) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(PortalError):
    """A part outside, or the database, does not answer now; nothing was changed (503)."""

    def __init__(self, reason: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds
