"""clients.toml is checked at start: file, line and remedy are named (SEC-11, SEC-13)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, OctKey

from patient_portal.api.clients import MAY_HAVE, ClientRole, load_clients
from vocabulary.config_file import ConfigError

GOOD = {
    "id": '"reader"', "name": '"Reader"', "role": '"store"', "stores": '["cancerlinq"]',
    "scopes": '"system/Consent.rs"', "jwks": '"file:keys.json"',
}  # fmt: skip
KEY = ECKey.generate_key("P-384", {"kid": "one"}, private=True)


def written(folder: Path, keys: object = None, **changed: str | None) -> Path:
    """A file with one client; a value None leaves the line out."""
    kept = keys if keys is not None else [KEY.as_dict(private=False)]
    (folder / "keys.json").write_text(json.dumps({"keys": kept}))
    lines = [f"{name} = {value}" for name, value in (GOOD | changed).items() if value is not None]
    path = folder / "clients.toml"
    path.write_text("[[client]]\n" + "\n".join(lines) + "\n")
    return path


def test_a_client(tmp_path: Path) -> None:
    """SEC-11: the client has its store, its scopes and its keys."""
    (client,) = load_clients(written(tmp_path), ["cancerlinq"])
    assert (client.role, client.stores, client.scopes) == (
        ClientRole.STORE, frozenset({"cancerlinq"}), frozenset({"system/Consent.rs"}),
    )  # fmt: skip
    assert [key.kid for key in client.keys.keys] == ["one"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"id": '"Reader One"'}, "id"), ({"name": None}, "name"), ({"role": '"admin"'}, "role"),
        ({"stores": '["nobody"]'}, "stores"), ({"stores": "[]"}, "stores"),
        ({"role": '"auditor"'}, "stores"), ({"role": '"pipeline"', "stores": "[]"}, "stores"),
        ({"scopes": '"system/*.cruds"'}, "scopes"), ({"scopes": '"system/AuditEvent.rs"'}, "scopes"),
        ({"jwks": '"keys.json"'}, "jwks"), ({"jwks": '"file:none.json"'}, "jwks"), ({"secret": '"x"'}, "secret"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, changed: dict[str, str | None], named: str) -> None:
    """SEC-13: each mistake names the file, a line and the key."""
    with pytest.raises(ConfigError, match=rf"clients\.toml, line \d+.*`{named}`"):
        load_clients(written(tmp_path, **changed), ["cancerlinq"])


@pytest.mark.parametrize(
    "key",
    [
        KEY.as_dict(private=True), OctKey.generate_key(256, {"kid": "s"}).as_dict(private=True), {"kty": "EC"}, "x",
        ECKey.generate_key("P-256", {"kid": "small"}).as_dict(private=False),
    ],
)  # fmt: skip
def test_keys_that_are_refused(tmp_path: Path, key: object) -> None:
    """SEC-11: a private key, a shared secret, a curve that signs neither RS384 nor ES384."""
    with pytest.raises(ConfigError, match="jwks"):
        load_clients(written(tmp_path, [key]), ["cancerlinq"])


def test_nobody_may_have_more_than_the_role_allows() -> None:
    """SEC-08: only an auditor reads audit events, and an auditor is told no decisions in bulk."""
    assert [role for role in ClientRole if "system/AuditEvent.rs" in MAY_HAVE[role]] == [ClientRole.AUDITOR]
    assert "system/decision.r" not in MAY_HAVE[ClientRole.AUDITOR]
