"""The house rules of the sources: who may import what, what files may be called, how long they are.

A file imports from lower floors, and from files on its own floor as long as nothing goes round in
a circle; imports inside functions and for type checkers count like all others.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
    for root in (ROOT / "core", ROOT / "cli")
    for path in sorted(root.rglob("*.py"))
}

# What stands on each floor, and which third parties it may call in. A new file goes in here.
FLOORS: tuple[tuple[str, str], ...] = (
    # 0: what a document and a model file say
    (
        "errors spec example_spec rules document dump_spec json_source parse_* metadata_reader saved_model_pb"
        " checkpoint_index model_directory fingerprint examples_override tensor_names check infer lint settings request_settings"
        " request_json metadata_file class_names draft_metadata convert_metadata published_schemas"
        " operations graph_messages graph_nodes gradient_walk gradient_path check_graph"
        " world_operations what_runs safety",
        "jsonschema referencing google",
    ),
    # 1: arrays
    (
        "model inputs instances images file_content example_files tables features segments superpixels regions",
        "numpy PIL skimage scipy",
    ),
    # 2: the methods
    ("methods methods.*", "numpy"),
    # 3: TensorFlow
    (
        "quiet_tensorflow function_library saved_gradients flat_graph weights fold questions"
        " batch_axis latent denormals blocks road *_road tensorflow_errors tensorflow_model compile_model",
        "numpy tensorflow",
    ),
    # 4: from instances to what people see
    (
        "advice attribute explain explanations targets trial response kserve raw colors shades overlay panels pictures loaded_model batch"
        " batch.*"
        " captions charts comparison fonts marks parts sheets sweep views words gallery result_folder"
        " approximate example_index index_writer example_search",
        "numpy PIL scipy orjson cmap usearch distributed",
    ),
    # 5: HTTP
    ("serve serve.*", "numpy PIL orjson starlette uvicorn uvloop prometheus_client"),
    ("sdk", "numpy explainable_ai_sdk"),
    # 6: the library's face, and the commands
    ("pellucid", ""),
    ("pellucid_cli pellucid_cli.*", "click rich"),
)
VAGUE = "utils? helpers? commons? bases? managers? factor(y|ies)? registr(y|ies)? misc"
LINES = 400


def floor_of(module: str) -> int:
    name = module.removeprefix("pellucid.")
    for floor, (names, _) in enumerate(FLOORS):
        if any(fnmatch(name, pattern) for pattern in names.split()):
            return floor
    raise AssertionError(f"{module}: FLOORS does not say where it stands")


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def written_imports(module: str) -> Iterator[str]:
    """The modules that a file imports, wherever in it: ``from a import b`` is a.b if that is one."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports relatively, line {node.lineno}"
            origin = node.module or ""
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield inner if inner in SOURCES else origin


def own_imports(module: str) -> set[str]:
    return {name for name in written_imports(module) if name in SOURCES} - {module}


def third_parties(module: str) -> set[str]:
    roots = {name.partition(".")[0] for name in written_imports(module)}
    return roots - set(sys.stdlib_module_names) - {"pellucid", "pellucid_cli"}


@pytest.mark.parametrize("module", SOURCES)
def test_a_file_imports_from_its_own_floor_or_lower_ones(module: str) -> None:
    above = {name for name in own_imports(module) if floor_of(name) > floor_of(module)}
    assert not above


@pytest.mark.parametrize("module", SOURCES)
def test_a_file_calls_in_only_the_third_parties_of_its_floor(module: str) -> None:
    assert third_parties(module) <= set(FLOORS[floor_of(module)][1].split())


def test_every_import_of_ours_names_a_file() -> None:
    for module in SOURCES:
        for name in written_imports(module):
            if name.partition(".")[0] in ("pellucid", "pellucid_cli"):
                assert name in SOURCES, f"{module} imports {name}"


def test_imports_do_not_go_round_in_a_circle() -> None:
    try:
        TopologicalSorter({module: own_imports(module) for module in SOURCES}).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(error.args[1])}")


def test_one_file_imports_tensorflow() -> None:
    assert [m for m in SOURCES if "tensorflow" in third_parties(m)] == [
        "pellucid.runtime.engine.tensorflow"
    ]


@pytest.mark.parametrize("module", SOURCES)
def test_a_file_is_called_after_what_it_holds(module: str) -> None:
    for word in re.split(r"[._]", module):
        assert not re.fullmatch(VAGUE.replace(" ", "|"), word)


@pytest.mark.parametrize("module", SOURCES)
def test_errors_are_caught_by_name(module: str) -> None:
    if module == "pellucid_cli.main":
        return
    for node in ast.walk(tree(module)):
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


@pytest.mark.parametrize("module", SOURCES)
def test_a_file_has_at_most_400_lines(module: str) -> None:
    lines = SOURCES[module].read_text(encoding="utf-8").count("\n")
    assert lines <= LINES


def test_every_file_says_what_it_is_for() -> None:
    silent = [m for m in SOURCES if not ast.get_docstring(tree(m))]
    assert not silent
