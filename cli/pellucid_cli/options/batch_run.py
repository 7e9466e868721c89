"""What the options of ``pellucid batch`` mean: a run, and where its model is loaded."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from pellucid.batch import Opened, Recipe, Run, Selection, Wanted, in_this_process, names_in
from pellucid_cli.flags import flag
from pellucid_cli.options.shared import Console, loading


@contextmanager
def prepared(
    console: Console, model_dir: Path, inputs: tuple[str, ...], out: Path, options: dict[str, Any]
) -> Iterator[tuple[Run, Opened]]:
    """Yield the run that the options describe, and what explains; stdin is kept while it lasts."""
    listed = options.pop("files_from")
    if not inputs and listed is None:
        raise click.UsageError("no input: name files, directories or patterns, or - for stdin")
    from_stdin = [*inputs].count("-") + (str(listed) == "-")
    if from_stdin > 1:
        raise click.UsageError("stdin can be read only once")
    null, fail_fast = options.pop("null"), options.pop("fail_fast")
    limit, sample, seed = (options.pop(it) for it in ("limit", "sample", "shuffle_seed"))
    max_errors, force = options.pop("max_errors"), options.pop("force")
    where = {it: options.pop(it) for it in ("jobs", "scheduler", "scheduler_file")}
    size, overlays = options.pop("block_size"), not options.pop("no_overlays")
    gallery, raw = not options.pop("no_gallery") and overlays, options.pop("raw")
    with _stdin(bool(from_stdin)) as standard:
        listing = standard if str(listed) == "-" else listed

        def names() -> Iterable[str]:
            assert listing is not None
            with listing.open("rb") as file:
                yield from names_in(file, null=null)

        run = Run(
            named=inputs,
            listed=tuple if listing is None else names,
            standard=None if standard is None else str(standard),
            out=out,
            selection=Selection(limit=limit, sample=sample, seed=seed),
            size=size,
            max_errors=0 if fail_fast else max_errors,
            force=force,
            gallery=gallery,
            words=flag,
        )
        wanted = Wanted(out=str(out.absolute()), overlays=overlays, gallery=gallery, raw=raw)
        chosen = loading(console, options)
        recipe = Recipe(directory=model_dir.absolute(), options=chosen, wanted=wanted)
        yield run, _opened(recipe, run, **where)


def _opened(
    recipe: Recipe,
    run: Run,
    *,
    jobs: int | None,
    scheduler: str | None,
    scheduler_file: Path | None,
) -> Opened:
    """Return what explains: this process, several, or a cluster."""
    if scheduler is not None or scheduler_file is not None:
        if jobs is not None or (scheduler is not None and scheduler_file is not None):
            raise click.UsageError("choose one of --jobs, --scheduler and --scheduler-file")
        from pellucid.batch.engines import on_cluster

        file = None if scheduler_file is None else str(scheduler_file)
        return on_cluster(recipe, run.stop, address=scheduler, file=file)
    from pellucid.batch.engines import gpus, in_processes

    # With --device gpu:N there is one to be seen.
    jobs = jobs or max(1, len(gpus()))
    return in_processes(recipe, run.stop, jobs) if jobs > 1 else in_this_process(recipe, run.stop)


@contextmanager
def _stdin(wanted: bool) -> Iterator[Path | None]:
    """Keep stdin in a file: its lines are counted before they are explained."""
    if not wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="pellucid-") as directory:
        path = Path(directory) / "stdin"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield path
