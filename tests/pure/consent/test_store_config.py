"""stores.toml: the sample works, and each mistake is named by file, line and remedy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from consent.store_config import Store, load_stores
from tests.pure.consent.stores import OLD_SECRET, SECRET
from vocabulary.config_file import ConfigError

SAMPLE = """
[[store]]
id = "cancerlinq"
name = "CancerLinQ platform (sandbox)"
kind = "webhook"
transport = "backport"
endpoint = "http://localhost:9201/notifications"
secrets = ["env:STORE_CANCERLINQ_SECRET"]
holds = "identifiable"
basis = "operations"
identifier_system = "urn:oid:2.16.840.1.113883.19.5"
practices = ["riverside-main"]
deadline = "15m"
contact = "privacy@cancerlinq.example"
network = "private"

[[store]]
id = "early-signs"
name = "Early Signs"
kind = "webhook"
transport = "ndjson"
endpoint = "http://localhost:9206/notifications"
secrets = ["file:new.secret", "env:OLD"]
holds = "identifiable"
basis = "donation"
effort = "early-signs"
via_cancerlinq = true
deadline = "1d"
contact = "privacy@early-signs.example"
network = "private"
"""
ENVIRONMENT = {"STORE_CANCERLINQ_SECRET": SECRET, "OLD": OLD_SECRET}


def load(folder: Path, text: str, production: bool = False) -> tuple[Store, ...]:
    path = folder / "stores.toml"
    path.write_text(text, encoding="utf-8")
    (folder / "new.secret").write_text(SECRET + "\n", encoding="utf-8")
    return load_stores(path, ENVIRONMENT, production)


def test_the_sample_loads(tmp_path: Path) -> None:
    """Names that stay: every key of the sample is read, secrets are resolved and never printed."""
    first, second = load(tmp_path, SAMPLE)
    assert (first.id, first.deadline, first.secrets) == ("cancerlinq", timedelta(minutes=15), (SECRET,))
    assert second.secrets == (SECRET, OLD_SECRET)
    assert second.via_cancerlinq
    assert SECRET not in repr(first)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('kind = "webhook"', 'kind = "carrier-pigeon"', 5, "not known"),
        ('kind = "webhook"', 'kind = "sql"', 6, "does not go with"),
        ('transport = "backport"', 'transport = "xml"', 6, "not known"),
        ("http://localhost:9201", "http://stores.example", 7, "not on this machine"),
        ("http://localhost:9201", "ftp://localhost", 7, "plain web address"),
        ("http://localhost:9201", "http://me@localhost:9201", 7, "plain web address"),
        ("http://localhost:9201", "http://localhost:port", 7, "not a number"),
        ("env:STORE_CANCERLINQ_SECRET", "env:NOT_SET", 8, "is not set"),
        ("env:STORE_CANCERLINQ_SECRET", SECRET, 8, "env:NAME or file:PATH"),
        ("env:STORE_CANCERLINQ_SECRET", "file:absent", 8, "cannot be read"),
        ('["env:STORE_CANCERLINQ_SECRET"]', "[]", 8, "one secret"),
        ('basis = "operations"', 'basis = "whim"', 10, "not known"),
        ('practices = ["riverside-main"]', "practices = []", 12, "empty"),
        ('deadline = "15m"', 'deadline = "soon"', 13, "soon"),
        ('id = "cancerlinq"', 'id = "Cancer LinQ"', 3, "small letters"),
        ('id = "early-signs"', 'id = "cancerlinq"', 18, "used twice"),
        ('effort = "early-signs"', 'effort = "another"', 26, "no authorization text"),
        ('basis = "donation"\n', 'basis = "operations"\n', 26, "does not go with"),
        ("via_cancerlinq = true", "via_cancerlinq = false", 27, "differs"),
        ('network = "private"\n\n', 'network = "public"\n\n', 7, "not https"),
        ('contact = "privacy@cancerlinq.example"', 'kontact = "x"', 14, "not a known key"),
    ],
)
def test_each_mistake_is_named(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    """Stage A (settings): a wrong value refuses to start and says where and what to do."""
    with pytest.raises(ConfigError, match=says) as error:
        load(tmp_path, SAMPLE.replace(old, new, 1))
    assert f"line {line}" in str(error.value)
    assert error.value.remedy


def test_production_refuses_sandbox(tmp_path: Path) -> None:
    """Decisions (production): no private network and no invented effort behind an https address."""
    with pytest.raises(ConfigError, match="private"):
        load(tmp_path, SAMPLE, production=True)
    public = SAMPLE.replace("http://localhost", "https://stores.example").replace('"private"', '"public"')
    with pytest.raises(ConfigError, match="invented"):
        load(tmp_path, public, production=True)
