"""How many examples hypothesis draws: all that a test asks for in `make test`, a quarter of them in `make check`."""

from __future__ import annotations

from hypothesis import settings

# hypothesis itself draws a hundred where a test says nothing.
ALL, QUICK = 100, 25


def register() -> None:
    """Make the profile known that `make check` chooses."""
    settings.register_profile("quick", max_examples=QUICK)


def draws(examples: int) -> settings:
    """Draw `examples` of them, or the chosen profile's share; however long one takes, for machines differ."""
    chosen = settings.default.max_examples if settings.default else ALL
    return settings(max_examples=max(1, examples * chosen // ALL), deadline=None)
