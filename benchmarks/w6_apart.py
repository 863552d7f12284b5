"""Takes real pages apart for their bare counterparts: what each asked the database, its markup and its texts."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

from benchmarks.harness.plans import Caught, catching
from benchmarks.w6_bare import BarePage
from patient_portal.app import create_app
from patient_portal.settings import read_settings
from patient_portal.wiring import wire

_WORDS = re.compile(r"(?<=>)([^<>]*[^<>\s][^<>]*)(?=<)")


def taken_apart(environment: Mapping[str, str], cookie: str, paths: Sequence[str]) -> list[BarePage]:
    """Make each page in this process, the second time when everything is warm."""
    settings = read_settings(environment)
    wiring = wire(settings, settings.database_url, application_name="w6")
    client = create_app(wiring).test_client(use_cookies=False)
    pages = []
    for path in paths:
        client.get(path, headers={"cookie": cookie})
        with catching(wiring.database.engine) as caught:
            answer = client.get(path, headers={"cookie": cookie})
        assert answer.status_code == 200, path
        pages.append(_page(answer.get_data(as_text=True), caught))
    wiring.database.close()
    return pages


def _page(made: str, caught: Sequence[Caught]) -> BarePage:
    words: list[str] = []

    def noted(found: re.Match[str]) -> str:
        words.append(html.unescape(found[1]))
        return f"{{{{ words[{len(words) - 1}] }}}}"

    assert "{{" not in made
    transactions: list[list[tuple[bytes, object]]] = []
    for one in caught:
        if "set_config" in one.statement:
            transactions.append([])
        transactions[-1].append((one.statement.encode(), one.parameters))
    return BarePage(_WORDS.sub(noted, made), tuple(words), tuple(tuple(one) for one in transactions))
