"""``pellucid diff``: what changed between two models, in what they say and in why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid_cli.failing import fail
from pellucid_cli.options.evaluate import report_output
from pellucid_cli.options.records import record
from pellucid_cli.options.shared import (
    Console,
    ModelOptions,
    load,
    load_options,
    method_options,
    model_options,
    verbosity_options,
)
from pellucid_cli.options.tables import TableOptions, table_options

if TYPE_CHECKING:
    from pellucid.comparison import Diff
    from pellucid.metadata import ExplainOptions

_KEYS = ("flips", "share", "element", "score")


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffOptions:
    """What is compared, where the report goes, and what it must not exceed."""

    out: Path | None
    form: str
    force: bool
    fail_over: Mapping[str, float]
    controls: tuple[Path, ...]
    limit: int | None


@click.command(short_help="Compare two models: what changed in what they say, and why.")
@click.argument("model_a", type=click.Path(path_type=Path))
@click.argument("model_b", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@record(
    "report",
    DiffOptions,
    *report_output(
        "tables and what follows from them, every instance's numbers, or JUnit XML with a test for "
        "each bound",
        forms=("table", "json", "junit"),
    ),
    click.option(
        "--fail-over",
        multiple=True,
        callback=lambda _, __, values: _bounds(values),
        metavar="KEY=VALUE[,…]",
        help="Exit with 1 beyond a bound, as in share=0.1,flips=0.01: flips is the share of "
        "predictions that flip, share that of the attribution that lies elsewhere, element the "
        "largest change of one element's share, score the mean change of the explained score; may "
        "be repeated.",
    ),
    click.option(
        "--control",
        "controls",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="MODEL_DIR",
        help="MODEL_A trained again with another seed: what it differs in, is chance; may be "
        "repeated.",
    ),
    click.option("--limit", type=click.IntRange(1), help="Take the first N instances only."),
)
@table_options
@model_options
@method_options
@verbosity_options
def diff(
    model_a: Path,
    model_b: Path,
    inputs: tuple[str, ...],
    report: DiffOptions,
    tables: TableOptions,
    model: ModelOptions,
    method: ExplainOptions,
    console: Console,
) -> None:
    """Compare two models: which predictions flip, and which attributions move?

    Both explain the class that MODEL_A says, matched by name, each by the metadata beside it;
    options hold for both. INPUT is a picture, a request, a table, or a folder of such; - is stdin.
    """
    from pellucid_cli.comparing import ConsoleOf, check_report, given_to
    from pellucid_cli.output.progress import counted
    from pellucid_cli.streams import check_stdout

    if not inputs:
        raise click.UsageError("no input: name pictures, a table or a folder, or - for stdin")
    check_stdout()
    if report.out is not None:
        check_report(report.out, ("diff.json", "index.html"), force=report.force)
    options = load_options(console, model, method, tables)
    names = (model_a, model_b, *report.controls)
    models = [load(ConsoleOf.of(console, str(it)), it, options) for it in names]
    from pellucid.comparison import diff as compare

    with counted("comparing", console) as advance:
        found = compare(
            models,
            given_to(models, inputs, console.warn, limit=report.limit),
            on_done=advance,
        )
    _deliver(found, report)
    said = _missed(found, report.fail_over)
    if said is not None:
        raise click.exceptions.Exit(fail(said, 1))


def _bounds(values: tuple[str, ...]) -> dict[str, float]:
    bounds = {}
    for written in (part for value in values for part in value.split(",")):
        name, equals, value = (part.strip() for part in written.partition("="))
        try:
            bounds[name] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise click.BadParameter(f"'{written}' is not KEY=VALUE, as in share=0.1,flips=0.01")
        if name not in _KEYS:
            raise click.BadParameter(f"'{name}' is none of {', '.join(_KEYS)}")
        if not 0 <= bounds[name] < math.inf:
            raise click.BadParameter(f"'{written}' is no bound: it is a number from 0 on")
    return bounds


def _deliver(found: Diff, report: DiffOptions) -> None:
    from pellucid.comparison import diff_page
    from pellucid.evaluate import PAGE
    from pellucid_cli.comparing import deliver
    from pellucid_cli.output.comparison import diff_junit, diff_table

    files = {PAGE: diff_page, "diff.json": lambda it: it.json() + b"\n"}
    printed = {"table": diff_table, "junit": lambda it: diff_junit(it, report.fail_over)}
    deliver(found, report.out, report.form, files, printed)


def _missed(found: Diff, bounds: Mapping[str, float]) -> str | None:
    """Return the sentence on what is beyond a bound or was not compared, None if nothing is."""
    said = [
        f"{name} is {found.bound(name):.4g}, over {bound:g}"
        for name, bound in bounds.items()
        if found.bound(name) > bound
    ]
    if not found.count and not found.failed:
        said.append("nothing was compared")
    elif found.failed:
        one = found.failed[0]
        said.append(
            f"{len(found.failed):,} of {found.count + len(found.failed):,} instances were not "
            f"compared, the first is {one.name}: {one.why}"
        )
    return "; ".join(said) or None
