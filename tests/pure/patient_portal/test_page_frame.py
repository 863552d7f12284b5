"""The frame of every page keeps its own names: a page's value of the same name would be hidden by the frame's."""

from __future__ import annotations

import ast
from pathlib import Path

from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[3]


def test_no_page_is_given_a_name_of_the_frame() -> None:
    """A11Y-01, MC-02: the joined records showed a macro of the frame where the hospital's name belonged."""
    frame = Environment(autoescape=True, extensions=["jinja2.ext.i18n"]).parse(
        (ROOT / "templates" / "base.html").read_text(encoding="utf-8")
    )
    own = {one.name for one in frame.find_all(nodes.Macro)}
    for each in frame.find_all(nodes.Assign):
        own |= {one.name for one in each.find_all(nodes.Name) if one.ctx == "store"}
    given = {
        name: str(path.relative_to(ROOT))
        for path in sorted((ROOT / "patient_portal" / "pages").glob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "render_template"
        for name in (word.arg for word in call.keywords if word.arg)
    }
    assert {"way_to", "ways"} <= own
    assert {"story", "records"} <= given.keys()
    assert {name: place for name, place in given.items() if name in own} == {}
