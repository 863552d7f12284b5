"""`python -m sandbox.post --port 0 --smtp-port 0 --state-dir DIR`: until SIGTERM."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from sandbox.post.server import start


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m sandbox.post", description=__doc__)
    arguments.add_argument("--port", type=int, default=0, help="port of the page on localhost; 0 takes a free one")
    arguments.add_argument("--smtp-port", type=int, default=0, help="port that takes mail; 0 takes a free one")
    arguments.add_argument("--state-dir", type=Path, required=True, help="folder that survives a restart")
    given = arguments.parse_args()
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    running = start(given.state_dir, port=given.port, smtp_port=given.smtp_port)
    print(json.dumps({"ready": running.url, "smtp": running.smtp_url}), flush=True)
    stopping.wait()
    running.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
