"""providers.toml: what is taken, and what is refused with file, line and remedy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey

from fhir_bridge.providers import Provider, load_providers, provider_for_issuer
from vocabulary.config_file import ConfigError

EC = json.dumps(ECKey.generate_key("P-384", {"kid": "ec1"}).as_dict(private=True))
GOOD = """\
[[provider]]
id = "riverside"
name = "Riverside Cancer Center (sandbox)"
state = "MA"
fhir_base_url = "https://ehr.example/fhir"
client_id = "portal"
client_auth = "public"
scopes = "launch/patient openid fhirUser offline_access patient/*.rs"
care_team = true
cancerlinq_participant = true
"""


def load(folder: Path, text: str, *, production: bool = False, **environment: str) -> tuple[Provider, ...]:
    path = folder / "providers.toml"
    path.write_text(text, encoding="utf-8")
    return load_providers(path, environment, production=production)


def test_a_provider_is_read(tmp_path: Path) -> None:
    """SMART-10: every key of the file, and what is assumed without it."""
    (only,) = load(tmp_path, GOOD)
    assert (only.id, only.state, only.care_team, only.cancerlinq_participant) == ("riverside", "MA", True, True)
    assert (only.id_token_algs, only.send_nonce, only.private, only.issuer) == (("RS256",), True, False, None)
    assert [str(each.origin) for each in only.destinations()] == ["https://ehr.example"]


def test_secrets_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    """SEC-13: never in clear in the file; relative paths are the file's own folder's."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "r.json").write_text(EC)
    keyed = GOOD.replace('"public"', '"private_key_jwt"') + 'private_key = "file:keys/r.json"\n'
    (one,) = load(tmp_path, keyed)
    assert one.client_keys is not None
    assert one.client_keys.signing.kid == "ec1"
    basic = GOOD.replace('"public"', '"client_secret_basic"') + 'client_secret = "env:LAKE"\n'
    (two,) = load(tmp_path, basic, LAKE="s3cret")
    assert two.client_secret == "s3cret"
    assert "s3cret" not in repr(two)


def test_the_identity_tables_are_left_alone(tmp_path: Path) -> None:
    """The names of the issue: [[identity]] is kept for staff and researchers."""
    broken = GOOD.replace("care_team = true", "care_team = 1")
    text = '[[identity]]\nid = "staff"\ncare_team = 7\n\n' + broken
    assert len(load(tmp_path, text.replace("care_team = 1", "care_team = true"))) == 1
    with pytest.raises(ConfigError, match="line 13"):
        load(tmp_path, text)


MISTAKES = [
    ("http not private", ('"https://ehr', '"http://ehr'), "fhir_base_url", "plain http"),
    ("user in address", ('"https://ehr', '"https://me@ehr'), "fhir_base_url", "cannot be used"),
    ("query in address", ("/fhir", "/fhir?x=1"), "fhir_base_url", "without a query"),
    ("trick number", ("ehr.example", "0x7f.1"), "fhir_base_url", "cannot be used"),
    ("id", ('"riverside"', '"River Side"'), "id", "small letters"),
    ("client_auth", ('"public"', '"secret"'), "client_auth", "Use one of"),
    ("no secret", ('"public"', '"client_secret_basic"'), "client_secret", "missing"),
    ("no key", ('"public"', '"private_key_jwt"'), "private_key", "missing"),
    ("writes", ("patient/*.rs", "patient/*.cruds"), "scopes", "more than reading"),
    ("order", ("patient/*.rs", "patient/*.sr"), "scopes", "not a SMART scope"),
    ("system", ("patient/*.rs", "system/*.rs"), "scopes", "not for signing in"),
    ("no openid", ("openid ", ""), "scopes", "openid"),
    ("unknown key", ("care_team", "careteam"), "careteam", "not a known key"),
    ("flag", ("care_team = true", 'care_team = "yes"'), "care_team", "true or false"),
    ("missing", ('client_id = "portal"\n', ""), "client_id", "missing"),
    ("client_id", ('"portal"', '"por tal"'), "client_id", "cannot be sent"),
]


