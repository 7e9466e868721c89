"""``pellucid batch``: a folder in, a folder out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid_cli.options import MODEL_DIR, Talk, load, method_options, model_options, talking


@click.command()
@MODEL_DIR
@click.argument("input_dir", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="The folder to write."
)
@click.option("--no-overlays", is_flag=True, help="Write no pictures.")
@click.option("--limit", type=click.IntRange(1), help="Explain only the first N instances.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty.")
@model_options
@method_options
@talking
def batch(
    model_dir: Path,
    input_dir: Path,
    out: Path,
    no_overlays: bool,
    limit: int | None,
    force: bool,
    verbose: int,
    quiet: int,
    **options: Any,
) -> None:
    """Explain every picture, request, JSONL and CSV file in a folder.

    One bad input costs one line in errors.jsonl; exit code 1 tells that there were some.
    """
    from pellucid.batch import inputs_in, run
    from pellucid.errors import OutputError

    talk = Talk(verbose, quiet)
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: is a file; name a folder")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise OutputError(f"{out}: is not empty; add --force to write into it")
    inputs = inputs_in(input_dir)
    model = load(talk, model_dir, options)

    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("explaining"), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not talk.progress, transient=True) as bar:
        task = bar.add_task("", total=limit or len(inputs))
        summary = run(
            model,
            input_dir,
            out,
            overlays=not no_overlays,
            limit=limit,
            on_done=lambda count: bar.advance(task, count),
        )
    if not talk.quiet:
        click.echo(f"{out}: {summary.explained} explained, {summary.failed} failed", err=True)
    if summary.failed:
        raise click.exceptions.Exit(1)
