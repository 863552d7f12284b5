"""Settings refuse to be wrong, and say what to do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from database.keyring import KeyRing
from fhir_bridge.access.malware import read_scanner
from patient_portal.settings import read_settings
from vocabulary.config_file import ConfigError

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("patient_portal", "research", "consent", "fhir_bridge", "notifications", "database", "outbound", "vocabulary")
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
    ("PORTAL_TIME_ZONE", "Mars/Base", "is 'Mars/Base', which is no time zone"),
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


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORTAL_TEXT_NAME", "Riverside Oncology", "names an illness"),
        ("PORTAL_TEXT_NAME", "Mi Portal del Cáncer", "do not fit a text"),
        ("PORTAL_TEXT_NAME", "My Cancer Portal", "names an illness"),
        ("PORTAL_TEXT_NAME", "HIV Clinic", "names an illness"),
        ("PORTAL_TEXT_NAME", "A name that is much too long for any text", "longer than 30"),
        ("PORTAL_BASE_URL", "http://127.0.0.1:8000/mycancerportal", "names an illness"),
    ],
)
def test_what_every_text_carries_names_no_illness(
    environment: dict[str, str], name: str, value: str, words: str
) -> None:
    """SMS-08: the name of the texts and the address in them are read by whoever holds the phone."""
    texts = {
        "TWILIO_ACCOUNT_SID": "AC" + "a" * 32,
        "TWILIO_AUTH_TOKEN": "token",
        "TWILIO_MESSAGING_SERVICE_SID": "MG" + "b" * 32,
    }
    with pytest.raises(ConfigError, match=f"{name}.*{words}"):
        read_settings(environment | texts | {name: value})
    chosen = read_settings(environment | texts | {"PORTAL_TEXT_NAME": "Riverside Portal"})
    assert chosen.text_name == "Riverside Portal"


def test_an_address_matters_only_where_texts_go_out(environment: dict[str, str]) -> None:
    """SMS-08: without texts the address of a cancer center is nobody's secret."""
    assert read_settings(environment | {"PORTAL_BASE_URL": "http://127.0.0.1:8000/cancer"}).twilio is None


def test_in_production_no_file_is_taken_until_a_scanner_is_named(tmp_path: Path) -> None:
    """SEC-12: nothing set keeps files out in production; `none` is said on purpose; elsewhere it is the default."""
    assert read_settings(_environment(tmp_path, production=False)).upload_scanner == read_scanner("none")
    live = _environment(tmp_path, production=True)
    assert read_settings(live).upload_scanner is None
    for said in ("none", "clamd:/run/clamd.ctl"):
        found = read_settings(live | {"PORTAL_UPLOAD_SCANNER": said}).upload_scanner
        assert found == read_scanner(said)
    with pytest.raises(ConfigError, match="PORTAL_UPLOAD_SCANNER"):
        read_settings(live | {"PORTAL_UPLOAD_SCANNER": "off"})


def test_the_document_names_every_setting_and_no_other() -> None:
    """SEC-13: docs/settings.md is what an operator has; a setting that is missing there does not exist for them."""
    named = re.compile(r"(?:PORTAL|DATABASE|TWILIO|SMTP|OPERATOR|BAA|PROMETHEUS)_[A-Z_]+")
    read = set()
    texts = (path.read_text() for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    for text in (text for text in texts if named.search(text)):
        constants = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
        read |= {each.removesuffix("_FILE") for each in constants if isinstance(each, str) and named.fullmatch(each)}
    table = (ROOT / "docs" / "settings.md").read_text().partition("## providers.toml")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert sorted(read) == sorted(set(re.findall(r"`([A-Z_]+)`", "".join(rows))))
