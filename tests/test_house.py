"""The house rules of the sources that no linter knows: doors, sizes, names, what is caught.

Who may import whom is said in ``pyproject.toml`` and checked by import-linter; here is how: by the
door of a room, which is what its ``__init__`` exports.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TypeVar

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
    for root in (ROOT / "core", ROOT / "cli")
    for path in sorted(root.rglob("*.py"))
}
FOLDERS = sorted({path.parent for path in SOURCES.values()})
VAGUE = "utils?|helpers?|commons?|bases?|managers?|factor(y|ies)?|registr(y|ies)?|misc"
LINES = 400
FUNCTION = 50
FILES = 14
# The interface that backends have in common is called what it is everywhere: their base.
ALLOWED_NAMES = {"pellucid.runtime.backends.base"}


Place = TypeVar("Place", str, Path)


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


@cache
def walked(module: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(module)))


def for_each(places: Iterable[Place]) -> Callable[[Callable[[Place], None]], Callable[[], None]]:
    """Make a test of a check, which names every place that fails it.

    A test for each of them would cost pytest more than the check does.
    """

    def made(check: Callable[[Place], None]) -> Callable[[], None]:
        def test() -> None:
            faults = []
            for place in places:
                try:
                    check(place)
                except AssertionError as error:
                    faults.append(f"{place}: {str(error).splitlines()[0]}")
            assert not faults, "\n".join(faults)

        return test

    return made


def imports(module: str) -> Iterator[ast.ImportFrom]:
    for node in walked(module):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports relatively, line {node.lineno}"
            if (node.module or "").partition(".")[0] in ("pellucid", "pellucid_cli"):
                yield node


def room_of(module: str) -> str:
    """The package below ``pellucid`` that a module is in; all of the commands are one."""
    parts = module.split(".")
    return parts[0] if parts[0] == "pellucid_cli" else ".".join(parts[:2])


@for_each(SOURCES)
def test_a_room_is_entered_by_its_door(module: str) -> None:
    for node in imports(module):
        origin = str(node.module)
        if node.names[0].name == "*":
            continue  # all that a module says is for everyone
        if room_of(origin) != room_of(module) and origin.count(".") > 1:
            assert SOURCES[origin].name == "__init__.py", f"line {node.lineno}: {origin} is inside"


@for_each([m for m in SOURCES if SOURCES[m].name == "__init__.py"])
def test_a_door_says_what_it_exports(module: str) -> None:
    listed: list[str] = []
    for node in tree(module).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            listed = ast.literal_eval(node.value)
    text = SOURCES[module].read_text(encoding="utf-8")
    for node in imports(module):
        # Where all of a module goes out, the module says what that is.
        (inner,) = [alias.name for alias in node.names][:1]
        if inner == "*":
            assert f"__all__ += {str(node.module).rpartition('.')[2]}.__all__\n" in text
            listed += ["*", str(node.module).rpartition(".")[2]]
    imported = {alias.asname or alias.name for node in imports(module) for alias in node.names}
    assert imported <= {*listed, "__version__"}


def test_every_import_of_ours_names_a_file() -> None:
    for module in SOURCES:
        for node in imports(module):
            assert node.module in SOURCES, f"{module} imports {node.module}"


def test_imports_do_not_go_round_in_a_circle() -> None:
    def own(module: str) -> set[str]:
        found = set[str]()
        for node in imports(module):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in SOURCES else str(node.module))
        return found - {module}

    # What the package offers is imported when it is asked for.
    graph = {module: own(module) for module in SOURCES if module != "pellucid"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


@for_each(FOLDERS)
def test_a_folder_can_be_taken_in_at_a_glance(folder: Path) -> None:
    assert len(list(folder.glob("*.py"))) <= FILES


@for_each(SOURCES)
def test_a_file_is_named_after_what_it_holds(module: str) -> None:
    for word in re.split(r"[._]", module):
        assert module in ALLOWED_NAMES or not re.fullmatch(VAGUE, word)


@for_each(SOURCES)
def test_errors_are_caught_by_name(module: str) -> None:
    if module == "pellucid_cli.main":
        return
    for node in walked(module):
        if isinstance(node, ast.ExceptHandler):
            caught = (
                {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)}
                if node.type
                else {""}
            )
            # Whoever cleans up after anything at all has to let it go on.
            passed_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            allowed = {"BaseException"} if passed_on else set[str]()
            wide = caught & {"", "Exception", "BaseException"} - allowed
            assert not wide, f"{module}, line {node.lineno}"


# Where decoders and encoders are called that may raise anything.
STUMBLING = {
    "pellucid.inputs.picture_files",
    "pellucid.visualize.panel",
    "pellucid.batch.items",
    "pellucid.batch.worker",
    "pellucid.batch.rendering",
    "pellucid.remote.stores",
}


def test_only_who_calls_decoders_and_encoders_catches_whatever_they_raise() -> None:
    named = {
        module
        for module in SOURCES
        for node in imports(module)
        if "FOREIGN" in {alias.name for alias in node.names}
    }
    assert named == STUMBLING


def opens_a_picture(node: ast.AST) -> bool:
    """Whether this is a call of ``Image.open``, by whatever way."""
    if isinstance(node, ast.ImportFrom) and node.module == "PIL.Image":
        return "open" in {alias.name for alias in node.names}
    function = node.func if isinstance(node, ast.Call) else None
    if not isinstance(function, ast.Attribute) or function.attr != "open":
        return False
    owner = function.value
    return getattr(owner, "id", getattr(owner, "attr", "")) == "Image"


def test_a_picture_is_opened_in_one_place_and_its_formats_are_named() -> None:
    samples = {str(it): ast.parse(it.read_text()) for it in ROOT.glob("sample_models/**/*.py")}
    found = {}
    for name, parsed in {**{module: tree(module) for module in SOURCES}, **samples}.items():
        for node in filter(opens_a_picture, ast.walk(parsed)):
            keywords = node.keywords if isinstance(node, ast.Call) else []
            found[name] = [it.arg for it in keywords]
    assert [it for it in found if it in SOURCES] == ["pellucid.inputs.picture_files"]
    assert all(keywords == ["formats"] for keywords in found.values()), found


# Files that are named by people: a pipe in the place of one must not be waited for. The gallery
# fills in a page, and a run looks into what it has written itself, in this process.
OWN = {
    "pellucid.files.regular", "pellucid.files.durable", "pellucid.gallery.page",
    "pellucid.examples.writer", "pellucid.batch.finish", "pellucid.batch.output_folder",
    "pellucid_cli.files", "pellucid_cli.options.batch_run", "pellucid_cli.options.serve",
    "pellucid.batch.plan", "pellucid_cli.main",
}  # fmt: skip


@for_each([module for module in SOURCES if module not in OWN])
def test_files_are_opened_by_what_refuses_pipes(module: str) -> None:
    for node in walked(module):
        function = node.func if isinstance(node, ast.Call) else None
        if isinstance(function, ast.Name):
            assert function.id != "open", f"line {node.lineno}"
        if isinstance(function, ast.Attribute):
            owner = ast.unparse(function.value)
            ours = owner in ("files", "gzip") or owner.startswith(
                ("files(", "(files(", "resources")
            )
            reads = function.attr in ("read_bytes", "read_text")
            opens = function.attr == "open" and node.args and ast.unparse(node.args[0]) == "'rb'"
            assert ours or not (reads or opens), f"line {node.lineno}: {ast.unparse(node)}"


@for_each(SOURCES)
def test_a_file_has_at_most_400_lines(module: str) -> None:
    assert SOURCES[module].read_text(encoding="utf-8").count("\n") <= LINES


@for_each(SOURCES)
def test_a_function_fits_on_a_screen(module: str) -> None:
    for node in walked(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= FUNCTION, f"{node.name} has {lines} lines"


@for_each([m for m in SOURCES if m.startswith("pellucid_cli")])
def test_the_commands_know_the_type_of_everything(module: str) -> None:
    """What comes from the library, too: imports for type checkers alone cost nothing."""
    names = (node.id for node in walked(module) if isinstance(node, ast.Name))
    assert "Any" not in {*names}


def test_every_room_has_its_line_in_the_plan_of_the_house() -> None:
    rooms = {name.split(".")[1] for name in SOURCES if name.startswith("pellucid.")}
    text = (ROOT / "core" / "README.md").read_text("utf-8")
    rows = text.partition("| room |")[2].partition("\n\n")[0].splitlines()
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert told == rooms


def test_every_file_says_what_it_is_for() -> None:
    silent = [m for m in SOURCES if not ast.get_docstring(tree(m))]
    assert not silent


# Errors are data

ERRORS = {node.name for node in tree("pellucid.errors").body if isinstance(node, ast.ClassDef)}
# Words of other programs.
FOREIGN = re.compile(r"pip install --no-deps|gcloud's ``--[a-z-]+``")


@for_each([m for m in SOURCES if room_of(m) != "pellucid_cli"])
def test_the_core_names_no_flag(module: str) -> None:
    for node in walked(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = re.search(r"(^|\s)--[a-z]", FOREIGN.sub("", node.value))
            assert not found, f"line {node.lineno}: a hint names a setting, and the edge its flag"


@for_each(SOURCES)
def test_nobody_makes_a_sentence_of_an_error_to_take_it_apart(module: str) -> None:
    for handler in walked(module):
        if not isinstance(handler, ast.ExceptHandler) or handler.type is None:
            continue
        caught = {it.id for it in ast.walk(handler.type) if isinstance(it, ast.Name)}
        for node in ast.walk(handler) if caught & ERRORS else ():
            made = node.value if isinstance(node, ast.FormattedValue) else None
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "str":
                made = node.args[0]
            name = made.id if isinstance(made, ast.Name) else None
            assert name is None or name != handler.name, f"line {made.lineno}"


@for_each(SOURCES)
def test_an_error_says_its_place_apart(module: str) -> None:
    for node in walked(module):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {*ERRORS, "Notice"}:
            what = node.args[0] if node.args else None
            parts = what.values if isinstance(what, ast.JoinedStr) else []
            placed = len(parts) > 1 and isinstance(parts[0], ast.FormattedValue)
            then = parts[1].value if placed and isinstance(parts[1], ast.Constant) else ""
            assert not str(then).startswith(": "), f"line {node.lineno}: where=Where(…) says it"
