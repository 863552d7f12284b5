"""Where a person is sent after signing in."""

from __future__ import annotations

import pytest

from patient_portal.signing_in.own_paths import own_path

KEPT = ["/", "/record", "/choices/cancerlinq?lang=es", "/record/kind/test-results?before=2026-01-02", "/a_b~c"]
REFUSED = [
    None, "", "record", "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil",
    "/%5cevil.example", "/%2f/evil.example", "/%2Fevil.example", "/%09/evil.example", "/\tevil", "/a\nb", "/a\r\nb",
    "javascript:alert(1)", "/javascript:alert(1)", "data:text/html,x", "/a//b", "/../x", "/a/../b", "/./a", "/%2e%2e/x",
    "http:/evil", "http:evil.example", "/@evil.example", "/evil。example", "/ﾊ", " /record", "/record ", "/#frag",
    "/a;b", "/a:b", "/" + "a" * 600, "/\u202eevil", "/%00", "/%0d%0aSet-Cookie", "ftp://x", "mailto:x", "/a\\b",
]  # fmt: skip


@pytest.mark.parametrize("wish", KEPT)
def test_our_own_paths_are_kept(wish: str) -> None:
    """Abuse case 26: ordinary paths of ours work."""
    assert own_path(wish) == wish


@pytest.mark.parametrize("wish", REFUSED)
def test_everything_else_becomes_nothing(wish: str | None) -> None:
    """Abuse case 26: no spelling leads to another host."""
    assert own_path(wish) == ""
