"""The browser of the journeys: Chromium's headless shell, else Chromium whole, else Playwright's own; never a skip.

The shell is the same engine without what stands around a page, and takes a third of the work for each page.

`python -m tests.support.browser_install` makes sure that one is there, and fails with the line to type when it cannot.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SHELL = "chromium-headless-shell"
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
PACKAGES = Path(__file__).resolve().parents[2] / "scripts" / "system_packages.sh"
# Page pictures and line lengths are only true with letters for each shipped script.
FONTS = {"ar": "fonts-noto-core", "zh": "fonts-wqy-microhei"}


def system_browser() -> str | None:
    """The path of an installed shell, Chromium or Chrome; None means Playwright's own (`executable_path=None`)."""
    for name in NAMES:
        found = shutil.which(name)
        if found and _starts(found):
            return found
    return str(MAC) if MAC.exists() else None


def playwright_browser() -> str | None:
    """The path of the Chromium that Playwright downloaded, if it did."""
    asked = subprocess.run(
        [sys.executable, "-c", _ASK_PLAYWRIGHT], capture_output=True, text=True, timeout=60, check=False
    )
    path = asked.stdout.strip()
    return path if path and Path(path).exists() else None


def main() -> int:
    """Exit status 0 once a browser is there."""
    add_fonts()
    if not shutil.which(SHELL) and may_install() and (_is_offered(SHELL) or not system_browser()):
        install_package(SHELL)  # where there is none, whole Chromium does as well
    if system_browser():
        return 0
    if may_install() and install_package("chromium") and system_browser():
        return 0
    if playwright_browser():
        return 0
    sys.stderr.write("Getting a browser for the tests ...\n")
    got = subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    if got.returncode == 0 and playwright_browser():
        return 0
    sys.stderr.write(
        "The tests need Chromium, and it could not be installed. Type one of these, then run make test again:\n"
        "  Debian, as root:  apt-get install chromium-headless-shell\n"
        "  elsewhere:        .venv/bin/playwright install --with-deps chromium\n"
    )
    return 1


def add_fonts() -> None:
    """Arabic and Chinese letters where we may install them; best effort."""
    listing = shutil.which("fc-list")
    if not may_install():
        return
    if listing is None:
        install_package("fontconfig", *FONTS.values())
        return
    missing = [
        package
        for language, package in FONTS.items()
        if not subprocess.run([listing, f":lang={language}"], capture_output=True, check=False).stdout.strip()
    ]
    if missing:
        install_package(*missing)


def may_install() -> bool:
    """Whether we are root on a Debian."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install_package(*names: str) -> bool:
    """Install Debian packages; the script says what went wrong."""
    return subprocess.run(["/bin/sh", PACKAGES, *names], check=False).returncode == 0


def _is_offered(package: str) -> bool:
    """Whether this Debian's lists, as they are, name the package."""
    return subprocess.run(["apt-cache", "show", package], capture_output=True, check=False).returncode == 0


def _starts(program: str) -> bool:
    """Ubuntu's `chromium-browser` can be a stub that only advertises a snap."""
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


_ASK_PLAYWRIGHT = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""

if __name__ == "__main__":
    sys.exit(main())
