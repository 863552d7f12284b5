"""Files told apart by their content: what is kept, what is refused, and what they are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_bridge.access.file_kinds import CDA, HEIC, JPEG, JSON, LONGEST_NAME, PDF, PNG, TEXT, TIFF, kind_of, plain_name
from fhir_bridge.access.malware import Scanner, read_scanner, refuse_malware
from vocabulary.errors import Refused, Unavailable


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7\n...", PDF), (b"\xff\xd8\xff\xe0..", JPEG), (b"\x89PNG\r\n\x1a\n", PNG), (b"II*\x00.", TIFF),
        (b"MM\x00*.", TIFF), (b"\x00\x00\x00\x18ftypheic....", HEIC), ("Größe: 5".encode(), TEXT),
        (b'{"resourceType": "Bundle"}', JSON),
        (b'<?xml version="1.0"?>\n<!-- c --><ClinicalDocument xmlns="urn:hl7-org:v3"/>', CDA),
    ],
)  # fmt: skip
def test_kinds_by_content(content: bytes, kind: object) -> None:
    """SEC-12: the first bytes decide."""
    assert kind_of(content) is kind


@pytest.mark.parametrize(
    "content",
    [
        b"", b"   ", b"MZ\x90\x00", b"\x7fELF", b"PK\x03\x04", b"<html><script>alert(1)</script>", b"GIF89a\x00",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", b"text and <ScRiPt>", b"\x00text",
        b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><ClinicalDocument/>",
        b"<ClinicalDocument/><!ENTITY e SYSTEM 'x'>", b"<?xml version='1.0'?><other/>", b"\xff\xfe<\x00",
    ],
)  # fmt: skip
def test_kinds_that_are_refused(content: bytes) -> None:
    """SEC-12: programs, archives, pages and pictures that run code, XML with entities, and nothing at all."""
    assert kind_of(content) is None


@given(st.binary(max_size=200))
def test_any_bytes_have_an_answer(content: bytes) -> None:
    """SEC-12, SEC-10: no content breaks the looking."""
    kind_of(content)


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("scan.exe", "scan.pdf"), ("../../etc/passwd", "passwd.pdf"), ("C:\\x\\My scan.PDF", "My scan.pdf"),
        ("a\u202efdp.exe", "afdp.pdf"), ("", "pdf.pdf"), ("...", "pdf.pdf"),
        ("x\r\nSet-Cookie: a", "xSet-Cookie a.pdf"),
        ("n" * 500, "n" * LONGEST_NAME + ".pdf"),
    ],
)  # fmt: skip
def test_names_say_what_it_is(sent: str, name: str) -> None:
    """SEC-12: no folder, no hidden direction, no ending but that of the content."""
    assert plain_name(sent, PDF) == name


def test_the_setting_of_the_scanner() -> None:
    """SEC-12: a command or a socket by its full path, or none on purpose; anything else stops the start."""
    assert read_scanner(None) is None
    assert read_scanner("none") == Scanner("none")
    assert read_scanner("command:/usr/bin/clamdscan --no-summary -") == Scanner(
        "command", "/usr/bin/clamdscan --no-summary -"
    )
    assert read_scanner("clamd:/run/clamd.ctl") == Scanner("clamd", "/run/clamd.ctl")
    for wrong in ("off", "command:clamdscan", "clamd:", "tcp:/x", "none:x"):
        with pytest.raises(ValueError):
            read_scanner(wrong)


def test_no_answer_means_no() -> None:
    """SEC-12: a scanner that is missing, or ends in neither of its two answers, keeps the file out."""
    refuse_malware(Scanner("command", "/bin/true"), b"x")
    with pytest.raises(Refused):
        refuse_malware(Scanner("command", "/bin/false"), b"x")
    for scanner in (Scanner("command", "/no/such/program"), Scanner("command", "/bin/sh -c 'exit 2'"),
                    Scanner("clamd", "/no/such/socket")):  # fmt: skip
        with pytest.raises(Unavailable):
            refuse_malware(scanner, b"x")
