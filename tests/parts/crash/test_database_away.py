"""The database is away: people are told to come back, by a page of ours and never by an error of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from database.prepare import with_database
from database.unit_of_work import sqlalchemy_url
from tests.support.portal import Portal, signed_in_client


@pytest.fixture
def away(portal: Portal) -> Iterator[list[str]]:
    """Statements for the server's superuser; afterwards the database may be reached again."""
    url = portal.database.superuser_url
    name = url.rpartition("/")[2]
    said: list[str] = [
        f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {{}}',
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
    ]
    yield said
    _say(portal, said[0].format("true"))


def _say(portal: Portal, *statements: str) -> None:
    engine = create_engine(
        sqlalchemy_url(with_database(portal.database.superuser_url, "postgres")), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.mark.parametrize("path", ["/choices", "/choices/cancerlinq", "/faq", "/record", "/nowhere"])
def test_no_page_is_an_error_of_ours(portal: Portal, away: list[str], path: str) -> None:
    """SEC-10, threats 5 (DB restart): while the database is away a signed-in person gets 503 with Retry-After."""
    client = signed_in_client(portal, "rv-p02", record=False)
    _say(portal, away[0].format("false"), away[1])
    answer = client.get(path)
    assert answer.status_code in (200, 503), f"{path}: {answer.status_code}"
    if answer.status_code == 503:
        assert int(answer.headers["Retry-After"]) > 0
        assert "Traceback" not in answer.text
    _say(portal, away[0].format("true"))
    back = client.get(path)
    assert back.status_code in (200, 404), "the same session goes on when the database is back"
