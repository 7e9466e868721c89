"""The options that only ``pellucid batch`` has, in the order in which its help shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid_cli.options.records import record

if TYPE_CHECKING:
    from pellucid.batch import Part, Truth
    from pellucid.responses import TableForm

FILE = click.Path(path_type=Path)


def _part(written: str | None) -> Part | None:
    if written is None:
        return None
    from pellucid.batch import Part

    number, slash, of = written.partition("/")
    if not slash or not (number + of).isdecimal() or not 1 <= int(number) <= int(of):
        raise click.BadParameter(f"'{written}' is not I/N, as in 1/8, with I from 1 to N")
    return Part(int(number), int(of))


def _truth(written: str | None) -> Truth | None:
    from pellucid.batch import Truth

    if written is None or written == "folder":
        return None if written is None else Truth()
    path = Path(written)
    if path.suffix.lower() not in (".csv", ".tsv") and not path.is_file():
        return Truth(column=written)
    if not path.is_file():
        raise click.BadParameter(f"there is no file {written}")
    return Truth(file=path.absolute())


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions:
    """Which inputs are explained, beside those that are named."""

    files_from: Path | None
    null: bool
    limit: int | None
    sample: int | None
    shuffle_seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderOptions:
    """The folder that is written, and what goes into it."""

    out: Path
    no_overlays: bool
    no_gallery: bool
    overlay_format: str | None
    raw: bool
    write: TableForm | None
    truth: Truth | None
    force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Where the inputs are explained, when to give up, and what is said of it."""

    jobs: int | None
    scheduler: str | None
    scheduler_file: Path | None
    fail_fast: bool
    max_errors: int | None
    block_size: int | None
    timeout: float | None
    shard: Part | None
    dry_run: bool
    json_log: bool


input_options = record(
    "chosen",
    InputOptions,
    click.option(
        "--files-from",
        type=click.Path(path_type=Path, allow_dash=True),
        metavar="FILE",
        help="Also explain the files listed in FILE, one per line; - is stdin.",
    ),
    click.option("-0", "--null", is_flag=True, help="Names in --files-from end with NUL."),
    click.option("--limit", type=click.IntRange(1), help="Explain only the first N instances."),
    click.option(
        "--sample", type=click.IntRange(1), help="Explain N instances chosen at random, in order."
    ),
    click.option(
        "--shuffle-seed",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Random seed of --sample.",
    ),
)

folder_options = record(
    "folder",
    FolderOptions,
    click.option("-o", "--out", type=FILE, required=True, help="The folder to write."),
    click.option("--no-overlays", is_flag=True, help="Do not write pictures or the gallery."),
    click.option("--no-gallery", is_flag=True, help="Do not write index.html and thumbnails."),
    click.option(
        "--overlay-format",
        type=click.Choice(["png", "jpeg"]),
        help="Format of the overlays [default: output_format of the metadata, else png].",
    ),
    click.option("--raw", is_flag=True, help="Also write the attributions as arrays, .npz files."),
    click.option(
        "--write",
        type=click.Choice(["parquet", "csv", "jsonl"]),
        help="Also write one table of all attributions, a row for each feature of each instance.",
    ),
    click.option(
        "--truth",
        metavar="folder|COLUMN|FILE.csv",
        callback=lambda _, __, written: _truth(written),
        help="The true label of each input, for accuracy and mistakes: the name of its folder, a "
        "column of the table, or a CSV file of names and labels.",
    ),
    click.option("--force", is_flag=True, help="Start over, replacing earlier results."),
)

run_options = record(
    "running",
    RunOptions,
    click.option(
        "-j",
        "--jobs",
        type=click.IntRange(1),
        help="Processes, each with the model [default: 1, or one for each GPU].",
    ),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Address of a Dask scheduler to run on: tcp://host:8786.",
    ),
    click.option("--scheduler-file", type=FILE, help="Or the file that the scheduler writes."),
    click.option("--fail-fast", is_flag=True, help="Stop at the first input that fails."),
    click.option(
        "--max-errors", type=click.IntRange(0), help="Stop after more than N failed inputs."
    ),
    click.option(
        "--block-size",
        type=click.IntRange(1),
        help="Instances to explain together [default: depends on their size, at most 128].",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        help="Leave out an instance that takes longer, and name it [default: no limit].",
    ),
    click.option(
        "--shard",
        metavar="I/N",
        callback=lambda _, __, written: _part(written),
        help="Explain only the I-th of N parts, into a folder of its own, as for jobs of an array; "
        "pellucid merge puts all parts together.",
    ),
    click.option(
        "--dry-run",
        is_flag=True,
        help="Report what would run, with time and disk space estimated from a few inputs.",
    ),
    click.option("--json-log", is_flag=True, help="Write progress on stderr as JSON Lines."),
)
