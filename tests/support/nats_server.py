"""A real nats-server for the tests: the system's, else Debian's package; never a skip.

`python -m tests.support.nats_server` makes sure that one is there, and fails with the line to type when it cannot.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
import pytest

from tests.support.browser_install import install_package, may_install

START_SECONDS = 20.0
REMEDY = (
    "The tests need nats-server, and it could not be installed. Type this, then run make test again:\n"
    "  Debian, as root:  apt-get install nats-server\n"
    "  elsewhere:        see https://docs.nats.io/running-a-nats-service/introduction/installation\n"
)


def program() -> str | None:
    """The path of an installed nats-server; Debian keeps it where only root looks."""
    return shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/sbin")


def main() -> int:
    """Exit status 0 once the program is there."""
    if program() or (may_install() and install_package("nats-server") and program()):
        return 0
    sys.stderr.write(REMEDY)
    return 1


@dataclass
class NatsServer:
    """One running server with JetStream, its data in a folder so that it can be started again."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [str(program()), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.do(lambda _client: _nothing())
                return
            except Exception:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def do(self, work: Any) -> Any:
        """`work(client)`, a coroutine, with a client of its own."""

        async def connected() -> Any:
            client = await nats.connect(
                self.url,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=2,
                error_cb=_silent,
            )
            try:
                return await work(client)
            finally:
                await client.close()

        with ThreadPoolExecutor(1) as apart:  # the browser's driver may keep a loop running in this thread
            return apart.submit(asyncio.run, connected()).result()

    def stream(self, name: str, *subjects: str, **more: Any) -> None:
        """Make a stream."""
        self.do(lambda client: client.jetstream().add_stream(name=name, subjects=list(subjects), **more))

    def messages(self, name: str) -> list[Any]:
        """Every message of a stream, oldest first."""

        async def read(client: Any) -> list[Any]:
            stream = client.jetstream()
            count = (await stream.stream_info(name)).state
            numbers = range(count.first_seq, count.last_seq + 1) if count.messages else ()
            return [await stream.get_msg(name, number) for number in numbers]

        return list(self.do(read))

    def publish(self, subject: str, body: bytes, headers: dict[str, str]) -> None:
        """One message to a stream."""
        self.do(lambda client: client.jetstream().publish(subject, body, headers=headers))


async def _nothing() -> None:
    return None


async def _silent(_error: Exception) -> None:
    return None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def nats_running(folder: Path) -> Iterator[NatsServer]:
    """A server for as long as it is needed; the test fails when there is no program for it."""
    if main() != 0:
        pytest.fail(REMEDY)
    server = NatsServer(_free_port(), folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


if __name__ == "__main__":
    sys.exit(main())
