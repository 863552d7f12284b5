"""What an effort found out: published once, told to those who take part and want to hear of it, and read here."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.context import as_nobody
from notifications.campaigns import Progress, carry_on
from notifications.texting import Texting
from patient_portal.in_touch.audiences import audience_named
from patient_portal.in_touch.tables import EffortResult
from vocabulary.errors import Conflict, Invalid

LASTS = timedelta(days=90)
LONGEST_TITLE, LONGEST_WORDS = 120, 5_000
AT_REST = frozenset({"running", "paused", "done"})


@dataclass(frozen=True)
class News:
    """One piece of news as its page shows it, in `language`; `words` are paragraphs."""

    effort: str
    title: str
    words: tuple[str, ...]
    language: str
    published_at: datetime


def read_news(content: bytes, languages: Collection[str]) -> dict[str, tuple[str, str]]:
    """Title and words for each language from a TOML file with a table for each (`[en]`, `[es]`); Invalid names what is
    wrong. English has to be there: it is what everybody else is shown. Pure."""
    try:
        tables = tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise Invalid("results-file", {"file": "not-toml"}) from None
    wrong, found = {}, {}
    for language, table in tables.items():
        title, words = (
            str(table.get(name, "")).strip() if isinstance(table, dict) else "" for name in ("title", "words")
        )
        fits = 0 < len(title) <= LONGEST_TITLE and 0 < len(words) <= LONGEST_WORDS
        if not fits or language not in languages:
            wrong[language] = "title-or-words" if language in languages else "not-a-language-of-this-portal"
        found[language] = (title, words)
    if "en" not in found:
        wrong["en"] = "missing"
    if wrong:
        raise Invalid("results-file", wrong)
    return found


def publish(
    texting: Texting, effort: str, name: str, words: dict[str, tuple[str, str]], by: str, now: datetime
) -> Progress:  # fmt: skip
    """Publish under this name, then plan and start the campaign that tells of it; again after a crash, it goes on.

    Invalid for an effort that does not exist, Conflict when other words stand under this name.
    """
    audience = audience_named(f"effort:{effort}")
    rows = [
        {"effort_id": effort, "name": name, "language": language, "title": title, "words": said, "published_at": now,
         "published_by": by}
        for language, (title, said) in words.items()
    ]  # fmt: skip
    with texting.database.begin(as_nobody()) as session:
        session.execute(insert(EffortResult).values(rows).on_conflict_do_nothing())
        kept = session.scalars(
            select(EffortResult).where(EffortResult.effort_id == effort, EffortResult.name == name)
        ).all()
        if {one.language: (one.title, one.words) for one in kept} != words:
            raise Conflict("results-name-taken")
    stands = carry_on(texting, f"results-{effort}-{name}", "results", audience, now, lasts=LASTS)
    while stands.state not in AT_REST:
        stands = carry_on(texting, stands.name, "results", audience, now, lasts=LASTS)
    return stands


def news_of(session: Session, efforts: Sequence[str], language: str) -> list[News]:
    """What these efforts found out, newest first: in this language where it was written, else in English."""
    rows = session.scalars(
        select(EffortResult)
        .where(EffortResult.effort_id.in_(efforts), EffortResult.language.in_([language, "en"]))
        .order_by(EffortResult.published_at.desc(), EffortResult.language == "en")
    ).all()
    shown: dict[tuple[str, str], News] = {}
    for one in rows:
        told = News(one.effort_id, one.title, tuple(one.words.split("\n\n")), one.language, one.published_at)
        shown.setdefault((one.effort_id, one.name), told)
    return list(shown.values())
