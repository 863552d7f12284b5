"""By keyboard alone, and right-to-left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.journeys import steps
from tests.journeys.examination import Examiner
from tests.support.browser import Visit, Visitor
from tests.support.running_demo import RunningDemo

RING = """() => {
  const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
  return {
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
    what: one.outerHTML.slice(0, 120),
  };
}"""


def test_a_decision_by_keyboard_alone(running_demo: RunningDemo, visit: Visit, examine: Examiner) -> None:
    """A11Y-02: Tab and Enter are enough; where one stands can always be seen; the skip link skips."""
    robert = visit(running_demo.url)
    steps.sign_in(robert, "Riverside", "Robert Kowalski", examine)
    _tab_to(robert, "My choices")
    robert.page.keyboard.press("Enter")
    robert.sees("What may your data be used for?")
    robert.page.keyboard.press("Tab")
    assert _focused(robert) == "Skip to the main part"
    robert.page.keyboard.press("Enter")
    robert.page.wait_for_url("**#main")
    _tab_to(robert, "Take me out: CancerLinQ")
    robert.page.keyboard.press("Enter")
    robert.sees("Leave CancerLinQ?")
    _tab_to(robert, "Take me out")
    robert.page.keyboard.press("Enter")
    robert.sees("You are out of CancerLinQ")


def _tab_to(visitor: Visitor, words: str, most: int = 40) -> None:
    """Press Tab until the link or button that says so has the focus; each stop on the way shows where it is."""
    for _ in range(most):
        visitor.page.keyboard.press("Tab")
        place = _place(visitor)
        assert place["ring"], f"no focus ring on {place['what']}"
        assert place["seen"], f"out of sight: {place['what']}"
        if _focused(visitor) == words:
            return
    pytest.fail(f"{most} presses of Tab do not reach {words!r}")


def _place(visitor: Visitor) -> dict[str, Any]:
    """Where the focus is; the skip link takes a moment to slide in."""
    for _ in range(20):
        place: dict[str, Any] = visitor.page.evaluate(RING)
        if place["seen"]:
            break
        visitor.page.wait_for_timeout(100)
    return place


def _focused(visitor: Visitor) -> str:
    return str(visitor.page.evaluate("document.activeElement.textContent.trim()"))
