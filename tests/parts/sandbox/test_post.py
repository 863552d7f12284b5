"""The sandbox post office as a stranger meets it: mail in by SMTP, kept over a restart, shown as words."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import requests

from sandbox.post.server import start


def test_mail_is_kept_and_shown_as_words(tmp_path: Path) -> None:
    """Issue 3: the demo shows what a store's contact reads; nothing in a mail becomes part of the page."""
    office = start(tmp_path)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "portal@a.example", "privacy@b.example", "<b>3</b> late"
    message.set_content("Good day.\n.\n<script>alert(1)</script>\n")
    try:
        assert "No mail yet." in requests.get(office.url, timeout=10).text
        with smtplib.SMTP("localhost", urlsplit(office.smtp_url).port or 0, timeout=10) as client:
            client.send_message(message)
            assert client.noop()[0] == 250
    finally:
        office.stop()
    office = start(tmp_path)
    try:
        page = requests.get(office.url, timeout=10)
    finally:
        office.stop()
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "&lt;b&gt;3&lt;/b&gt; late" in page.text
    assert "From portal@a.example to privacy@b.example" in page.text
    assert "Good day.\n.\n&lt;script&gt;" in page.text.replace("\r\n", "\n")
