"""The hints that the sources give, read from them: the settings that each names, as data."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from pellucid.notices import Advice, Hint

CORE = Path(__file__).resolve().parents[1] / "core" / "pellucid"


@cache
def hints() -> dict[str, Hint]:
    """Return each hint that names settings by its template; a value that is not known is its name."""
    found = {}
    for path in sorted(CORE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "Hint(" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Hint":
                template = ast.literal_eval(node.args[0])
                hint = Hint(template, **{str(it.arg): it.arg for it in node.keywords})
                if hint.settings:
                    found[template] = hint
    return found


def settings() -> set[Advice]:
    """Return the settings that hints name, without the values."""
    return {Advice(it.name, None, it.command) for hint in hints().values() for it in hint.settings}
