"""`python -m receiver_kit --store-id ID --secret-file FILE --system SYSTEM --data FILE --port PORT [--test]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .memory import Memory
from .receiver import Receiver
from .server import make_server


def main() -> int:
    wanted = argparse.ArgumentParser(prog="python -m receiver_kit", description="A receiver for portal messages.")
    wanted.add_argument("--store-id", required=True, help="your id in the portal's stores.toml")
    wanted.add_argument("--secret-file", type=Path, action="append", required=True, help="whsec_…; two while rotating")
    wanted.add_argument("--system", action="append", required=True, help="identifier system of your people; repeatable")
    wanted.add_argument("--effort", default="", help="the effort, for a store of donated data")
    wanted.add_argument("--data", required=True, help="SQLite file that survives a restart")
    wanted.add_argument("--port", type=int, default=8080)
    wanted.add_argument("--test", action="store_true", help="open the test door; never where real people are")
    given = wanted.parse_args()
    secrets = [file.read_text(encoding="utf-8").strip() for file in given.secret_file]
    receiver = Receiver(given.store_id, secrets, Memory(given.data), given.system, given.effort)
    server = make_server(receiver, given.port, test=given.test)
    sys.stdout.write(f"http://127.0.0.1:{server.server_address[1]}/notifications\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
