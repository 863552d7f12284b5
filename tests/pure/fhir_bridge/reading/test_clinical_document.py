"""FHIR-14, DL-04: a clinical document's own words, and nothing else that may stand in one."""

from __future__ import annotations

import contextlib
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_bridge.reading import clinical_document
from fhir_bridge.reading.clinical_document import (
    DAMAGED,
    DEEPEST,
    TOO_LARGE,
    NotShown,
    is_clinical_document,
    read_clinical_document,
)
from fhir_bridge.reading.dates import Precision
from sandbox.people.clinical_document import Part, consultation_note
from sandbox.people.population import population

HEAD = """<?xml version="1.0"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xlink="http://www.w3.org/1999/xlink">
<title>Summary</title><effectiveTime value="202405"/><languageCode code="es-US"/>"""
SCRIPTS = re.compile(
    r"<(?!/?(?:p|ul|ol|li|span|strong|em|u|small|table|thead|tbody|tfoot|caption|tr|th|td|sub|sup|br)\b)"
)


def document(text: str, *, more: str = "") -> bytes:
    """A document with one section, whose narrative is `text`."""
    section = f"<component><section><title>One</title><text>{text}</text>{more}</section></component>"
    return f"{HEAD}<component><structuredBody>{section}</structuredBody></component></ClinicalDocument>".encode()


def shown(text: str) -> str:
    (section,) = read_clinical_document(document(text)).sections
    return section.html


def why_not(body: bytes) -> object:
    with pytest.raises(NotShown) as problem:
        read_clinical_document(body)
    return problem.value.words


def test_header_and_sections() -> None:
    """DL-04: who it is about, who wrote and keeps it, when; each section by its title, in order."""
    person = next(one for one in population() if one.id == "rv-p01")
    parts: list[Part] = [
        ("10164-2", "History", "How it began", ["A lump & a <worry>."]),
        ("1", "x", "Tests", [("ER", "positive")]),
    ]
    found = read_clinical_document(consultation_note(person, "2021-03-10", "Dana Whitfield, MD", parts))
    assert (found.title, found.about) == ("Consult note", "Maria Alvarez")
    assert found.born is not None
    assert found.born.value == person.birth_date
    assert found.written is not None
    assert (found.written.precision, found.written.text) == (Precision.INSTANT, "2021-03-10T18:00:00+00:00")
    assert (found.authors, found.keeper) == (("Dana Whitfield, MD",), "Riverside Cancer Center (sandbox)")
    assert [(str(one.title), one.level) for one in found.sections] == [("How it began", 1), ("Tests", 1)]
    assert found.sections[0].html == "<p>A lump &amp; a &lt;worry&gt;.</p>"
    assert "<th>Value</th>" in found.sections[1].html
    assert (found.cut, found.pictures, found.inside, found.language) == (False, False, "", "en-US")


def test_the_narrative_as_html() -> None:
    """FHIR-14: paragraphs, lists, tables and emphasis of CDA's narrative block."""
    assert shown("<paragraph>a<br/>b</paragraph>") == "<p>a<br>b</p>"
    assert shown('<list listType="ordered"><caption>C</caption><item>a</item><item>b</item></list>') == (
        "<p>C</p><ol><li>a</li><li>b</li></ol>"
    )
    assert shown("<list><item><list><item>in</item></list></item></list>") == "<ul><li><ul><li>in</li></ul></li></ul>"
    assert shown('<content styleCode="xx Bold" ID="a">b</content>') == "<strong>b</strong>"
    assert shown('<table><caption>T</caption><thead><tr><th/><th colspan="2">h</th></tr></thead></table>') == (
        '<table><caption>T</caption><thead><tr><td></td><th colspan="2">h</th></tr></thead></table>'
    )
    assert shown("bare words <linkHtml href='http://x.example'>there</linkHtml>") == "bare words <span>there</span>"


def test_sections_inside_sections() -> None:
    """DL-04: they follow their own; without a title the code's name is one, without anything nothing is shown."""
    inner = "<component><section><code displayName='Inner'/><text>words</text></section></component>"
    empty = "<component><section/></component>"
    found = read_clinical_document(document("outer", more=inner + empty)).sections
    assert [(str(one.title), one.level, one.html) for one in found] == [("One", 1, "outer"), ("Inner", 2, "words")]


