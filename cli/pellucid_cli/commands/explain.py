"""``pellucid explain``: instances in, response JSON out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid_cli.flags import flag
from pellucid_cli.options.shared import (
    MODEL_DIR,
    Console,
    load,
    method_options,
    model_options,
    verbosity_options,
)


@click.command(short_help="Explain predictions, as response JSON or a table.")
@MODEL_DIR
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write here [default: stdout].")
@click.option(
    "--format",
    "form",
    type=click.Choice(["auto", "ai-platform", "vertex", "kserve", "table"]),
    default="auto",
    show_default=True,
    help="The response of a service, or a table to read; kserve is that of LIME.",
)
@click.option(
    "--raw",
    type=click.Path(path_type=Path),
    help="Also write the attributions as arrays, a .npz file.",
)
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@model_options
@method_options
@verbosity_options
def explain(
    model_dir: Path,
    inputs: tuple[str, ...],
    out: Path | None,
    form: str,
    raw: Path | None,
    force: bool,
    verbose: int,
    quiet: int,
    **options: Any,
) -> None:
    """Explain predictions: which part of the input made the output what it is.

    INPUT is a request ({"instances": [...]}), JSON Lines, CSV or a picture; - is stdin.
    """
    if not inputs:
        raise click.UsageError("no input: name a request, a table or a picture, or - for stdin")
    from pellucid.errors import InstanceError
    from pellucid_cli.files import check_free, read_inputs, write, write_stdout

    console = Console(verbose, quiet)
    for path in (out, raw):
        if path is not None:
            check_free(path, force=force)
    if form == "kserve" and options["method"] not in (None, "lime"):
        raise click.UsageError("--format kserve is the form of LIME; leave out --method")
    if form == "kserve":
        options["method"] = "lime"
    model = load(console, model_dir, options)
    if form == "kserve":
        model = model.as_kserve()
    from pellucid.metadata import Dialect
    from pellucid.responses import encode

    def deliver(data: bytes) -> None:
        if out is None:
            write_stdout(data)
        else:
            write(out, data, force=force)

    try:
        model, instances = read_inputs(model, inputs, console.warn)
        explanations = model.explain(instances)
    except InstanceError as error:
        # "If explanation fails for any instance, the response body contains no explanations."
        deliver(encode({"error": error.sentence(flag)}))
        raise
    if raw is not None:
        from pellucid.responses import pack

        write(raw, pack(explanations), force=force)
    if form == "table":
        from pellucid_cli.output.tables import table

        deliver(table(explanations).encode())
    elif form == "kserve":
        deliver(encode(explanations.kserve()))
    else:
        deliver(explanations.json(dialect=None if form == "auto" else Dialect(form)))
