"""``pellucid batch``: many inputs in, a folder out, and on from where it was broken off.

``pellucid merge``: the parts of a run, from several machines, become the folder of one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid.remote import place_of
from pellucid_cli.options.batch import (
    FolderOptions,
    InputOptions,
    RunOptions,
    folder_options,
    input_options,
    run_options,
)
from pellucid_cli.options.shared import (
    MODEL_DIR,
    Console,
    ModelOptions,
    asking_options,
    load_options,
    method_options,
    verbosity_options,
)
from pellucid_cli.options.tables import TableOptions, table_options
from pellucid_cli.streams import check_stdout, put, say

if TYPE_CHECKING:
    from pellucid.batch import Outcome, Part
    from pellucid.metadata import ExplainOptions


@click.command(short_help="Explain folders, patterns and files of any length.")
@MODEL_DIR
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@folder_options
@input_options
@run_options
@table_options
@asking_options
@method_options
@verbosity_options
def batch(
    model_dir: Path,
    inputs: tuple[str, ...],
    folder: FolderOptions,
    chosen: InputOptions,
    running: RunOptions,
    tables: TableOptions,
    model: ModelOptions,
    method: ExplainOptions,
    console: Console,
) -> None:
    """Explain directories, patterns, pictures, requests, tables and record files of any length.

    Run the same command again to resume an interrupted run. One bad input costs one line in
    errors.jsonl; the exit code is then 1. INPUT may be quoted patterns, and - is
    stdin.
    """
    from pellucid_cli.interrupts import leave_at_once, stopping
    from pellucid_cli.options.batch_run import prepared, recipe_of
    from pellucid_cli.output.batch_progress import JsonLog, estimate_lines, progress

    if running.dry_run:
        check_stdout()
    recipe = recipe_of(model_dir, folder, load_options(console, model, method, tables))
    with (
        progress(console, as_json=running.json_log, bar=not running.dry_run) as shown,
        prepared(recipe, inputs, chosen, folder, running, shown.warns) as (run, opened),
    ):
        if running.dry_run:
            for line in estimate_lines(run.estimated(opened), folder.out):
                put(line)
            return
        with stopping(run.stop, shown.say, lambda: run.works.busy) as asked:
            try:
                outcome = run.carry_out(opened, shown)
            except KeyboardInterrupt:
                leave_at_once(asked.code)
        if isinstance(shown, JsonLog):
            shown.end(outcome)
    if not console.quiet and not running.json_log:
        for sentence in (_said(outcome, folder.out, running.shard), *outcome.said):
            say(sentence)
    if asked.signal is not None and outcome.stopped:
        raise click.exceptions.Exit(asked.code)
    if outcome.failed:
        raise click.exceptions.Exit(1)


@click.command(short_help="Put the parts of a batch together.")
@click.argument("parts", nargs=-1, required=True, metavar="DIR...", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="The folder to write."
)
@click.option("--force", is_flag=True, help="Start over, replacing earlier results.")
@verbosity_options
def merge(parts: tuple[Path, ...], out: Path, force: bool, console: Console) -> None:
    """Put the parts of a run, which batch --shard explained, together in one folder.

    It is the folder that one run would have written, to the byte but for the time it took. The
    parts stay as they are. Broken off, the same command goes on.
    """
    from pellucid.batch import merge as put_together
    from pellucid_cli.flags import flag
    from pellucid_cli.output.progress import counted

    with counted("blocks", console) as advance:
        outcome = put_together(
            parts, out, force=force, words=flag, on_block=lambda _, __: advance()
        )
    if not console.quiet:
        for sentence in (_said(outcome, out), *outcome.said):
            say(sentence)
    if outcome.failed:
        raise click.exceptions.Exit(1)


def _said(outcome: Outcome, out: Path, part: Part | None = None) -> str:
    """Return how the run ended, and which command goes on from there."""
    said = f"{place_of(out)}: {outcome.explained:,} explained, {outcome.failed:,} failed"
    if part is not None:
        said += f", in part {part}"
    if outcome.stopped is not None:
        how = "" if outcome.stopped == "interrupted" else " with a higher --max-errors"
        return (
            f"{said}, of {outcome.total:,}: {outcome.stopped}; the same command{how} goes on from "
            "there"
        )
    if part is not None and not outcome.total:
        return f"{said}, which is empty: there are fewer blocks than parts"
    if part is not None and outcome.fresh:
        return f"{said}; pellucid merge puts all {part.of} together"
    return said if outcome.fresh else f"{said}; nothing was left to do, and --force starts over"