HOSTILE = {
    "a script": "<script>alert(1)</script>",
    "a script of HTML": '<script xmlns="http://www.w3.org/1999/xhtml">alert(1)</script>',
    "a handler": '<paragraph onclick="alert(1)" onmouseover="x">words</paragraph>',
    "a style": '<content styleCode="Bold" style="background:url(http://x.example)">words</content>',
    "a link": '<linkHtml href="javascript:alert(1)" xlink:href="http://x.example">words</linkHtml>',
    "a frame": '<iframe src="http://x.example"/><object data="x"/><img src="x" onerror="alert(1)"/>words',
    "escaped HTML": "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;",
    "CDATA": "<![CDATA[<script>alert(1)</script><svg onload=alert(1)>]]>",
    "a wide cell": '<table><tbody><tr><td rowspan="9999" colspan="x" onclick="y">z</td></tr></tbody></table>',
    "SVG": '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><a xlink:href="javascript:x">words</a></svg>',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_in_the_narrative_acts(name: str) -> None:
    """FHIR-14, threats 21 and 22: only elements of a short list come out, with no attribute but a cell's reach."""
    html = shown(HOSTILE[name])
    assert SCRIPTS.search(html) is None, html
    assert re.findall(r"<\w+ [^>]*>", html) in ([], ['<td rowspan="100">']), html


LAUGHS = '<!DOCTYPE lolz [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = {
    "billion laughs": f"{LAUGHS}]><ClinicalDocument>&i;</ClinicalDocument>".encode(),
    "a file of ours": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><ClinicalDocument>&e;</ClinicalDocument>',
    "a DTD elsewhere": b'<!DOCTYPE ClinicalDocument SYSTEM "http://x.example/x.dtd"><ClinicalDocument/>',
    "half of it": document("words")[:-40],
    "wrong encoding": document("caf\u00e9").replace("é".encode(), b"\xe9"),
    "an encoding that is none": document("x").replace(b'"1.0"', b'"1.0" encoding="x-none"'),
    "another encoding than said": document("x").replace(b'"1.0"', b'"1.0" encoding="utf-16"'),
    "nothing": b"",
    "another form": b'<Bundle xmlns="http://hl7.org/fhir"><!-- ClinicalDocument --></Bundle>',
    "no XML": b"%PDF-1.4 ClinicalDocument",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_taken_in(name: str) -> None:
    """FHIR-14, SEC-10: an answer in words, whatever stands there; nothing is fetched and nothing grows."""
    assert why_not(REFUSED[name]) == DAMAGED


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """SEC-10: deeper, longer or larger than any document is: said, at once, before it is all read."""
    deep = "<paragraph>" * 10_000 + "x" + "</paragraph>" * 10_000
    assert why_not(document(deep)) == TOO_LARGE
    assert why_not(document("", more="<entry>" + "<a>" * DEEPEST + "</a>" * DEEPEST + "</entry>")) == TOO_LARGE
    monkeypatch.setattr(clinical_document, "MOST_ELEMENTS", 500)
    assert why_not(document("<br/>" * 500)) == TOO_LARGE
    monkeypatch.setattr(clinical_document, "LARGEST", 100)
    assert why_not(document("words")) == TOO_LARGE


def test_a_huge_table_is_cut() -> None:
    """FHIR-14: its beginning is shown and it is said that there is more; a section after it is still shown."""
    rows = "".join(f"<tr><td>row {number}</td></tr>" for number in range(9_000))
    after = "<component><section><title>After</title><text>seen</text></section></component>"
    found = read_clinical_document(document(f"<table><tbody>{rows}</tbody></table>", more=after))
    assert found.cut
    assert found.sections[0].html.endswith("</table>")
    assert len(found.sections[0].html) < 200_000
    assert found.sections[1].html == "seen"


def test_another_file_in_the_place_of_words() -> None:
    """DL-04: an unstructured document says which kind of file it holds; pictures are said to be in the file."""
    inside = '<nonXMLBody><text mediaType="application/pdf" representation="B64">JVBE</text></nonXMLBody>'
    found = read_clinical_document(f"{HEAD}<component>{inside}</component></ClinicalDocument>".encode())
    assert (found.sections, found.inside) == ((), "application/pdf")
    assert found.written is not None
    assert (found.written.precision, found.written.value) == (Precision.MONTH, date(2024, 5, 1))
    assert read_clinical_document(document('<renderMultiMedia referencedObject="p"/>')).pictures


@given(st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=6)), max_size=4))
def test_any_damage_has_an_answer(changes: list[tuple[int, bytes]]) -> None:
    """SEC-10: whatever bytes stand in a document, it is shown or it is said why not."""
    body = bytearray(document("<list><item>a <content>b</content></item></list>" * 3))
    for place, put in changes:
        body[place : place + len(put)] = put
    with contextlib.suppress(NotShown):
        assert all(SCRIPTS.search(one.html) is None for one in read_clinical_document(bytes(body)).sections)


@pytest.mark.parametrize(
    ("content_type", "body", "is_one"),
    [
        ("text/xml", document("x"), True),
        ("application/hl7-cda+xml", document("x").decode().encode("utf-16"), True),
        ("application/octet-stream", document("x"), True),
        ("application/xml", b"<Bundle/>", False),
        ("text/html", b"<p>ClinicalDocument", False),
        ("application/fhir+xml", document("x"), False),
        ("application/pdf", document("x"), False),
    ],
)
def test_told_by_its_beginning(content_type: str, body: bytes, is_one: bool) -> None:
    """DL-04: hospitals name C-CDA in several ways."""
    assert is_clinical_document(content_type, body) is is_one
    assert not is_one or read_clinical_document(body).sections
