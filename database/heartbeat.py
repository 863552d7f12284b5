"""Every worker and feed process says that it is at work; `/readyz` believes it for half a minute."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from database.tables import ProcessHeartbeat

FRESH = timedelta(seconds=30)
FORGOTTEN = timedelta(days=1)


def process_name(kind: str) -> str:
    return f"{kind}@{socket.gethostname()}:{os.getpid()}"


def beat(session: Session, kind: str, now: datetime) -> None:
    """Write or renew this process's row, and drop rows of processes long gone."""
    row = {"process": process_name(kind), "kind": kind, "started_at": now, "seen_at": now}
    session.execute(
        insert(ProcessHeartbeat).values(row).on_conflict_do_update(index_elements=["process"], set_={"seen_at": now})
    )
    session.execute(delete(ProcessHeartbeat).where(ProcessHeartbeat.seen_at < now - FORGOTTEN))


@dataclass(frozen=True)
class Process:
    """A worker or feed process: its name (kind, host and number), since when, and when it was last heard of."""

    name: str
    kind: str
    started_at: datetime
    seen_at: datetime

    def is_at_work(self, now: datetime) -> bool:
        return self.seen_at > now - FRESH


def processes(session: Session) -> tuple[Process, ...]:
    """Every process of the last day, by name."""
    found = session.scalars(select(ProcessHeartbeat).order_by(ProcessHeartbeat.process))
    return tuple(Process(row.process, row.kind, row.started_at, row.seen_at) for row in found)


def kinds_at_work(session: Session, now: datetime) -> frozenset[str]:
    seen: Iterable[str] = session.scalars(
        select(ProcessHeartbeat.kind).where(ProcessHeartbeat.seen_at > now - FRESH).distinct()
    )
    return frozenset(seen)
