"""`python -m sandbox.staff_identity --portal URL --client-secret-file FILE --state-dir DIR`: until SIGTERM."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from sandbox.staff_identity.server import start


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m sandbox.staff_identity", description=__doc__)
    arguments.add_argument("--port", type=int, default=0, help="port on localhost; 0 takes a free one")
    arguments.add_argument("--portal", required=True, help="base URL of the portal, whose callbacks are known")
    arguments.add_argument("--client-secret-file", type=Path, required=True)
    arguments.add_argument("--state-dir", type=Path, required=True, help="the signing key is kept here")
    given = arguments.parse_args()
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    secret = given.client_secret_file.read_text(encoding="utf-8").strip()
    running = start(given.state_dir, portal=given.portal, client_secret=secret, port=given.port)
    print(json.dumps({"ready": running.url}), flush=True)
    stopping.wait()
    running.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
