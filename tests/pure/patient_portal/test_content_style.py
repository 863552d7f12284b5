"""What every page and style sheet keeps to, checked on the files themselves."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from patient_portal.words.language_help import notices
from scripts import build_css

ROOT = Path(__file__).resolve().parents[3]
STATIC = ROOT / "patient_portal" / "static"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
PHYSICAL = re.compile(
    r"(?<![\w-])(?:(?:margin|padding|border)-(?:left|right)|left|right|(?:float|text-align)\s*:\s*(?:left|right))\s*[:;}]"
)


def test_our_layer_uses_logical_properties_only() -> None:
    """LANG-03: right-to-left pages need no second sheet, so no property names left or right."""
    assert PHYSICAL.findall((STATIC / "portal.css").read_text(encoding="utf-8")) == []


def test_the_styles_are_small_and_fetch_nothing_from_elsewhere() -> None:
    """A11Y-05: an old phone loads the page; no font and no address outside."""
    sheet = (STATIC / "uswds.css").read_bytes()
    assert len(gzip.compress(sheet)) < 6_000
    for style in (sheet.decode(), (STATIC / "portal.css").read_text(encoding="utf-8")):
        assert "@font-face" not in style
        assert not re.search(r"url\(\"?(?:https?:)?//", style)


def test_every_picture_that_the_sheet_names_is_there() -> None:
    """A11Y-01: a check mark that does not load would leave a state without its shape."""
    named = set(re.findall(r'url\("?(img/[^")]+)"?\)', (STATIC / "uswds.css").read_text(encoding="utf-8")))
    assert named
    assert [name for name in sorted(named) if not (STATIC / name).is_file()] == []


def test_the_sheet_has_what_pages_name_and_no_more() -> None:
    """A11Y-05: a class of USWDS that a page names has its rule there or in our own layer; others have none."""
    used = [re.compile(one) for one in build_css.classes_in(build_css.sources())]
    sheet = "".join((STATIC / name).read_text(encoding="utf-8") for name in ("uswds.css", "portal.css"))
    ruled = set(re.findall(r"\.(usa-[\w-]+)", re.sub(r":not\([^)]*\)", "", sheet)))
    assert [one.pattern for one in used if not any(one.fullmatch(name) for name in ruled)] == []
    assert [name for name in sorted(ruled) if not any(one.fullmatch(name) for one in used)] == []


def test_a_rule_goes_only_when_no_page_needs_it() -> None:
    """Several selectors, a class within `:not`, rules within `@media`, braces within strings."""
    sheet = '/*! x */.usa-a,.usa-b:is(.c,.d){e:f}.usa-a:not(.usa-b){g:"}"}'
    sheet += "@media print{.usa-b{h:i}}@media all{.usa-a{j:k}}p{l:m}"
    kept = '/*! x */.usa-a{e:f}.usa-a:not(.usa-b){g:"}"}@media all{.usa-a{j:k}}p{l:m}'
    assert build_css.only_used(sheet, build_css.classes_in('class="usa-a"')) == kept


def test_motion_and_print_are_thought_of() -> None:
    """A11Y-05: less motion on request, and a print view."""
    sheet = (STATIC / "portal.css").read_text(encoding="utf-8")
    assert "prefers-reduced-motion" in sheet
    assert "@media print" in sheet


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_template_has_no_inline_style_or_script_and_no_refresh(path: Path) -> None:
    """SEC-04: the content security policy refuses inline code; A11Y-01 (2.2.1): nothing reloads by itself."""
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle=|<style|\son\w+=|http-equiv=.refresh|javascript:", text, re.IGNORECASE)
    for script in re.findall(r"<script\b[^>]*>", text):
        assert "src=" in script
        assert "defer" in script


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_form_that_posts_carries_a_token(path: Path) -> None:
    """SEC-01: no POST form of ours without the CSRF token, and none that goes to a hospital with it.

    Who comes from a mail to stop it has no session; the signed address of that page stands for the token.
    """
    text = path.read_text(encoding="utf-8")
    for form in re.findall(r"<form\b.*?</form>", text, re.DOTALL):
        if re.search(r"method=.post", form, re.IGNORECASE):
            leaves = "authorization_endpoint" in form.split(">")[0] or "'unsubscribe.end'" in form.split(">")[0]
            assert ("csrf" in form) != leaves


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_words_that_we_do_not_use(path: Path) -> None:
    """LANG-01: sentences a nurse would say."""
    text = path.read_text(encoding="utf-8").lower()
    assert not re.search(
        r"\b(successfully|please note|utilize|has been processed|guaranteed|your right to own)\b", text
    )


def test_language_help_in_english_and_fifteen_more() -> None:
    """LANG-02: the notice of free language help in English and at least fifteen languages, with the number in each."""
    codes = {notice.code.split("-")[0] for notice in notices()}
    assert "en" in codes
    assert len(codes - {"en"}) >= 15
    for notice in notices():
        assert notice.text.count("{phone}") == 1
    assert {notice.code for notice in notices() if notice.direction == "rtl"} == {"ar", "fa"}
