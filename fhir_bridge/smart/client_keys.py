"""Our own signing keys at a provider: read from a JWK, a JWK set or PEM; signed with, and published (SMART-42, 43)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

PUBLIC_MEMBERS = ("kty", "kid", "n", "e", "crv", "x", "y")
MIN_RSA_BITS = 2048
ALGORITHMS = ("ES384", "RS384")


@dataclass(frozen=True)
class ClientKey:
    """One private key. `alg` is RS384 for RSA and ES384 for P-384, the two that SMART names."""

    kid: str
    alg: str
    jwk: RSAKey | ECKey = field(repr=False)

    def public(self) -> dict[str, Any]:
        """The public part, as it stands in a JWK set."""
        every = self.jwk.as_dict(private=False)
        shown = {name: every[name] for name in PUBLIC_MEMBERS if name in every}
        return {**shown, "kid": self.kid, "alg": self.alg, "use": "sig", "key_ops": ["verify"]}


@dataclass(frozen=True)
class ClientKeys:
    """The keys of one client. The first signs; all are published, so that two may overlap during a rotation."""

    keys: tuple[ClientKey, ...]

    @property
    def signing(self) -> ClientKey:
        return self.keys[0]


def read_client_keys(text: str) -> ClientKeys:
    """The keys in `text`: a JWK, a JWK set (first key signs) or PEM. ValueError says in plain words what is wrong."""
    stripped = text.strip()
    if stripped.startswith("-----BEGIN"):
        return ClientKeys((_from_pem(stripped),))
    try:
        document = orjson.loads(stripped)
    except orjson.JSONDecodeError:
        raise ValueError("is neither a JWK, a JWK set nor PEM") from None
    members = document.get("keys") if isinstance(document, dict) and "keys" in document else [document]
    if not isinstance(members, list) or not members:
        raise ValueError("holds no key")
    keys = tuple(_from_jwk(member) for member in members)
    if len({key.kid for key in keys}) != len(keys):
        raise ValueError("holds two keys with the same kid")
    return ClientKeys(keys)


def add_key(text: str | None, alg: str) -> str:
    """The JWK set of `text` (none: a new one) with a new key at its end: published, and not signing yet (SMART-43)."""
    members = _members(text) if text else []
    made = RSAKey.generate_key(3072, private=True) if alg == "RS384" else ECKey.generate_key("P-384", private=True)
    return _set_of([*members, {**made.as_dict(private=True), "kid": made.thumbprint(), "alg": alg, "use": "sig"}])


def newest_first(text: str) -> str:
    """The same keys with the last one first, so that it signs; the others stay published."""
    members = _members(text)
    return _set_of([members[-1], *members[:-1]])


def drop_older(text: str) -> str:
    """Only the key that signs."""
    return _set_of(_members(text)[:1])


def _members(text: str) -> list[dict[str, Any]]:
    """The private keys as they stand in a JWK or JWK set, checked; PEM becomes a JWK."""
    return [
        {**key.jwk.as_dict(private=True), "kid": key.kid, "alg": key.alg, "use": "sig"}
        for key in read_client_keys(text).keys
    ]


def _set_of(members: list[dict[str, Any]]) -> str:
    return orjson.dumps({"keys": members}, option=orjson.OPT_INDENT_2).decode()


def public_jwks(key_sets: Iterable[ClientKeys]) -> dict[str, Any]:
    """The JWK set to serve at /.well-known/jwks.json: public parts of every key, each kid once (SMART-43)."""
    by_kid = {key.kid: key.public() for keys in key_sets for key in keys.keys}
    return {"keys": [by_kid[kid] for kid in sorted(by_kid)]}


def _from_jwk(member: object) -> ClientKey:
    kind = member.get("kty") if isinstance(member, dict) else None
    if not isinstance(member, dict) or kind not in ("RSA", "EC"):
        raise ValueError("holds a key that is neither RSA nor EC")
    try:
        return _checked(RSAKey.import_key(member) if kind == "RSA" else ECKey.import_key(member))
    except (JoseError, TypeError, KeyError):
        raise ValueError("holds a key that cannot be read") from None


def _from_pem(text: str) -> ClientKey:
    for kind in (RSAKey, ECKey):
        try:
            key = kind.import_key(text)
        except (JoseError, ValueError, TypeError, AttributeError):
            continue
        return _checked(key)
    raise ValueError("is PEM, but not an RSA or EC private key without a password")


def _checked(key: RSAKey | ECKey) -> ClientKey:
    if not key.is_private:
        raise ValueError("is a public key; the private key is needed")
    if isinstance(key, RSAKey):
        if key.raw_value.key_size < MIN_RSA_BITS:
            raise ValueError(f"is an RSA key of fewer than {MIN_RSA_BITS} bits")
        alg = "RS384"
    elif key.raw_value.curve.name == "secp384r1":
        alg = "ES384"
    else:
        raise ValueError("is an EC key on another curve than P-384")
    return ClientKey(str(key.kid or key.thumbprint()), alg, key)
