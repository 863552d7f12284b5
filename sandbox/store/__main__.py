"""`python -m sandbox.store --config FILE.json --port 0 --state-dir DIR`: one store, until SIGTERM."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from sandbox.store.config import StoreConfigError, read_config
from sandbox.store.server import start


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m sandbox.store", description=__doc__)
    arguments.add_argument("--config", type=Path, required=True, help="JSON file that describes the store")
    arguments.add_argument("--port", type=int, default=0, help="port on localhost; 0 takes a free one")
    arguments.add_argument("--state-dir", type=Path, required=True, help="folder that survives a restart")
    given = arguments.parse_args()
    try:
        config = read_config(given.config, state_dir=given.state_dir, port=given.port)
    except StoreConfigError as problem:
        print(f"store: {problem}", file=sys.stderr)
        return 2
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    running = start(config)
    print(json.dumps({"ready": running.url, "endpoint": running.endpoint}), flush=True)
    stopping.wait()
    running.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
