"""What is told about the law: each sentence with its place; what a person has to review is listed for them."""

from __future__ import annotations

import re
from pathlib import Path

from fhir_bridge.access.law import ALL_FACTS, TO_REVIEW, WRITTEN_ON
from patient_portal.words.trusted_links import SOURCE, links_for

ROOT = Path(__file__).resolve().parents[4]


def test_what_no_requirement_confirms_is_listed_for_review() -> None:
    """HIP-01, HIP-02, HIP-03, HIP-04, X-03: a sentence rests on a requirement, or stands in the list of what a person
    reviews before a release; the list names nothing else."""
    assert {fact.requirement for fact in ALL_FACTS if fact.requirement} == {"HIP-01", "HIP-02", "HIP-03", "HIP-04"}
    assert all(fact.source for fact in TO_REVIEW)
    page = (ROOT / "docs/right-of-access.md").read_text("utf-8")
    listed = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", page, re.M)[1:]
    assert listed == [(str(fact.says), fact.source) for fact in TO_REVIEW]


def test_trusted_links_name_their_source_and_day() -> None:
    """X-03: each kind of cancer that has a page has one in every shipped language, over https, dated."""
    text = SOURCE.read_text("utf-8")
    sites = re.findall(r"^(\w+) = \{ en = \"https", text, re.M)
    for language in ("en", "es"):
        found = links_for(sites, language, also=("understand", "doctor", "tests"))
        assert len(found) > 15
        for each in found:
            assert each.address.startswith("https://")
            assert (bool(each.source), each.language, each.listed.year) == (True, language, WRITTEN_ON.year)
    arabic, *others = links_for(["breast"], "ar")[1:]
    assert (arabic.language, arabic.address) == ("ar", "https://medlineplus.gov/languages/arabic.html")
    assert "MedlinePlus" in arabic.source
    assert {each.language for each in others} == {"en"}, "else English, and said to be so"
