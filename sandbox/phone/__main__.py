"""`python -m sandbox.phone --port 0 --state-dir DIR --account-sid AC… --auth-token-file F`: until SIGTERM."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from sandbox.phone.config import PhoneConfig
from sandbox.phone.server import start


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m sandbox.phone", description=__doc__)
    arguments.add_argument("--port", type=int, default=0, help="port on localhost; 0 takes a free one")
    arguments.add_argument("--state-dir", type=Path, required=True, help="folder that survives a restart")
    arguments.add_argument("--account-sid", required=True)
    arguments.add_argument("--auth-token-file", type=Path, required=True)
    arguments.add_argument("--messaging-service-sid", default=PhoneConfig.messaging_service_sid)
    arguments.add_argument("--portal", help="base URL to which inbound texts are posted")
    arguments.add_argument("--program", default=PhoneConfig.program, help="name used in the network's own answers")
    arguments.add_argument("--opt-out", choices=["advanced", "default", "off"], default="advanced")
    given = arguments.parse_args()
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    running = start(
        PhoneConfig(
            account_sid=given.account_sid,
            auth_token=given.auth_token_file.read_text(encoding="utf-8").strip(),
            state_dir=given.state_dir,
            portal=given.portal,
            messaging_service_sid=given.messaging_service_sid,
            program=given.program,
            opt_out=given.opt_out,
            port=given.port,
        )
    )
    print(json.dumps({"ready": running.url}), flush=True)
    stopping.wait()
    running.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
