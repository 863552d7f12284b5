"""The front door's own fixtures."""

from tests.support.portal import outside, portal

__all__ = ["outside", "portal"]
