"""People who ask a web server for pages, in a process of their own.

`python -m benchmarks.w6_driver` reads one order as JSON and writes what it saw as JSON. `connections` are kept open.
Without `each_second` every one of them asks again as soon as it was answered (a closed loop: the server's own speed
decides how much is asked). With it, pages are asked for at that rate at moments that nobody chooses (Poisson, the same
moments each time), whether or not the ones before were answered; a page's time runs from the moment it was wanted, so
that a slow server hides nothing.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from itertools import count

import orjson

BARELY_BEGUN = 0.15
"""The share of the pages asked for first whose times are left out: connections are made, statements prepared."""


@dataclass(frozen=True)
class Order:
    """Ask `port` on this machine for the `pages` ((path, cookie), one after the other) for `seconds`."""

    port: int
    pages: tuple[tuple[str, str], ...]
    connections: int
    seconds: float
    each_second: float | None = None


@dataclass(frozen=True)
class Seen:
    """Pages a second, their times in ms, the largest in bytes, and the most that waited for a free connection."""

    count: int
    per_second: float
    median_ms: float
    p99_ms: float
    largest: int
    waited: int


def drive(order: Order) -> Seen:
    """Carry out an order in a process of its own; raises when a page was not answered with 200."""
    argv = [sys.executable, "-m", "benchmarks.w6_driver"]
    done = subprocess.run(argv, input=orjson.dumps(asdict(order)), stdout=subprocess.PIPE, check=True)
    return Seen(**orjson.loads(done.stdout))


@dataclass
class _Asking:
    """What the connections of one order share."""

    requests: list[bytes]
    until: float
    times: list[tuple[float, float]] = field(default_factory=list)
    turns: count[int] = field(default_factory=count)
    wanted: deque[float] = field(default_factory=deque)
    free: list[_Connection] = field(default_factory=list)
    closed_loop: bool = True
    largest: int = 0
    waited: int = 0

    def want(self) -> None:
        """A page is wanted now."""
        self.wanted.append(time.perf_counter())
        self.waited = max(self.waited, len(self.wanted) - 1)
        if self.free:
            self.free.pop().ask()


class _Connection(asyncio.Protocol):
    def __init__(self, asking: _Asking) -> None:
        self.asking, self.parts, self.missing, self.since = asking, [b""], -1, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def ask(self) -> None:
        asking = self.asking
        self.since = asking.wanted.popleft() if asking.wanted else time.perf_counter()
        self.transport.write(asking.requests[next(asking.turns) % len(asking.requests)])

    def data_received(self, data: bytes) -> None:
        self.parts.append(data)
        if self.missing < 0:
            held = b"".join(self.parts)
            head, found, body = held.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 200 " not in head[:20]:
                sys.exit(f"answered with {head[:60]!r}")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            self.asking.largest = max(self.asking.largest, length)
            self.parts, self.missing = [], length - len(body)
        else:
            self.missing -= len(data)
        if self.missing == 0:
            self._answered()

    def _answered(self) -> None:
        asking, now = self.asking, time.perf_counter()
        asking.times.append((self.since, now - self.since))
        self.parts, self.missing = [b""], -1
        if asking.wanted or (asking.closed_loop and now < asking.until):
            self.ask()
        else:
            asking.free.append(self)


async def _carry_out(order: Order) -> Seen:
    loop = asyncio.get_running_loop()
    requests = [f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncookie: {cookie}\r\n\r\n" for path, cookie in order.pages]
    asking = _Asking([each.encode() for each in requests], time.perf_counter() + order.seconds)
    asking.closed_loop = order.each_second is None
    for _ in range(order.connections):
        _, connection = await loop.create_connection(lambda: _Connection(asking), "127.0.0.1", order.port)
        asking.free.append(connection)
    began = time.perf_counter()
    if order.each_second is None:
        for connection in [asking.free.pop() for _ in range(order.connections)]:
            connection.ask()
        await asyncio.sleep(order.seconds)
    else:
        chance = random.Random(7)  # noqa: S311 - not a secret
        wanted_at = began
        while (wanted_at := wanted_at + chance.expovariate(order.each_second)) < asking.until:
            await asyncio.sleep(max(0.0, wanted_at - time.perf_counter()))
            asking.want()
    while len(asking.free) < order.connections:
        await asyncio.sleep(0.01)
    for connection in asking.free:
        connection.transport.close()
    return _seen(asking)


def _seen(asking: _Asking) -> Seen:
    told = sorted(asking.times)[int(len(asking.times) * BARELY_BEGUN) :]
    times = sorted(took for _, took in told)
    lasted = max(since + took for since, took in told) - told[0][0]
    half, most = times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]
    return Seen(len(times), len(times) / lasted, half * 1000, most * 1000, asking.largest, asking.waited)


if __name__ == "__main__":
    given = orjson.loads(sys.stdin.buffer.read())
    sys.stdout.write(orjson.dumps(asdict(asyncio.run(_carry_out(Order(**given))))).decode())
