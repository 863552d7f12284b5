"""The bare pages of G6.1: Flask, SQL and Jinja, with the statements and the bytes of real ones (`w6_apart`).

Each sends its statements in the same transactions, reads their rows and looks at none of them. Its template has the
real page's markup, and each text in it is a value that Jinja escapes. No session is opened, nothing decrypted,
translated, addressed or decided.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from psycopg_pool import ConnectionPool

PAGES = "W6_BARE_PAGES"
"""The setting that names the file in which the pages stand."""


@dataclass(frozen=True)
class BarePage:
    """A template, its values, and (statement, parameters) of each transaction."""

    template: str
    words: tuple[str, ...]
    transactions: tuple[tuple[tuple[bytes, Any], ...], ...]


def app() -> Flask:
    """The application; granian calls this once in each process."""
    made = Flask(__name__)
    pool = ConnectionPool(os.environ["DATABASE_URL"], min_size=8, max_size=16, open=True)
    made.add_url_rule("/", "hello", lambda: "hello")
    pages: list[BarePage] = pickle.loads(Path(os.environ[PAGES]).read_bytes())  # noqa: S301 - from the benchmark that began it
    for number, page in enumerate(pages):
        made.add_url_rule(f"/{number}", str(number), _view(made, pool, page))
    return made


def _view(made: Flask, pool: ConnectionPool[Any], page: BarePage) -> Callable[[], str]:
    template = made.jinja_env.from_string(page.template)

    def view() -> str:
        for transaction in page.transactions:
            with pool.connection() as connection:
                for statement, parameters in transaction:
                    connection.execute(statement, parameters).fetchall()
        return template.render(words=page.words)

    return view
