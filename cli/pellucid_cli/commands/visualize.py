"""``pellucid visualize``: explanations as pictures, new ones or such as were saved."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid.notices import Where
from pellucid.remote import address_of, place_of
from pellucid_cli.options.given import GivenOptions, given_options
from pellucid_cli.options.shared import (
    Console,
    ModelOptions,
    asking_options,
    chosen_text,
    method_options,
    remembered,
    verbosity_options,
)
from pellucid_cli.options.tables import TableOptions, table_options
from pellucid_cli.options.visualize import (
    SUFFIXES,
    Explained,
    ViewOptions,
    explained,
    is_saved,
    methods_of,
    view_of,
    view_options,
)
from pellucid_cli.streams import check_stdout, put

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pellucid.metadata import ExplainOptions
    from pellucid.visualize import File, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where pictures go: one file if it is named as such, else a folder, by default this one.

    `saved` tells that they are drawn of what was explained before.
    """

    out: Path | None
    show: bool
    saved: bool

    @property
    def form(self) -> str | None:
        """The form of the one file that is written, None if there are several."""
        return None if self.out is None else SUFFIXES.get(self.out.suffix.lower())


@click.command(short_help="Draw which pixels, words or columns mattered.")
@click.argument("names", nargs=-1, metavar="MODEL_DIR INPUT... | SAVED.npz...", callback=remembered)
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
@given_options
@table_options
@asking_options
@method_options
@verbosity_options
def visualize(
    names: tuple[str, ...],
    out: Path | None,
    looking: ViewOptions,
    show: bool,
    force: bool,
    given: GivenOptions,
    tables: TableOptions,
    model: ModelOptions,
    method: ExplainOptions,
    console: Console,
) -> None:
    """Draw which pixels, regions, words, times or columns made the model say what it said.

    INPUT is a picture, or anything that explain takes; SAVED.npz is what explain --raw wrote, or a
    folder of such files, to be drawn again without the model, with --metadata as an edited file
    says. Pictures become overlays, text becomes words on coloured ground (PNG and HTML), series
    become lines over time, columns become a chart. Prints the paths of the files it writes.
    """
    from pellucid_cli.files import check_free, write

    if not names:
        raise click.UsageError("no input: name a model and its inputs, or saved explanations")
    if show and out is None:
        check_stdout()
    view = view_of(looking, out, errors=bool(method.settings.errors))
    method, methods = methods_of(looking, method)
    target = Target(out=out, show=show, saved=is_saved(names))
    found = explained(names, given, view, methods, model, method, tables, console)
    if out is None or target.form is None:
        folder = out or Path()
        for file in _drawn(found, view, target, console):
            if address_of(folder) is None:
                folder.mkdir(parents=True, exist_ok=True)
            write(folder / file.name, file.data, force=force)
            put(place_of(folder / file.name))
        return
    check_free(out, force=force)
    made = [*islice(_drawn(found, view, target, console), 2)]
    if len(made) > 1:
        raise click.UsageError(f"{out}: is one file, for several pictures; name a folder")
    if not made:
        from pellucid.errors import OutputError

        what = f"what is drawn here is no {target.form} file"
        raise OutputError(what, where=Where(file=str(out)), hint="try .png")
    write(out, made[0].data, force=force)
    put(place_of(out))


def _drawn(
    found: Iterator[Explained], view: View, target: Target, console: Console
) -> Iterator[File]:
    """Yield the files of each instance that the target takes, and show it if that was asked for."""
    from pellucid.errors import InstanceError, memory_for
    from pellucid.visualize import drawing_damaged, files

    for stem, sets, number in found:
        where = sets[0].instances[number].where
        # What was explained just now, and cannot be drawn, is a fault of ours.
        damaged = drawing_damaged if target.saved else nullcontext
        if target.show:
            from pellucid_cli.output.preview import preview

            with damaged(where):
                preview(sets, number, stem, view, err=target.out is not None)
            if target.out is None:
                continue
        try:
            with memory_for(where), damaged(where):
                made = [*files(sets, number, stem, view)]
        except InstanceError as error:
            raise error.at(where) from error
        # Of a method that never has any, that was said when it was chosen.
        able = target.saved or any(not it.parameters.method.without_errors for it in sets)
        known = any(label.errors for each in sets for label in each[number].labels)
        if view.errors and able and not known:
            console.warn(f"{stem}: no errors of single values are known")
        for file in made:
            if target.form in (None, SUFFIXES[Path(file.name).suffix]):
                if file.note:
                    console.warn(f"{file.name}: {file.note}")
                for title, words in file.chosen.items():
                    console.note(chosen_text(f"{file.name}, {title}", words))
                yield file
