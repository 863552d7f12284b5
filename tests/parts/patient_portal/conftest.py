"""The front door's own fixtures."""

from tests.support.actors import cast, gathered
from tests.support.portal import outside, portal

__all__ = ["cast", "gathered", "outside", "portal"]
