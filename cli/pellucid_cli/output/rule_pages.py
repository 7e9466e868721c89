"""What ``--explain`` prints, and which words stand for rules."""

from __future__ import annotations

import re

import click

from pellucid_cli.streams import Styled, put, write


def rules(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Split ``--ignore MD035,key-case`` and refuse what is no rule."""
    words = tuple(word.strip() for value in values for word in value.split(",") if word.strip())
    for word in words:
        _check(word)
    return words


def explain(context: click.Context, _: click.Parameter, value: str | None) -> None:
    """Print the pages of the rules that were named, or a line for each, and exit."""
    from pellucid.metadata import RULES, page, rule_matches

    if value is None or context.resilient_parsing:
        return
    if value == "list":
        for rule in RULES.values():
            level = Styled(f"{rule.severity.value:7}", _COLORS[rule.severity.value])
            put(f"{rule.code}  ", level, f"  {rule.name:25}  {rule.doc}")
        context.exit()
    words = [word.strip() for word in value.split(",")]
    for word in words if value != "all" else ():
        _check(word)
    chosen = [
        code
        for code, rule in RULES.items()
        if value == "all" or any(rule_matches(word, code, rule.name) for word in words)
    ]
    write("\n".join(_shown(page(code)) for code in chosen))
    context.exit()


_COLORS = {"error": "red", "warning": "yellow"}


def _check(word: str) -> None:
    from pellucid.errors import did_you_mean
    from pellucid.metadata import RULES, is_rule

    if not is_rule(word):
        known = [*RULES, *(rule.name for rule in RULES.values())]
        raise click.BadParameter(f"'{word}' is not a rule{did_you_mean(word, known)}")


def _shown(text: str) -> str:
    """Return a page with its code indented, as Markdown allows, and its words in colour."""
    head, _, rest = text.removeprefix("## ").partition("\n")
    parts = re.split(r"^```(?:json)?\n(.*?)^```\n", rest, flags=re.DOTALL | re.MULTILINE)
    for place in range(1, len(parts), 2):
        parts[place] = re.sub(r"^(?=.)", "    ", parts[place], flags=re.MULTILINE)
    rest = "".join(parts)
    for word, color in (("Wrong:", "red"), ("Right:", "green")):
        rest = rest.replace(word, click.style(word, fg=color, bold=True))
    return f"{click.style(head, bold=True)}\n{rest}"
