"""``pellucid index``: examples in, an index of their neighbourhoods out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid.errors import InstanceError
from pellucid_cli.options.shared import MODEL_DIR, Console, load, model_options, verbosity_options


@click.command(short_help="Index examples, for --method examples to search.")
@MODEL_DIR
@click.argument("examples", nargs=-1, type=click.Path(path_type=Path), metavar="[EXAMPLES]...")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The file to write [default: examples.npz in MODEL_DIR].",
)
@click.option(
    "--latent",
    metavar="NAME",
    help="The tensor in whose space examples are near [default: latentSpaceSource of the "
    "metadata, else the input of the last layer].",
)
@click.option(
    "--modality",
    type=click.Choice(["image", "text", "tabular"]),
    help="Choose distance and normalization [default: that of the inputs].",
)
@click.option(
    "--query",
    type=click.Choice(["precise", "fast"]),
    help="With fast, prepare approximate searches, too [default: precise].",
)
@click.option("--force", is_flag=True, help="Overwrite an index that exists.")
@model_options
@verbosity_options
def index(
    model_dir: Path,
    examples: tuple[Path, ...],
    out: Path | None,
    latent: str | None,
    modality: str | None,
    query: str | None,
    force: bool,
    verbose: int,
    quiet: int,
    **options: Any,
) -> None:
    """Index examples, for explain --method examples to find the nearest of.

    EXAMPLES are JSON Lines ({"id": "17", INPUT: VALUE, ...}), CSV with a column id, pictures, or
    folders of these; by default the files that the metadata name.
    """
    from pellucid_cli.files import check_free
    from pellucid_cli.output.progress import counted

    console = Console(verbose, quiet)
    if out is not None:
        check_free(out, force=force)
    model = load(console, model_dir, options)
    place = out or model.directory / "examples.npz"
    check_free(place, force=force)
    failed = []

    def note(error: InstanceError) -> None:
        failed.append(error)
        console.warn(error.notice)

    with counted("indexing", console) as advance:
        made = model.index(
            list(examples) or None,
            place,
            latent=latent,
            modality=modality,
            query=query,
            force=force,
            on_error=note,
            on_read=advance,
        )
    if not quiet:
        click.echo(
            f"{place}: {len(made)} examples, {made.vectors.shape[1]} numbers each from "
            f"'{made.origin.latent}', {made.measure}",
            err=True,
        )
    if failed:
        click.echo(f"{len(failed)} examples failed", err=True)
        raise click.exceptions.Exit(1)
