"""The hospital's own keys: RS256 for id_tokens, a secret for page links and cookies. Kept in the state folder."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from secrets import token_hex
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey


class HospitalKeys:
    """Made on first start, read back afterwards."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "keys.json"
        if not path.exists():
            key = RSAKey.generate_key(2048, parameters={"alg": "RS256", "use": "sig"}, auto_kid=True)
            path.touch(mode=0o600)
            path.write_text(json.dumps({"rsa": key.as_dict(private=True), "secret": token_hex(32)}))
        kept = json.loads(path.read_text())
        self.rsa = RSAKey.import_key(kept["rsa"])
        self.secret: str = kept["secret"]

    def public(self) -> dict[str, Any]:
        """The JWK set that the portal checks id_tokens with."""
        return {"keys": [self.rsa.as_dict(private=False)]}

    def sign(self, claims: dict[str, Any], *, kid: str | None = None) -> str:
        """A compact RS256 JWT over `claims`."""
        return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": kid or self.rsa.kid}, claims, self.rsa)

    def seal(self, value: list[Any]) -> str:
        """An opaque, unforgeable text for a page link."""
        body = base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
        return f"{body}.{self._mac(body)}"

    def unseal(self, text: str) -> list[Any] | None:
        """What `seal` was given, or None when the text is not ours."""
        body, _, mac = text.partition(".")
        if not hmac.compare_digest(mac, self._mac(body)):
            return None
        opened: list[Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return opened

    def _mac(self, body: str) -> str:
        return hmac.new(self.secret.encode(), body.encode(), hashlib.sha256).hexdigest()[:32]


def unsigned(claims: dict[str, Any]) -> str:
    """A JWT with `alg: none`, which every client must refuse (a fault for tests)."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts) + "."
