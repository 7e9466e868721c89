"""Adding is cheap: what a method, a drawing, a protocol or a rule is called stands in few files.

The bounds are those of ``core/README.md``. What counts is code: names, and words that are values.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from pellucid.metadata import METHODS, OPTIONS, RULES, Attributing, Dialect
from pellucid.metadata.documents import spelled
from pellucid.serve.protocols import PROTOCOLS

ROOT = Path(__file__).resolve().parents[1]
CORE, CLI = ROOT / "core", ROOT / "cli"
LAWS = ROOT / "tests" / "core" / "methods" / "test_laws.py"

# The wrong type, an unknown name and their like are wrong wherever something is read.
FOUND_WHEREVER_SOMETHING_IS_READ = {
    *("MD001", "MD002", "MD011", "MD012", "MD014", "MD031", "MD063"),
}


@cache
def words(path: Path) -> frozenset[str]:
    """The names in a program, and the strings that are one word."""
    return frozenset(_words(ast.parse(path.read_text("utf-8"))))


def _words(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.ClassDef(name=word):
                yield word
            case ast.arg(arg=word) | ast.keyword(arg=str(word)) | ast.alias(name=word):
                yield word
            case ast.Constant(value=str(word)):
                yield word


def programs(*roots: Path) -> list[Path]:
    return [path for root in roots for path in sorted(root.rglob("*.py"))]


def files(word: str, paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths if word in words(path)]


@pytest.mark.parametrize("method", get_args(Attributing), ids=lambda it: it.__name__)
def test_a_method_is_named_in_five_files(method: type) -> None:
    paths = [*programs(CORE, CLI), LAWS]
    assert len(files(method.__name__, paths)) <= 5, files(method.__name__, paths)


@pytest.mark.parametrize("method", get_args(Attributing), ids=lambda it: it.__name__)
def test_a_method_is_chosen_by_a_name_that_few_files_know(method: type[Attributing]) -> None:
    """Its record, and the command line; beside it the official SDK, and KServe, which was LIME."""
    known = {
        "metadata/parameters.py",
        "options/shared.py",
        "pellucid/sdk.py",
        "commands/explain.py",
    }
    for path in programs(CORE, CLI):
        strings = {
            node.value
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Constant)
        }
        if method.name in strings:
            assert path.as_posix().endswith(tuple(known)), path


@pytest.mark.parametrize("name", [it for it in OPTIONS if it != "type"])
def test_a_visualization_setting_is_known_to_four_files_and_to_what_draws_it(name: str) -> None:
    """Its field, the schemas of the two dialects, and, if it has one, its control on the page."""
    drawing = CORE / "pellucid" / "visualize"
    settings_of_calls = CORE / "pellucid" / "metadata" / "parameters.py"  # one has the same name
    paths = [it for it in programs(CORE) if drawing not in it.parents and it != settings_of_calls]
    found = files(name, paths)
    keys = {spelled(name, dialect) for dialect in Dialect}
    for path in (*CORE.rglob("*.json"), *CORE.rglob("*.html"), *CORE.rglob("*.js")):
        if re.search(rf"[\".]({'|'.join(keys)})\b", path.read_text("utf-8")):
            found.append(path.relative_to(ROOT).as_posix())
    assert len(found) <= 4, found


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda it: it.name)
def test_a_protocol_is_named_in_two_files(protocol: object) -> None:
    name = type(protocol).__name__
    assert len(files(name, programs(CORE, CLI))) <= 2, files(name, programs(CORE, CLI))


@pytest.mark.parametrize("code", sorted(set(RULES) - FOUND_WHEREVER_SOMETHING_IS_READ))
def test_a_rule_stands_in_three_files(code: str) -> None:
    pages = [it for it in CORE.rglob("*.md") if re.search(rf"\b{code}\b", it.read_text("utf-8"))]
    found = [*files(code, programs(CORE, CLI)), *(it.relative_to(ROOT).as_posix() for it in pages)]
    assert len(found) <= 3, found


def test_every_method_says_all_that_is_asked_of_it() -> None:
    """There are no defaults to guess by: not even for what is not used yet."""
    for method in METHODS.values():
        base = next(it for it in method.__mro__ if it.__name__ == "BaseMethod")
        unsaid = [name for name in base.__annotations__ if not hasattr(method, name)]
        assert not unsaid, f"{method.__name__}: {unsaid}"
