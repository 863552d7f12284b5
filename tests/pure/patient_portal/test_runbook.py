"""The runbook as it is read for its page: entries, paragraphs, lists, code and strong words."""

from __future__ import annotations

from patient_portal.operating.runbook import Block, Entry, Span, load, read

TEXT = """# Runbook

What each means.

## NoFeed

Nobody is **told**. See `portal feed` and [more](other.md).

- First
  goes on.
- Then `x`.
"""


def test_entries_are_read() -> None:
    """Issue 3: what stands in the file stands on the page, line ends and marks apart."""
    words = "words"
    beginning, entry = read(TEXT)
    assert beginning == Entry("Runbook", (Block(False, ((Span(words, "What each means."),),)),))
    assert (entry.title, entry.anchor) == ("NoFeed", "nofeed")
    paragraph, listed = entry.blocks
    assert [span.text for span in paragraph.items[0]] == [
        "Nobody is ", "told", ". See ", "portal feed", " and ", "more", ".",
    ]  # fmt: skip
    assert [span.kind for span in paragraph.items[0]] == [words, "strong", words, "code", words, words, words]
    assert listed.is_list
    assert listed.items == (
        (Span(words, "First goes on."),),
        (Span(words, "Then "), Span("code", "x"), Span(words, ".")),
    )


def test_the_installed_one_is_read_whole() -> None:
    """Issue 3: no mark is left over, and each entry says something."""
    for entry in load():
        assert entry.blocks
        assert not any(mark in span.text for block in entry.blocks for item in block.items for span in item
                       for mark in ("`", "**", "]("))  # fmt: skip
