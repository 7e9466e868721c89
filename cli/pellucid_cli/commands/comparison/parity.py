"""``pellucid parity``: a model here beside what a service answered, and why they differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid_cli.failing import fail
from pellucid_cli.options.evaluate import report_output
from pellucid_cli.options.records import record
from pellucid_cli.options.shared import (
    MODEL_DIR,
    Console,
    ModelOptions,
    load,
    load_options,
    model_options,
    unrefined_method_options,
    verbosity_options,
)

if TYPE_CHECKING:
    from pellucid.comparison import Exchange, Parity
    from pellucid.errors import InstanceError
    from pellucid.metadata import ExplainOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityOptions:
    """Where the report goes, in which form, and what answers may differ by."""

    out: Path | None
    form: str
    force: bool
    tolerance: float
    picture_tolerance: float
    limit: int | None


@click.command(short_help="Compare a model with what a service answered, and say why they differ.")
@MODEL_DIR
@click.argument("recorded", nargs=-1, metavar="[RECORDED]...", type=click.Path(path_type=Path))
@record(
    "report",
    ParityOptions,
    *report_output("a table and what follows from it, or every field"),
    click.option(
        "--tolerance",
        type=click.FloatRange(0),
        default=0.01,
        show_default=True,
        help="What numbers may differ by, as a share of the largest of theirs.",
    ),
    click.option(
        "--picture-tolerance",
        type=click.FloatRange(0, 1),
        default=0.1,
        show_default=True,
        help="What pictures may differ by: 1 minus SSIM, or minus the overlap of what is "
        "highlighted.",
    ),
    click.option("--limit", type=click.IntRange(1), help="Take the first N exchanges only."),
)
@model_options
@unrefined_method_options
@verbosity_options
def parity(
    model_dir: Path,
    recorded: tuple[Path, ...],
    report: ParityOptions,
    model: ModelOptions,
    method: ExplainOptions,
    console: Console,
) -> None:
    """Compare a model with what a service answered: are the explanations the same?

    RECORDED are requests with their answers: files of pellucid record, folders of
    NAME.request.json and NAME.response.json, JSON Lines, a batch job's results, or HAR files.
    Each request is explained here, and answers are compared field by field. Where they differ,
    other settings are tried, and those that bring them together are named.
    """
    from pellucid_cli.comparing import check_report
    from pellucid_cli.output.progress import counted
    from pellucid_cli.streams import check_stdout

    if not recorded:
        raise click.UsageError("no exchanges: name files or folders of requests with their answers")
    check_stdout()
    if report.out is not None:
        check_report(report.out, ("parity.json", "index.html"), force=report.force)
    options = load_options(console, model, method)
    loaded = load(console, model_dir, options)
    from pellucid.comparison import Tolerances
    from pellucid.comparison import parity as compare

    quiet = Console(quiet=1)
    with counted("comparing", console) as advance:
        found = compare(
            loaded,
            islice(_exchanges(recorded), report.limit),
            tolerances=Tolerances(numbers=report.tolerance, pictures=report.picture_tolerance),
            options=options,
            reload=lambda other: load(quiet, model_dir, other),
            on_done=advance,
        )
    _deliver(found, report)
    said = _missed(found)
    if said is not None:
        raise click.exceptions.Exit(fail(said, 1))


def _exchanges(recorded: tuple[Path, ...]) -> Iterator[Exchange | InstanceError]:
    from pellucid.comparison import read_recorded

    for path in recorded:
        yield from read_recorded(path)


def _deliver(found: Parity, report: ParityOptions) -> None:
    from pellucid.comparison import parity_page
    from pellucid.evaluate import PAGE
    from pellucid_cli.comparing import deliver
    from pellucid_cli.output.comparison import parity_table

    files = {PAGE: parity_page, "parity.json": lambda it: it.json() + b"\n"}
    deliver(found, report.out, report.form, files, {"table": parity_table})


def _missed(found: Parity) -> str | None:
    """Return the sentence on what differs or was not compared, None where all agrees."""
    if found.agrees:
        return None
    said = []
    from pellucid.comparison import Verdict

    bad = sum(row.verdict is Verdict.DIFFERS for row in found.rows)
    if bad:
        said.append(f"{bad:,} of {len(found.rows):,} answers differ")
    if found.failed:
        said.append(f"{len(found.failed):,} could not be compared, the first: {found.failed[0]}")
    return "; ".join(said) or "there is no answer to compare"
