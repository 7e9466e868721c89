"""``pellucid batch``: many inputs in, a folder out, and on from where it was broken off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid_cli.options.batch import input_options, output_options, run_options
from pellucid_cli.options.shared import (
    MODEL_DIR,
    Console,
    method_options,
    model_options,
    verbosity_options,
)


@click.command(short_help="Explain folders, patterns and files of any length.")
@MODEL_DIR
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@output_options
@input_options
@run_options
@model_options
@method_options
@verbosity_options
def batch(
    model_dir: Path, inputs: tuple[str, ...], out: Path, verbose: int, quiet: int, **options: Any
) -> None:
    """Explain directories, patterns, pictures, requests, JSON Lines and CSV files of any length.

    The same command again goes on where it was broken off. One bad input costs one line in
    errors.jsonl; exit code 1 tells that there were some. INPUT may be quoted patterns, and - is
    stdin.
    """
    from pellucid_cli.interrupts import leave_at_once, stopping
    from pellucid_cli.options.batch_run import prepared
    from pellucid_cli.output.batch_progress import JsonLog, estimate_text, progress

    console = Console(verbose, quiet)
    dry_run, json_log = options.pop("dry_run"), options.pop("json_log")
    with prepared(console, model_dir, inputs, out, options) as (run, opened):
        if dry_run:
            click.echo(estimate_text(run.estimated(opened), out))
            return
        with progress(console, as_json=json_log) as shown, stopping(run.stop, shown.say) as asked:
            try:
                outcome = run.carry_out(opened, shown)
            except KeyboardInterrupt:
                leave_at_once(asked.code)
        if isinstance(shown, JsonLog):
            shown.end(outcome)
    said = f"{out}: {outcome.explained:,} explained, {outcome.failed:,} failed"
    if outcome.stopped is not None:
        how = "" if outcome.stopped == "interrupted" else " with a higher --max-errors"
        said += (
            f", of {outcome.total:,}: {outcome.stopped}; the same command{how} goes on from there"
        )
    elif not outcome.fresh:
        said += "; nothing was left to do, and --force begins anew"
    if not console.quiet and not json_log:
        click.echo(said, err=True)
    if asked.signal is not None and outcome.stopped:
        raise click.exceptions.Exit(asked.code)
    if outcome.failed:
        raise click.exceptions.Exit(1)
