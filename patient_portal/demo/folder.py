"""The demo's folder: secrets, keys and ports made once and kept, so that a restart finds everything as it was."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from joserfc.jwk import ECKey

from database.keyring import KeyRing


@dataclass(frozen=True)
class DemoFolder:
    """Where a demo keeps its state; closed to others, secrets 0600."""

    path: Path

    @classmethod
    def open(cls, path: Path) -> DemoFolder:
        path = path.resolve()
        # As root the database runs under another account, which has to pass through; the parts inside stay closed.
        path.mkdir(parents=True, exist_ok=True, mode=0o711 if os.geteuid() == 0 else 0o700)
        return cls(path)

    def part(self, name: str) -> Path:
        """A sub-folder of its own."""
        found = self.path / name
        found.mkdir(exist_ok=True, mode=0o700)
        return found

    def secret(self, name: str) -> str:
        """A random secret, made the first time."""
        return self._kept(name, lambda: secrets.token_hex(32))

    def store_secret(self, store: str) -> str:
        """A Standard Webhooks secret for one store."""
        return self._kept(f"store-{store}", lambda: "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())

    def client_key(self, name: str) -> Path:
        """The portal's signing key at one hospital, as a JWK file (ES384)."""
        key = ECKey.generate_key("P-384", {"kid": f"{name}-1", "use": "sig", "alg": "ES384"}, private=True)
        self._kept(f"{name}.json", lambda: json.dumps(key.as_dict(private=True)))
        return self.part("keys") / f"{name}.json"

    def key_ring(self) -> Path:
        """The demo's key ring; marked, so that production refuses it."""
        path = self.part("keys") / "ring.json"
        if not path.exists():
            KeyRing.fresh(demo=True).save(path)
        return path

    def secret_path(self, name: str) -> Path:
        return self.part("keys") / name

    def port(self, name: str) -> int:
        """A port that stays the same from run to run as long as nobody else took it."""
        path = self.path / "ports.json"
        ports: dict[str, int] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if name not in ports or not _is_free(ports[name]):
            ports[name] = _free_port(set(ports.values()))
            path.write_text(json.dumps(ports, indent=1), encoding="utf-8")
        return ports[name]

    def _kept(self, name: str, make: Callable[[], str]) -> str:
        path = self.secret_path(name)
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(make())
        return path.read_text(encoding="utf-8").strip()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port
