"""Invented people with cancer, always the same ones: the charts of the sandbox hospitals."""

from sandbox.people.person import Relative, SyntheticPerson
from sandbox.people.population import population

__all__ = ["Relative", "SyntheticPerson", "population"]
