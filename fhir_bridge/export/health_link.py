"""SMART Health Links as values (SMART Health Cards and Links 1.0, links specification; SHL-01, SHL-03). Pure."""

from __future__ import annotations

import base64

import orjson
from joserfc import jwe
from joserfc.jwk import OctKey

from vocabulary.errors import Invalid

SECRET_BYTES = 32
LONGEST_URL, LONGEST_LABEL = 128, 80
CONTENT_TYPE = "application/fhir+json"
_REGISTRY = jwe.JWERegistry(algorithms=["dir", "A256GCM", "DEF"])


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def unbase64url(value: str) -> bytes:
    """The bytes; ValueError for text that is none."""
    return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)


def shlink(*, url: str, key: bytes, label: str, expires: int, passcode: bool) -> str:
    """`shlink:/…` for a link at `url`. With a passcode (flag P) it answers with a manifest; without one it gives its
    only file (flag U). `expires` is in seconds since 1970; a label is cut at 80 characters.

    Raises Invalid for an address longer than the 128 characters that the specification allows.
    """
    if len(url) > LONGEST_URL:
        raise Invalid("link-address-too-long")
    payload = {"url": url, "exp": expires, "flag": "P" if passcode else "U", "key": base64url(key)}
    return "shlink:/" + base64url(orjson.dumps(payload | {"label": label[:LONGEST_LABEL], "v": 1}))


def encrypted(content: bytes, key: bytes, content_type: str = CONTENT_TYPE) -> str:
    """A compact JWE: direct key, A256GCM, raw DEFLATE; joserfc draws a new IV each time."""
    header = {"alg": "dir", "enc": "A256GCM", "cty": content_type, "zip": "DEF"}
    return jwe.encrypt_compact(header, content, OctKey.import_key(key), registry=_REGISTRY)
