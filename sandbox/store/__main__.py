"""`python -m sandbox.store --config FILE.json --port 0 --state-dir DIR`: one store, until SIGTERM."""

from __future__ import annotations

import argparse
import json
import signal
import sys
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
    # Blocked before any thread begins, then waited for: one that comes at the wrong moment is kept, not lost.
    # (A handler that sets a threading.Event can meet the lock of the very wait that it interrupts, and hang for ever.)
    ending = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    running = start(config)
    print(json.dumps({"ready": running.url, "endpoint": running.endpoint}), flush=True)
    signal.sigwait(ending)
    running.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
