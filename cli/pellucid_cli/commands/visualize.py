"""``pellucid visualize``: explanations as pictures, new ones or such as were saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid.notices import Where
from pellucid_cli.options.shared import method_options, model_options, verbosity_options
from pellucid_cli.options.visualize import view_options


@click.command(short_help="Draw which pixels, words or columns mattered.")
@click.argument("names", nargs=-1, metavar="MODEL_DIR INPUT... | SAVED.npz...")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="A .png, .jpg, .gif or .html file for one picture, a folder for several [default: "
    "NAME.overlay.png and the like, here].",
)
@view_options
@click.option("--show", is_flag=True, help="Preview on the terminal; without -o, write no files.")
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@model_options
@method_options
@verbosity_options
def visualize(
    names: tuple[str, ...],
    out: Path | None,
    show: bool,
    force: bool,
    verbose: int,
    quiet: int,
    **options: Any,
) -> None:
    """Draw which pixels, regions, words or columns made the model say what it said.

    INPUT is a picture, or anything that explain takes; SAVED.npz is what explain --raw wrote, or a
    folder of such files, to be drawn again without the model. Pictures become overlays, text
    becomes words on coloured ground (PNG and HTML), columns become a chart. Prints the paths of the
    files it writes.
    """
    from pellucid_cli.files import check_free, write
    from pellucid_cli.options.shared import Console
    from pellucid_cli.options.visualize import SUFFIXES, explained, take_view

    if not names:
        raise click.UsageError("no input: name a model and its inputs, or saved explanations")
    console = Console(verbose, quiet)
    view, methods = take_view(options, out)
    form = "" if out is None else out.suffix.lower()
    single = form in SUFFIXES
    if out is not None and single:
        check_free(out, force=force)
    from pellucid.errors import OutputError
    from pellucid.visualize import files

    made: list[tuple[Path, bytes]] = []
    for stem, sets, number in explained(names, view, methods, console, options):
        if show:
            from pellucid_cli.output.preview import preview

            preview(sets, number, stem, view, err=out is not None)
            if out is None:
                continue
        for file in files(sets, number, stem, view):
            if single and SUFFIXES[Path(file.name).suffix] != SUFFIXES[form]:
                continue
            if file.note:
                console.warn(f"{file.name}: {file.note}")
            made.append(((out or Path()) / file.name, file.data))
        if single and len(made) > 1:
            raise click.UsageError(f"{out}: is one file, for several pictures; name a folder")
        if out is not None and not single:
            out.mkdir(parents=True, exist_ok=True)
        while made and not single:
            path, data = made.pop(0)
            write(path, data, force=force)
            click.echo(path)
    if out is not None and single:
        if not made:
            what = f"what is drawn here is no {SUFFIXES[form]} file"
            raise OutputError(what, where=Where(file=str(out)), hint="try .png")
        write(out, made[0][1], force=force)
        click.echo(out)
