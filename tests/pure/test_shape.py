"""The shape that the house promises (house.md): short files and functions, honest names, one place that commits.

Each failure names file and line. What is read is the source as text and as a syntax tree; nothing is imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "patient_portal", "research", "consent", "fhir_bridge", "notifications", "database", "outbound", "vocabulary",
    "sandbox",
)  # fmt: skip
PRODUCT = ROOMS[:-1]
MOST_LINES, MOST_FUNCTION_LINES = 300, 40
VAGUE = re.compile(r"(^|_)(utils?|helpers?|common|misc|managers?)($|_)")
# Where the time comes from; every rule gets it as an argument (house.md, Inside a room).
CLOCKS = {
    "patient_portal/wiring.py": "the web's and the workers' clock",
    "patient_portal/signing_in/web_session.py": "the default of a parameter",
    "consent/feed/run.py": "the feed's clock",
    "database/keyring.py": "the day on which a key was made",
}
COMMITS = {"database/unit_of_work.py": "units of work", "database/migrate.py": "the lock and limits of an upgrade"}
IMPORTS_LATE: dict[str, str] = {}


@cache
def sources(rooms: tuple[str, ...] = ROOMS) -> tuple[Path, ...]:
    """Every Python file of the rooms; migrations are records of the past, written once."""
    found = (path for room in rooms for path in sorted((ROOT / room).rglob("*.py")))
    return tuple(path for path in found if "migrations" not in path.parts)


@lru_cache(maxsize=1)
def text_of(path: Path) -> str:
    """A file as it stands; a rule looks here first whether the tree, which takes longer, could say anything."""
    return path.read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Everything in a file's syntax tree; kept for the rules after the first, which look at the same file."""
    return tuple(ast.walk(ast.parse(text_of(path))))


@lru_cache(maxsize=1)
def functions_of(path: Path) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
    return tuple(node for node in nodes_of(path) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def at(path: Path, line: int, what: str) -> str:
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}:{line}: {what}"


def _excused(path: Path, excuses: dict[str, str]) -> bool:
    return path.is_relative_to(ROOT) and str(path.relative_to(ROOT)) in excuses


def too_long_files(path: Path) -> Iterator[str]:
    lines = text_of(path).count("\n")
    if lines > MOST_LINES:
        yield at(path, MOST_LINES + 1, f"{lines} lines, more than {MOST_LINES}")


def too_long_functions(path: Path) -> Iterator[str]:
    if text_of(path).count("\n") <= MOST_FUNCTION_LINES:
        return
    for node in functions_of(path):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        if ast.get_docstring(node) is not None:
            lines -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
        if lines > MOST_FUNCTION_LINES:
            yield at(path, node.lineno, f"{node.name} has {lines} lines, more than {MOST_FUNCTION_LINES}")


def vague_names(path: Path) -> Iterator[str]:
    if VAGUE.search(path.stem):
        yield at(path, 1, "a name that says nothing")


def hidden_imports(path: Path) -> Iterator[str]:
    if _excused(path, IMPORTS_LATE) or not re.search(r"^\s+(?:import|from)\s", text_of(path), re.MULTILINE):
        return
    for node in functions_of(path):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import | ast.ImportFrom):
                yield at(path, inner.lineno, f"import inside {node.name}")


def asks_whether_it_is_tested(path: Path) -> Iterator[str]:
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if re.search(r"\bTESTING\b|PYTEST_CURRENT_TEST|\bapp\.testing\b", line):
            yield at(path, number, "code that asks whether it is being tested")


def marks_without_a_reason(path: Path) -> Iterator[str]:
    """`# type: ignore[…]  # why` and `# noqa: X - why`: whoever reads it knows when it may go."""
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        if re.search(r"# type: ignore(\[[\w, -]+\])?\s*$", line) or re.search(r"# noqa(: [A-Z0-9, ]+)?\s*$", line):
            yield at(path, number, "a mark that does not say why")


def commits(path: Path) -> Iterator[str]:
    if _excused(path, COMMITS) or "commit" not in text_of(path):
        return
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit":
            yield at(path, node.lineno, f"a commit outside {', '.join(COMMITS)}")


