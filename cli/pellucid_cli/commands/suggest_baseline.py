"""``pellucid suggest-baseline``: baselines side by side, judged on one's own inputs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid_cli.options.evaluate import instances_of, stages_option
from pellucid_cli.options.shared import (
    MODEL_DIR,
    Console,
    ModelOptions,
    load,
    load_options,
    model_options,
    seed_option,
    verbosity_options,
)
from pellucid_cli.options.tables import TableOptions, table_options

if TYPE_CHECKING:
    from pellucid.api.judging import BaselineAdvice


@click.command(short_help="Judge baselines side by side, and say what to write into metadata.")
@MODEL_DIR
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@click.option(
    "--examples",
    multiple=True,
    metavar="PATH",
    help="Training examples, for the mean and the nearest of another label [default: the mean of "
    "INPUT]; may be repeated.",
)
@click.option(
    "--method",
    default="ig",
    show_default=True,
    metavar="NAME",
    help="Method that the baseline is for, with its settings as in ig:steps=20.",
)
@click.option(
    "--metrics",
    metavar="NAMES",
    help="What to judge by; the first decides [default: road for pictures, else "
    "insertion,deletion].",
)
@stages_option(20)
@click.option("--limit", type=click.IntRange(1), help="Take the first N instances only.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="What is printed.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the numbers of the best baseline to this .npy file (.npz for several inputs).",
)
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
@table_options
@model_options
@seed_option
@verbosity_options
def suggest_baseline(
    model_dir: Path,
    inputs: tuple[str, ...],
    examples: tuple[str, ...],
    method: str,
    metrics: str | None,
    stages: int,
    limit: int | None,
    form: str,
    out: Path | None,
    force: bool,
    tables: TableOptions,
    model: ModelOptions,
    seed: int,
    console: Console,
) -> None:
    """Judge baselines side by side: 0, black, white, the mean, a blur, noise, nearest examples.

    Each explains the same instances, and metrics that favour none of them say which explanations
    find what the model depends on. Where one is ahead of the baseline that the model has, what to
    write into its metadata is printed.
    """
    from itertools import islice

    from pellucid.metadata import ExplainOptions
    from pellucid_cli.output.progress import counted
    from pellucid_cli.streams import check_stdout

    if not inputs:
        raise click.UsageError("no input: name pictures, a table or a folder, or - for stdin")
    check_stdout()
    _check_out(out, force=force)
    loaded = load(
        console, model_dir, load_options(console, model, ExplainOptions(seed=seed), tables)
    )
    with counted("judging", console) as advance:
        found = loaded.suggest_baseline(
            islice(instances_of(loaded, inputs, console.warn), limit),
            method=method,
            examples=instances_of(loaded, examples, console.warn),
            metrics=metrics or (),
            stages=stages,
            seed=seed,
            on_done=advance,
        )
    _deliver(found, form, out, console, force=force)


def _check_out(out: Path | None, *, force: bool) -> None:
    from pellucid_cli.files import check_free

    if out is None:
        return
    if out.suffix not in (".npy", ".npz"):
        raise click.UsageError(f"{out} is neither a .npy nor a .npz file")
    check_free(out, force=force)


def _deliver(
    found: BaselineAdvice, form: str, out: Path | None, console: Console, *, force: bool
) -> None:
    from pellucid_cli.output.evaluation import evaluation_table
    from pellucid_cli.streams import put, write, write_bytes

    if out is not None and found.packed(out.suffix) is None:
        console.say(f"{out} is not written: no baseline with numbers of its own is ahead")
        out = None
    elif out is not None:
        from pellucid_cli.files import write as write_file

        write_file(out, found.packed(out.suffix) or b"", force=force)
    if form == "json":
        write_bytes(json.dumps(found.document()).encode() + b"\n")
        return
    write(evaluation_table(found.evaluation, verdict=(*found.notes, *found.verdict)))
    for line in _lines(found, out):
        put(line)


def _lines(found: BaselineAdvice, out: Path | None) -> Iterator[str]:
    """Yield what makes the best baseline the model's, on the command line and in its metadata."""
    if found.best is None:
        return
    inputs = found.lines.get(found.best)
    if found.best in ("blur", "noise", "zero"):
        yield f"on the command line: --baseline {found.best}"
    elif out is not None:
        yield f"on the command line: --baseline {out}"
    elif inputs is None:
        yield "metadata and the command line cannot say so: give baselines from Python"
    if inputs is None:
        return
    if all(found.has_file(name) for name in inputs) and out is None:
        yield "it has many numbers: write them to a file with -o baseline.npy"
        return
    if out is not None and len(inputs) == 1:
        inputs = {name: {"input_baselines": [{"file": out.name}]} for name in inputs}
    yield f"in explanation_metadata.json: {json.dumps({'inputs': inputs})}"
