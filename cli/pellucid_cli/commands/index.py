"""``pellucid index``: examples in, an index of their neighbourhoods out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from pellucid.remote import is_web, joined, place_of
from pellucid_cli.options.records import record
from pellucid_cli.options.shared import (
    MODEL_DIR,
    Console,
    ModelOptions,
    load,
    load_options,
    model_options,
    verbosity_options,
)
from pellucid_cli.options.tables import TableOptions, table_options
from pellucid_cli.streams import say


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """Where the index is written, and what for."""

    out: Path | None
    latent: str | None
    modality: str | None
    query: str | None
    force: bool


@click.command(short_help="Index examples, for --method examples to search.")
@MODEL_DIR
@click.argument("examples", nargs=-1, type=click.Path(path_type=Path), metavar="[EXAMPLES]...")
@record(
    "made",
    IndexOptions,
    click.option(
        "-o",
        "--out",
        type=click.Path(path_type=Path),
        help="The file to write [default: examples.npz in MODEL_DIR].",
    ),
    click.option(
        "--latent",
        metavar="NAME",
        help="Tensor of the latent space [default: latentSpaceSource of the "
        "metadata, else the input of the last layer].",
    ),
    click.option(
        "--modality",
        type=click.Choice(["image", "text", "tabular"]),
        help="Choose distance and normalization [default: that of the inputs].",
    ),
    click.option(
        "--query",
        type=click.Choice(["precise", "fast"]),
        help="fast: also prepare approximate search [default: precise].",
    ),
    click.option("--force", is_flag=True, help="Overwrite an index that exists."),
)
@table_options
@model_options
@verbosity_options
def index(
    model_dir: Path,
    examples: tuple[Path, ...],
    made: IndexOptions,
    tables: TableOptions,
    model: ModelOptions,
    console: Console,
) -> None:
    """Index examples, for explain --method examples to find the nearest of.

    EXAMPLES are JSON Lines ({"id": "17", INPUT: VALUE, ...}), CSV with a column id, pictures, or
    folders of these; by default the files that the metadata name.
    """
    from pellucid.errors import InstanceError
    from pellucid.examples import INDEX_FILE
    from pellucid_cli.files import check_free, written_here
    from pellucid_cli.output.progress import counted

    out = made.out or _beside(model_dir)
    if out is not None:
        check_free(out, force=made.force)
    loaded = load(console, model_dir, load_options(console, model, tables=tables))
    path = out or loaded.directory / INDEX_FILE
    check_free(path, force=made.force)
    failed: list[InstanceError] = []

    def note(error: InstanceError) -> None:
        failed.append(error)
        console.warn(error.notice)

    with written_here(path) as file, counted("indexing", console) as advance:
        found = loaded.index(
            list(examples) or None,
            file,
            latent=made.latent,
            modality=made.modality,
            query=made.query,
            force=made.force,
            on_error=note,
            on_read=advance,
        )
    if not console.quiet:
        say(
            f"{place_of(path)}: {len(found)} examples, {found.vectors.shape[1]} numbers each from "
            f"'{found.origin.latent}', {found.measure}"
        )
    if failed:
        say(f"{len(failed)} examples failed")
        raise click.exceptions.Exit(1)


def _beside(model_dir: Path) -> Path | None:
    """Return the address of the index of a model that lies elsewhere, None for other models."""
    from pellucid.examples import INDEX_FILE
    from pellucid.saved_model import address_of_folder

    address = address_of_folder(model_dir)
    if address is None or is_web(address):  # of which loading says what is wrong
        return None
    return Path(joined(address, INDEX_FILE))
