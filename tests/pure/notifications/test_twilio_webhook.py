"""Is it really Twilio, and what does it say."""

from __future__ import annotations

import base64
import random
import string
from urllib.parse import urlsplit

import pytest
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from notifications.channels.twilio_webhook import check_signature, read_inbound, read_status, twiml
from vocabulary.errors import Refused

TOKEN = "the-auth-token"
BASE = "https://portal.example.org"
URL = "https://portal.example.org/webhooks/twilio/inbound"
FIELDS = [
    ("AccountSid", "AC1"), ("Body", "Stop, please"), ("From", "+16175550150"), ("MessageSid", "SM1"), ("To", "+1888"),
    ("MediaUrl", "a"), ("MediaUrl", "b"),
]  # fmt: skip


def signature(url: str = URL, fields: list[tuple[str, str]] | None = None) -> str:
    return str(RequestValidator(TOKEN).compute_signature(url, MultiDict(FIELDS if fields is None else fields)))


@pytest.mark.parametrize("url", [URL, URL.replace(".org/", ".org:443/")])
def test_genuine_request_is_taken(url: str) -> None:
    """SMS-09: valid with repeated keys in a MultiDict, with and without the port."""
    check_signature(TOKEN, url, MultiDict(FIELDS), signature(), public_base=BASE)


def test_plain_dictionary_would_lose_a_repeated_key() -> None:
    """SMS-09: why the posted MultiDict itself is passed."""
    with pytest.raises(Refused):
        check_signature(TOKEN, URL, MultiDict(FIELDS).to_dict(), signature(), public_base=BASE)


@pytest.mark.parametrize("missing", [None, ""])
def test_missing_header_is_refused_not_an_error(missing: str | None) -> None:
    """SMS-09: without a signature, or without a token to check it by, the request is refused (403, never 500)."""
    with pytest.raises(Refused):
        check_signature(TOKEN, URL, MultiDict(FIELDS), missing, public_base=BASE)
    with pytest.raises(Refused):
        check_signature("", URL, MultiDict(FIELDS), signature(), public_base=BASE)


def mutated(random_source: random.Random) -> tuple[str, list[tuple[str, str]], str]:
    """One change to a valid request: in its signature, its address or its fields."""
    url, fields, signed = URL, list(FIELDS), signature()
    letter = random_source.choice(string.ascii_letters)
    at = random_source.randrange(len(fields))
    name, value = fields[at]
    match random_source.randrange(9):
        case 0:
            place = random_source.randrange(len(signed))
            signed = signed[:place] + (letter if signed[place] != letter else "-") + signed[place + 1 :]
        case 1:
            signed = random_source.choice(
                [signed[:-1], signed + "=", signed.lower(), "é" + signed, "v1," + signed, "\x00"]
            )
        case 2:
            url = url.replace("https", "http")
        case 3:
            parts = urlsplit(url)
            url = random_source.choice(
                [parts._replace(netloc="evil.example").geturl(), url + "/", url + f"?{letter}=1", url + "%20",
                 url.replace("inbound", "status"), parts._replace(netloc="portal.example.org:8443").geturl()]
            )  # fmt: skip
        case 4:
            fields[at] = (name, value + letter)
        case 5:
            fields[at] = (name + "x", value)
        case 6:
            del fields[at]
        case 7:
            fields.append((random_source.choice(["Body", "From", "OptOutType", letter]), letter + str(at)))
        case _:
            digest = base64.b64encode(random_source.randbytes(20)).decode()
            signed = digest
    return url, fields, signed


def test_five_hundred_mutations() -> None:
    """SMS-09: 500 changed copies of a valid request, 0 accepted (threats.md abuse 12)."""
    accepted = []
    for seed in range(500):
        url, fields, signed = mutated(random.Random(seed))
        try:
            check_signature(TOKEN, url, MultiDict(fields), signed, public_base=BASE)
        except Refused:
            continue
        accepted.append((seed, url, fields, signed))
    assert accepted == []


def test_json_body_is_checked_by_its_hash() -> None:
    """SMS-09: a JSON body is covered by `bodySHA256` in the address."""
    body = '{"a": 1}'
    url = f"{URL}?bodySHA256={RequestValidator(TOKEN).compute_hash(body)}"
    check_signature(TOKEN, url, body, signature(url, []), public_base=BASE)
    with pytest.raises(Refused):
        check_signature(TOKEN, url, body + " ", signature(url, []), public_base=BASE)


@pytest.mark.parametrize("url", ["http://[", "https://portal.example.org:99999/x", "", "::"])
def test_strange_addresses_are_refused(url: str) -> None:
    """SMS-09: an address that cannot be read is a refusal, not an error."""
    with pytest.raises(Refused):
        check_signature(TOKEN, url, MultiDict(FIELDS), "x", public_base=BASE)


def test_forms_are_read_or_refused() -> None:
    """SMS-09: a signed form without the fields every form has is refused."""
    text = read_inbound(MultiDict(FIELDS))
    assert (text.sid, text.sender, text.body, text.opt_out_type) == ("SM1", "+16175550150", "Stop, please", None)
    assert "617" not in repr(text)
    for missing in ("MessageSid", "From", "Body"):
        with pytest.raises(Refused):
            read_inbound({name: value for name, value in FIELDS if name != missing})
    report = read_status({"MessageSid": "SM1", "MessageStatus": "sent", "ErrorCode": ""}, {"m": "our-id"})
    assert (report.status, report.error_code, report.message) == ("sent", None, "our-id")
    with pytest.raises(Refused):
        read_status({"MessageSid": "S" * 99, "MessageStatus": "sent"}, {})


def test_answer_is_one_text_or_none() -> None:
    """SMS-04: one confirmation, escaped, or nothing."""
    assert twiml(None) == '<?xml version="1.0" encoding="UTF-8"?><Response />'
    assert "<Message>A &amp; B</Message>" in twiml("A & B")
