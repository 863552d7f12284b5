"""A warehouse in PostgreSQL: one transaction a batch, in which the rows, our cursor and the reading back are one.

COPY into a temporary table, one upsert by version, the cursor, then what stands there now: so a batch told twice has
the effect of one, and a receipt says what was read in the very transaction that wrote it. Nobody signs it.

A batch may be prepared: its transaction is open and all but committed, and a kill takes it back whole.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import psycopg

from consent.receipts import State, StoreReceipt
from consent.store_config import Store
from consent.stores import warehouse_tables as tables
from consent.stores.adapter import Batch, BatchAnswer, NotDelivered
from consent.stores.checked_host import CheckedHost, checked_host
from consent.stores.comparable import Counts, Digest, Fact, Span, read_counts, read_digests, read_facts
from consent.stores.warehouse_fill import UNSIGNED, House, fill
from consent.wire import StoreEvent

CONNECT_SECONDS = 5
TOTAL_SECONDS = 30.0
_SERVER_LIMITS = "-c statement_timeout=20000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=30000"
# The fault may lie in what we sent: data exception, integrity, a check of theirs (SQLSTATE classes 22, 23, 44, P0).
_CONTENT = ("22", "23", "44", "P0")
_ENDED = (None, "57P01", "57P02", "57P03")  # no answer at all, or "the server is going away"
_Told = tuple[Sequence[StoreReceipt], ExitStack]


class WarehouseStore:
    """Delivers batches into one PostgreSQL database; one connection, kept between batches, used by one thread at a
    time."""

    def __init__(self, store: Store, *, total_seconds: float = TOTAL_SECONDS) -> None:
        self.store = store
        self._total_seconds = total_seconds
        self._connection: psycopg.Connection[Any] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._prepared: tuple[str, Future[_Told]] | None = None

    def deliver(self, batch: Batch) -> BatchAnswer:
        receipts = self._committed(batch.message_id) or self._within_limits(lambda it: _tell(it, self.store.id, batch))
        return BatchAnswer(receipts, f"unsigned: {receipts[0].reference}")

    def prepare(self, batch: Batch) -> None:
        """Begin to write the batch that is delivered next, by a thread of its own; see `adapter.Prepares`."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, f"prepare-{self.store.id}")
        told = self._thread.submit(self._open, lambda it: _tell(it, self.store.id, batch))
        self._prepared = batch.message_id, told

    def take_back(self) -> None:
        """Nothing is left of what was prepared."""
        if self._prepared is not None:
            self._committed("")

    def _committed(self, message_id: str) -> Sequence[StoreReceipt] | None:
        """The receipts of the batch when it was prepared, now that it is committed; whatever else was prepared, or went
        wrong with it, is taken back, and who delivers begins anew."""
        prepared, self._prepared = self._prepared, None
        if prepared is None:
            return None
        with suppress(psycopg.Error, NotDelivered, TypeError, ValueError, AttributeError):
            receipts, transaction = prepared[1].result()
            if prepared[0] == message_id:
                transaction.close()
                return receipts
            self.close()
            transaction.close()
        self.close()
        return None

    def is_well(self) -> bool:
        try:
            return bool(self._within_limits(_stands))
        except NotDelivered:
            return False

    def counts(self, through: int) -> Counts:
        ((total, nos),) = self._compare("counts", through, [Span(1, through)])
        return read_counts({"total": total, "nos": nos, "stray": 0})

    def digests(self, through: int, spans: Sequence[Span]) -> list[Digest]:
        return read_digests([list(row) for row in self._compare("digests", through, spans)], spans)

    def facts(self, through: int, spans: Sequence[Span]) -> list[Fact]:
        return read_facts([list(row) for row in self._compare("facts", through, spans)], spans)

    def _compare(self, ask: str, through: int, spans: Sequence[Span]) -> list[tuple[Any, ...]]:
        """One set-based statement in the warehouse; no more rows come back than can be true."""
        most = sum(span.width for span in spans) if ask == "facts" else len(spans)
        firsts, lasts = [span.first for span in spans], [span.last for span in spans]
        bound = {"through": min(through, lasts[-1]), "first": firsts[0], "firsts": firsts, "lasts": lasts}

        def ask_it(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
            with connection.cursor() as cursor:
                holds = cursor.execute(tables.HAS_HOLDS).fetchone()
                cursor.execute(tables.compared(ask, holds=bool(holds and holds[0])).encode(), bound)
                return cursor.fetchmany(most + 1)

        found: list[tuple[Any, ...]] = self._within_limits(ask_it)
        return found

    def close(self) -> None:
        """End the kept connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _within_limits(self, work: Any) -> Any:
        """`work` on the kept connection; once more on a new one when the kept one had died unseen."""
        for kept in (self._connection is not None, False):
            try:
                return self._once(work)
            except psycopg.Error as error:
                self.close()
                if not kept or not _broke(error):
                    raise _refused(error) from None
            except (TypeError, ValueError, AttributeError):  # what came back is not of the types that were asked for
                self.close()
                raise NotDelivered("sql-form", answered=False) from None
        raise AssertionError("a new connection works or fails")

    def _once(self, work: Any) -> Any:
        done, transaction = self._open(work)
        transaction.close()
        return done

    def _open(self, work: Any) -> tuple[Any, ExitStack]:
        """What comes of `work`, and its transaction, which commits when it is closed."""
        if self._connection is None:
            self._connection = _connect(self.store, checked_host(self.store))
        connection = self._connection
        with ExitStack() as transaction:
            transaction.enter_context(_cut_off_after(self._total_seconds, connection.fileno()))
            transaction.enter_context(connection.transaction())
            return work(connection), transaction.pop_all()


def _broke(error: psycopg.Error) -> bool:
    """Whether the connection ended, and no answer came over it."""
    return isinstance(error, psycopg.OperationalError) and error.sqlstate in _ENDED


def _refused(error: psycopg.Error) -> NotDelivered:
    """A code of the SQL standard names no person; the server's message might, and stays here."""
    if _broke(error):
        return NotDelivered("connection", answered=False)
    content = isinstance(error, psycopg.DataError) or (error.sqlstate or "").startswith(_CONTENT)
    return NotDelivered(f"sql-{error.sqlstate or 'form'}", answered=content)


def _connect(store: Store, host: CheckedHost) -> psycopg.Connection[Any]:
    """Connected to a checked address; the certificate must be for the name, unless the network is private."""
    private = store.network == "private"
    return psycopg.connect(
        store.login or "",
        host=",".join([host.name] * len(host.addresses)),
        hostaddr=",".join(host.addresses),
        port=host.port,
        connect_timeout=CONNECT_SECONDS,
        sslmode="prefer" if private else "verify-full",
        sslrootcert="" if private else "system",
        gssencmode="disable",
        passfile="/dev/null",
        application_name="patient-portal",
        options=_SERVER_LIMITS,
        keepalives_idle=30,
        tcp_user_timeout=20_000,
        autocommit=True,
    )


@contextmanager
def _cut_off_after(seconds: float, descriptor: int) -> Iterator[None]:
    """The server's own limits are only as good as the server: at the end of the time we hang up."""

    def hang_up() -> None:
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as twin:
            twin.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell(connection: psycopg.Connection[Any], store_id: str, batch: Batch) -> Sequence[StoreReceipt]:
    """The batch, in the transaction that is open, and its receipts; a doubt rolls all of it back."""
    last = batch.lines[-1] if batch.lines else batch.events[-1]
    bound = {"store": store_id, "event": last.number, "position": last.position, "message": batch.message_id}
    with connection.pipeline():
        connection.execute(tables.FIRST_CURSOR, bound)
        connection.execute(tables.LOCK_CURSOR, bound)
        says = connection.execute(tables.SAYS)
    house = House(*(says.fetchone() or ()))
    with connection.cursor() as cursor:
        if batch.lines:
            receipts = fill(cursor, batch.lines, house)
            cursor.execute(tables.MOVE_CURSOR, bound)
            return receipts
        cursor.execute(tables.INCOMING)
        with cursor.copy(tables.COPY) as copy:
            for row in tables.rows_of(batch.events):
                copy.write_row(row)
        cursor.execute(tables.UPSERT)
        cursor.execute(tables.MOVE_CURSOR, bound)
        cursor.execute(tables.READ_BACK_HOLDS if house.holds else tables.READ_BACK)
        rows = {row[0]: row for row in cursor.fetchmany(len(batch.events) + 1)}
    return tuple(_receipt(event, rows.get(event.number)) for event in batch.events)


def _receipt(event: StoreEvent, row: Any) -> StoreReceipt:
    """The row stands, so every query that joins it obeys: applied; nothing held when the warehouse says so.

    A warehouse whose table says something else than it was told, by a trigger or a rewritten row, is not believed.
    """
    if row is None:
        raise NotDelivered("answers-other-events", answered=True)
    _, version, answer, held, transaction, at = row
    if version < event.decision.version or (version == event.decision.version and answer != event.answer.value):
        raise NotDelivered("answers-otherwise", answered=True)
    state = State.NOTHING_HELD if held == 0 else State.APPLIED
    stamp = at.isoformat(timespec="seconds")
    return StoreReceipt(event.number, version, state, reference=f"transaction {transaction}", reason=UNSIGNED, at=stamp)


def _stands(connection: psycopg.Connection[Any]) -> bool:
    """Whether both tables can be read."""
    connection.execute("SELECT version FROM portal_consent_state LIMIT 0")
    connection.execute("SELECT event FROM portal_cursor LIMIT 0")
    return True
