"""What the options of ``pellucid batch`` mean: a run, and where its model is loaded."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid.batch import Opened, Recipe, Run, Selection, Wanted, in_this_process, names_in
from pellucid.files import open_file, read_bytes
from pellucid.remote import address_of, mapped
from pellucid_cli.flags import flag
from pellucid_cli.local_paths import maps_here
from pellucid_cli.options.batch import FolderOptions, InputOptions, RunOptions
from pellucid_cli.streams import stdin

if TYPE_CHECKING:
    from pellucid.api import LoadOptions
    from pellucid.notices import Warn


@contextmanager
def prepared(
    recipe: Recipe,
    inputs: tuple[str, ...],
    chosen: InputOptions,
    folder: FolderOptions,
    running: RunOptions,
    warn: Warn,
) -> Iterator[tuple[Run, Opened]]:
    """Yield the run that the options describe, and what explains; stdin is kept while it lasts.

    A cluster that does not answer is said to `warn`.
    """
    listed = chosen.files_from
    if not inputs and listed is None:
        raise click.UsageError("no input: name files, directories or patterns, or - for stdin")
    from_stdin = [*inputs].count("-") + (str(listed) == "-")
    if from_stdin > 1:
        raise click.UsageError("stdin can be read only once")
    with (
        _stdin(bool(from_stdin)) as standard,
        _listing(standard if str(listed) == "-" else listed) as listing,
    ):
        maps = maps_here()

        def names() -> Iterable[str]:
            assert listing is not None
            with open_file(listing) as file:
                found = names_in(file, null=chosen.null)
                yield from (mapped(it, maps) for it in found)

        selection = Selection(limit=chosen.limit, sample=chosen.sample, seed=chosen.shuffle_seed)
        run = Run(
            named=inputs,
            listed=tuple if listing is None else names,
            standard=None if standard is None else str(standard),
            out=folder.out,
            selection=selection,
            shard=running.shard,
            size=running.block_size,
            max_errors=0 if running.fail_fast else running.max_errors,
            force=folder.force,
            wanted=recipe.wanted,
            words=flag,
        )
        yield run, _opened(recipe, run, running, warn)


def recipe_of(model_dir: Path, folder: FolderOptions, options: LoadOptions) -> Recipe:
    """Return how to load the model anywhere, and what is written of each explanation."""
    overlays = not folder.no_overlays
    truth = folder.truth
    if truth is not None and truth.column is not None:
        if truth.column == options.tables.id_column:
            raise click.UsageError(f"'{truth.column}' is the id; --truth names another column")
        options = replace(options, tables=replace(options.tables, truth_column=truth.column))
    wanted = Wanted(
        out=absolute(folder.out),
        overlays=overlays,
        gallery=overlays and not folder.no_gallery,
        raw=folder.raw,
        overlay_format=folder.overlay_format,
        table=folder.write,
        kept_columns=options.tables.keep_columns,
        truth=truth,
    )
    return Recipe(directory=Path(absolute(model_dir)), options=options, wanted=wanted)


def absolute(path: Path) -> str:
    """Return a path as any process has it; an address is one already."""
    return address_of(path) or str(path.absolute())


def _opened(recipe: Recipe, run: Run, running: RunOptions, warn: Warn) -> Opened:
    """Return what explains: this process, several, or a cluster."""
    jobs, file = running.jobs, running.scheduler_file
    if running.scheduler is not None or file is not None:
        if running.timeout is not None:
            raise click.UsageError("--timeout ends processes of this machine; leave it out")
        if jobs is not None or (running.scheduler is not None and file is not None):
            raise click.UsageError("choose one of --jobs, --scheduler and --scheduler-file")
        from pellucid.batch.engines import on_cluster

        named = None if file is None else str(file)
        return on_cluster(recipe, run.stop, warn, address=running.scheduler, file=named)
    from pellucid.batch.engines import gpus, in_processes

    # With --device gpu:N there is one to be seen.
    jobs = jobs or max(1, len(gpus()))
    if jobs > 1 or running.timeout is not None:
        return in_processes(recipe, run.stop, jobs, timeout=running.timeout)
    return in_this_process(recipe, run.stop, run.out)


@contextmanager
def _listing(path: Path | None) -> Iterator[Path | None]:
    """Keep a list that a shell hands over in a file, too: it is read more than once."""
    if path is None or path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="pellucid-") as directory:
        kept = Path(directory) / "names"
        kept.write_bytes(read_bytes(path))
        yield kept


@contextmanager
def _stdin(wanted: bool) -> Iterator[Path | None]:
    """Keep stdin in a file: its lines are counted before they are explained."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="pellucid-") as directory:
        path = Path(directory) / "stdin"
        with path.open("wb") as file:
            shutil.copyfileobj(stdin(), file)
        yield path
