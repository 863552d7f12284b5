"""What journeys are made of: a running demo, visitors, an examiner of pages."""

from __future__ import annotations

from tests.journeys.examination import examine
from tests.support.browser import chromium, visit
from tests.support.running_demo import running_demo

__all__ = ["chromium", "examine", "running_demo", "visit"]
