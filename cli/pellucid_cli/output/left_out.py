"""What is said of the findings that are not shown, since there are too many."""

from __future__ import annotations

from pellucid.linter import Linted
from pellucid.notices import Advice
from pellucid.problems import Severity
from pellucid_cli.flags import flag


def more(one: Linted) -> str | None:
    """Return how many findings of a file are not shown, None if all are."""
    count = sum(one.left.values())
    if not count:
        return None
    errors = errors_left(one)
    said = f"{count} more {'finding is' if count == 1 else 'findings are'} not shown"
    kinds = f"{errors} of them {'an error' if errors == 1 else 'errors'}"
    return f"{said}, {kinds}; add {flag(Advice('max_findings', 0))} to see all"


def errors_left(one: Linted) -> int:
    """Return how many errors of a file are not shown."""
    return sum(n for (_, severity), n in one.left.items() if severity is Severity.ERROR)