def reads_the_clock(path: Path) -> Iterator[str]:
    if _excused(path, CLOCKS) or not re.search(r"\b(?:now|utcnow|today)\b", text_of(path)):
        return
    for node in nodes_of(path):
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}:
            owner = ast.unparse(node.value)
            if owner.rsplit(".", 1)[-1] in {"datetime", "date"}:
                yield at(path, node.lineno, f"{owner}.{node.attr}; take `now` as an argument")


Rule = Callable[[Path], Iterator[str]]
EVERYWHERE: tuple[Rule, ...] = (
    too_long_files, too_long_functions, vague_names, hidden_imports, asks_whether_it_is_tested,
    marks_without_a_reason,
)  # fmt: skip
IN_THE_PRODUCT: tuple[Rule, ...] = (commits, reads_the_clock)


@pytest.fixture(scope="module")
def found() -> dict[Rule, list[str]]:
    """What each rule finds; file by file, so that each is read once and forgotten."""
    lines: dict[Rule, list[str]] = {rule: [] for rule in (*EVERYWHERE, *IN_THE_PRODUCT)}
    product = set(sources(PRODUCT))
    for path in sources():
        for rule in (*EVERYWHERE, *(IN_THE_PRODUCT if path in product else ())):
            lines[rule] += rule(path)
    return lines


def test_marks_beside_the_rooms_say_why() -> None:
    """House rule: benchmarks, clients and tests are read too."""
    others = (
        path for path in sources(("benchmarks", "clients", "scripts", "tests")) if "third_party" not in path.parts
    )
    assert [bare for path in others for bare in marks_without_a_reason(path)] == []


@pytest.mark.parametrize("rule", EVERYWHERE, ids=lambda rule: rule.__name__)
def test_every_room_keeps_the_shape(found: dict[Rule, list[str]], rule: Rule) -> None:
    """House: the rules that hold in each room, the sandbox too."""
    assert not found[rule], "\n" + "\n".join(found[rule])


@pytest.mark.parametrize("rule", IN_THE_PRODUCT, ids=lambda rule: rule.__name__)
def test_the_product_keeps_the_shape(found: dict[Rule, list[str]], rule: Rule) -> None:
    """House: one file commits, and the time is an argument."""
    assert not found[rule], "\n" + "\n".join(found[rule])


def test_each_excuse_is_still_needed() -> None:
    """House: what is excused by name exists and would fail without its excuse."""
    for rule, excuses in ((commits, COMMITS), (reads_the_clock, CLOCKS), (hidden_imports, IMPORTS_LATE)):
        for file in list(excuses):
            said = excuses.pop(file)
            assert list(rule(ROOT / file)), f"{file} needs no excuse any more"
            excuses[file] = said


BROKEN: dict[str, tuple[Rule, str, str]] = {
    "a long file": (too_long_files, "long.py", "x = 1\n" * 301),
    "a long function": (too_long_functions, "f.py", "def f():\n" + "    x = 1\n" * 41),
    "a vague name": (vague_names, "string_utils.py", ""),
    "a hidden import": (hidden_imports, "f.py", "def f():\n    import os\n"),
    "a test switch": (asks_whether_it_is_tested, "f.py", "if app.config['TESTING']: pass\n"),
    "a bare mark": (marks_without_a_reason, "f.py", "x = y  # type: ignore[arg-type]\n"),
    "a stray commit": (commits, "f.py", "def f(session):\n    session.commit()\n"),
    "a clock": (reads_the_clock, "f.py", "from datetime import datetime\nx = datetime.now()\n"),
    "another clock": (reads_the_clock, "f.py", "import datetime\nx = datetime.date.today()\n"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_rule_can_fail_and_names_the_place(name: str, tmp_path: Path) -> None:
    """House: a rule that finds nothing anywhere would be no rule."""
    rule, file, source = BROKEN[name]
    path = tmp_path / file
    path.write_text(source)
    (line,) = rule(path)
    assert re.match(rf"{re.escape(file)}:\d+: ", line)
