"""`python -m sandbox.hospital`: one hospital until SIGTERM. Prints one JSON line when it answers."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from sandbox.hospital.configuration import HospitalConfig
from sandbox.hospital.server import start


def _arguments(words: list[str]) -> HospitalConfig:
    parser = argparse.ArgumentParser(prog="python -m sandbox.hospital", description=__doc__)
    parser.add_argument("--id", required=True, help="riverside or lakeside")
    parser.add_argument("--port", type=int, default=0, help="0: the last port used with this state folder, or any")
    parser.add_argument("--state-dir", type=Path, required=True, help="keys and refresh tokens are kept here")
    parser.add_argument("--portal", default="http://127.0.0.1:8000", help="base URL of the registered app")
    parser.add_argument("--patients", type=Path, help="a folder of FHIR files to show as more people")
    parser.add_argument("--client-auth", choices=["public", "client_secret_basic", "private_key_jwt"])
    parser.add_argument("--client-secret-file", type=Path, help="needed for client_secret_basic")
    parser.add_argument("--access-token-seconds", type=int, default=3600)
    parser.add_argument("--page-size", type=int, default=50)
    given = parser.parse_args(words)
    secret = given.client_secret_file.read_text().strip() if given.client_secret_file else None
    if given.patients and not given.patients.is_dir():
        parser.error(f"--patients: {given.patients} is not a folder")
    return HospitalConfig(
        id=given.id, state_dir=given.state_dir, portal=given.portal, port=given.port, patients=given.patients,
        client_auth=given.client_auth, client_secret=secret, access_token_seconds=given.access_token_seconds,
        page_size=given.page_size,
    )  # fmt: skip


def main(words: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; 0 when stopped, 2 when it could not start."""
    stop = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: stop.set())
    try:
        running = start(_arguments(words))
    except (OSError, ValueError) as error:
        print(f"The sandbox hospital did not start: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"ready": running.url, "fhir": running.fhir_url}), flush=True)
    stop.wait()
    running.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