@pytest.mark.parametrize(("change", "key", "problem"), [each[1:] for each in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_named(tmp_path: Path, change: tuple[str, str], key: str, problem: str) -> None:
    """SEC-13: file, line, key and what to do."""
    text = GOOD.replace(*change)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    told = str(caught.value)
    assert "providers.toml, line " in told
    assert f"`{key}`" in told
    assert problem in told
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.startswith(f"{key} ")]
    assert f"line {lines[0] if lines else 1}:" in told


ADDED = [
    ('client_secret = "env:X"', "client_secret", "not used"),
    ('private_key = "env:X"', "private_key", "not used"),
    ('id_token_algs = ["HS256"]', "id_token_algs", "HS256"),
    ('id_token_algs = ["none"]', "id_token_algs", "none"),
    ("id_token_algs = []", "id_token_algs", "empty"),
    ('issuer = "http://ehr.example"', "issuer", "plain http"),
    ('origins = ["ftp://x.example"]', "origins", "cannot be used"),
    ('network = "lan"', "network", "not known"),
]


@pytest.mark.parametrize(("line", "key", "problem"), ADDED)
def test_a_wrong_addition_is_named(tmp_path: Path, line: str, key: str, problem: str) -> None:
    """SEC-11, SEC-13: as above, for the optional keys; no symmetric algorithm for id_tokens."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD + line + "\n", X="x")
    assert "line 11" in str(caught.value)
    assert f"`{key}`" in str(caught.value)
    assert problem in str(caught.value)


@pytest.mark.parametrize("value", ["in clear", "env:", "file:", "env:UNSET", "file:absent.txt", "file:empty.txt"])
def test_a_secret_that_cannot_be_had(tmp_path: Path, value: str) -> None:
    """SEC-13: a missing or empty secret refuses to start."""
    (tmp_path / "empty.txt").write_text("\n")
    text = GOOD.replace('"public"', '"client_secret_basic"') + f'client_secret = "{value}"\n'
    with pytest.raises(ConfigError, match="client_secret"):
        load(tmp_path, text)


SMALL = (
    rsa.generate_private_key(65537, 1024)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)

BAD_KEYS = {
    "not json": "x",
    "empty set": '{"keys": []}',
    "symmetric": '{"kty": "oct", "k": "AAAA"}',
    "public": json.dumps(ECKey.generate_key("P-384").as_dict(private=False)),
    "curve": json.dumps(ECKey.generate_key("P-256").as_dict(private=True)),
    "small": SMALL,
    "same kid": json.dumps({"keys": [json.loads(EC), json.loads(EC)]}),
    "bad pem": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
    "broken": '{"kty": "EC", "crv": "P-384", "x": "!", "y": "!", "d": "!"}',
    "list": "[1]",
}


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("kind", BAD_KEYS)
def test_a_key_that_cannot_sign(tmp_path: Path, kind: str) -> None:
    """SMART-42: RSA of 2048 bits or P-384, private."""
    (tmp_path / "key").write_text(BAD_KEYS[kind])
    text = GOOD.replace('"public"', '"private_key_jwt"') + 'private_key = "file:key"\n'
    with pytest.raises(ConfigError, match=r"line 11.*private_key"):
        load(tmp_path, text)


def test_private_hosts_are_for_the_demo(tmp_path: Path) -> None:
    """SEC-13: plain http and this machine's hosts are refused in production."""
    text = GOOD.replace('"https://ehr.example', '"http://localhost:9101') + 'network = "private"\n'
    (only,) = load(tmp_path, text)
    assert only.private
    with pytest.raises(ConfigError, match="production"):
        load(tmp_path, text, production=True)


def test_two_providers_do_not_share_an_id_or_a_base(tmp_path: Path) -> None:
    """SMART-63: what joins accounts and connections is unique."""
    with pytest.raises(ConfigError, match=r"line 12.*twice"):
        load(tmp_path, GOOD + GOOD)
    with pytest.raises(ConfigError, match=r"line 15.*twice"):
        load(tmp_path, GOOD + GOOD.replace('"riverside"', '"lakeside"'))


@pytest.mark.parametrize("text", ["", "[provider]\n", "[[store]]\n", "not toml", "x = 1\n"])
def test_a_file_without_providers(tmp_path: Path, text: str) -> None:
    """SEC-13: the wrong file is named as such."""
    with pytest.raises(ConfigError, match=r"providers\.toml"):
        load(tmp_path, text)


ISSUERS = [
    "https://ehr.example/fhir/", "https://EHR.example/fhir", "HTTPS://ehr.example/fhir", "https://ehr.example:443/fhir",
    "http://ehr.example/fhir", "https://ehr.example/FHIR", "https://ehr.example/fhir?x", "https://ehr.example/fhir#x",
    "https://ehr.example@evil.example/fhir", "https://u@ehr.example/fhir", "https://ehr.example/fhir/../fhir",
    "https://ehr.example/", "https://ehr.example", "http://169.254.169.254/fhir", "http://localhost/fhir", "",
    " https://ehr.example/fhir", "https://ehr.example/fhir\n", "https://ehr.example./fhir", "https://еhr.example/fhir",
]  # fmt: skip


def test_only_the_exact_issuer_launches(tmp_path: Path) -> None:
    """SMART-20, SMART-21: exact match; case, slash, port and user variants are not listed."""
    providers = load(tmp_path, GOOD)
    assert provider_for_issuer(providers, "https://ehr.example/fhir") is providers[0]
    assert [iss for iss in ISSUERS if provider_for_issuer(providers, iss)] == []


@pytest.mark.parametrize(
    ("network", "origin", "taken"),
    [
        ("public", "https://chart.example", True),
        ("public", "http://localhost:9101", False),
        ("private", "http://localhost:9101", True),
        ("private", "http://chart.example", False),
        ("public", "https://chart.example/here", False),
        ("public", "*", False),
    ],
)
def test_who_may_show_us_in_a_frame(tmp_path: Path, network: str, origin: str, taken: bool) -> None:
    """SMART-23: origins over https and nothing wider; plain http on this machine alone, for a private hospital."""
    text = GOOD + f'network = "{network}"\nframe_origins = ["{origin}"]\n'
    if taken:
        assert load(tmp_path, text)[0].frame_origins == (origin,)
        return
    with pytest.raises(ConfigError, match="frame_origins"):
        load(tmp_path, text)
