"""Settings refuse to be wrong, and say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from database.keyring import KeyRing
from patient_portal.settings import read_settings
from vocabulary.config_file import ConfigError

PROVIDERS = """
[[provider]]
id = "riverside"
name = "Riverside"
state = "MA"
fhir_base_url = "{base}"
client_id = "portal"
client_auth = "public"
network = "{network}"
"""
STORES = """
[[store]]
id = "cancerlinq"
name = "CancerLinQ platform"
kind = "webhook"
transport = "backport"
endpoint = "{endpoint}"
secrets = ["env:STORE_SECRET"]
holds = "identifiable"
basis = "operations"
identifier_system = "urn:oid:1.2.3"
practices = ["riverside-main"]
deadline = "15m"
contact = "privacy@cancerlinq.example"
network = "{network}"
"""
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A complete demo environment."""
    return _environment(tmp_path, production=False)


def _environment(folder: Path, *, production: bool) -> dict[str, str]:
    network, scheme, host = (
        ("public", "https", "fhir.example.org") if production else ("private", "http", "localhost:9")
    )
    (folder / "providers.toml").write_text(PROVIDERS.format(base=f"{scheme}://{host}/fhir", network=network))
    (folder / "stores.toml").write_text(STORES.format(endpoint=f"{scheme}://{host}/n", network=network))
    KeyRing.fresh(demo=not production).save(folder / "ring.json")
    return {
        "DATABASE_URL": "postgresql://web:w@127.0.0.1/portal",
        "DATABASE_URL_WORKER": "postgresql://worker:w@127.0.0.1/portal",
        "PORTAL_KEYS": str(folder / "ring.json"),
        "PORTAL_SECRET_KEY": SECRET,
        "PORTAL_PROVIDERS": str(folder / "providers.toml"),
        "PORTAL_STORES": str(folder / "stores.toml"),
        "PORTAL_BASE_URL": "https://portal.example.org" if production else "http://127.0.0.1:8000",
        "OPERATOR_ROLE": "covered-entity",
        "STORE_SECRET": "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=",
    }


def test_a_complete_environment_is_read(environment: dict[str, str]) -> None:
    """SEC-13: nothing else is asked for."""
    settings = read_settings(environment)
    assert settings.sandbox
    assert not settings.production
    assert [provider.id for provider in settings.providers] == ["riverside"]


WRONG = [
    ("PORTAL_SECRET_KEY", None, "PORTAL_SECRET_KEY: is not set"),
    ("PORTAL_SECRET_KEY", "changeme", "openssl rand"),
    ("PORTAL_SECRET_KEY", "a" * 64, "too simple"),
    ("DATABASE_URL", None, "DATABASE_URL: is not set"),
    ("PORTAL_KEYS", "/nowhere/ring.json", "portal keys new"),
    ("PORTAL_BASE_URL", "http://portal.example.org", "Use https"),
    ("PORTAL_BASE_URL", "portal", "not a plain web address"),
    ("OPERATOR_ROLE", "hospital", "covered-entity"),
    ("PORTAL_LANGUAGES", "en,xx", "names 'xx'"),
    ("PORTAL_PROVIDERS", "/nowhere.toml", "cannot be read"),
    ("PORTAL_TRUSTED_PROXIES", "two", "not a whole number"),
    ("TWILIO_ACCOUNT_SID", "AC1", "TWILIO_AUTH_TOKEN: is not set"),
    ("PORTAL_SECRET_KEY_FILE", "/nowhere/secret", "cannot be read"),
    ("STORE_SECRET", None, "STORE_SECRET"),
]


@pytest.mark.parametrize(("name", "value", "says"), WRONG)
def test_a_wrong_setting_is_named_with_its_remedy(
    environment: dict[str, str], name: str, value: str | None, says: str
) -> None:
    """SEC-13: the service does not start, and the message says which setting and what to do."""
    changed = {key: text for key, text in environment.items() if key != name}
    if value is not None:
        changed[name] = value
    with pytest.raises(ConfigError, match=says):
        read_settings(changed)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OPERATOR_ROLE", None, "OPERATOR_ROLE: is not set"),
        ("OPERATOR_ROLE", "business-associate", "BAA_CONFIRMED"),
        ("DATABASE_URL_WORKER", None, "same login"),
    ],
)
def test_production_asks_for_more(tmp_path: Path, name: str, value: str | None, says: str) -> None:
    """Decisions, Keys: an https base address is production, and production refuses what a demo may do."""
    complete = _environment(tmp_path, production=True)
    assert read_settings(complete).production
    changed = {key: text for key, text in complete.items() if key != name}
    if value is not None:
        changed[name] = value
    with pytest.raises(ConfigError, match=says):
        read_settings(changed)


def test_production_refuses_the_demos_parts(tmp_path: Path) -> None:
    """Decisions, Keys: demo keys and private networks are refused by name."""
    environment = _environment(tmp_path, production=True)
    KeyRing.fresh(demo=True).save(tmp_path / "ring.json")
    with pytest.raises(ConfigError, match="demo's keys"):
        read_settings(environment)
    private = _environment(tmp_path, production=False) | {"PORTAL_BASE_URL": "https://portal.example.org"}
    with pytest.raises(ConfigError, match=r"providers\.toml, line \d+"):
        read_settings(private)


def test_secrets_may_be_files_and_are_never_shown(environment: dict[str, str], tmp_path: Path) -> None:
    """SEC-13: `…_FILE` is read, and neither `portal settings` nor repr shows a secret."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    changed = {key: text for key, text in environment.items() if key != "PORTAL_SECRET_KEY"}
    settings = read_settings(changed | {"PORTAL_SECRET_KEY_FILE": str(tmp_path / "secret")})
    assert settings.secret_key == SECRET
    shown = repr(settings) + "".join(settings.shown().values())
    assert SECRET not in shown
    assert "web:w@" not in shown
