"""How the columns of tables, and the keys of records, are read."""

from __future__ import annotations

from dataclasses import dataclass

import click

from pellucid_cli.options.records import record


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """Which columns are no inputs, and what stands for missing values."""

    ignore_columns: tuple[str, ...] = ()
    id_column: str | None = None
    missing: str = "refuse"
    time_column: str | None = None
    keep_columns: tuple[str, ...] = ()


def _one(what: str, names: tuple[str, ...]) -> str | None:
    if len(names) > 1:
        listed = " or ".join(f"'{name}'" for name in names)
        raise click.BadParameter(f"{what}: {listed}?")
    return names[0] if names else None


table_options = record(
    "tables",
    TableOptions,
    click.option(
        "--ignore-column",
        "ignore_columns",
        multiple=True,
        metavar="NAME",
        help="Leave out this column of a table, or key of a record; may be repeated.",
    ),
    click.option(
        "--keep-column",
        "keep_columns",
        multiple=True,
        metavar="NAME",
        help="Keep this column or key beside its explanation in answers and files, whether or not "
        "it is an input; may be repeated.",
    ),
    click.option(
        "--id-column",
        multiple=True,
        callback=lambda _, __, names: _one("an instance has one id", names),
        metavar="NAME",
        help="Name each instance by this column or key, in answers and files [default: a column "
        "named 'id' that is not an input].",
    ),
    click.option(
        "--missing",
        type=click.Choice(["refuse", "nan", "mean", "baseline"]),
        default="refuse",
        show_default=True,
        help="What replaces a missing value: NaN, for methods without gradients; the mean of "
        "the other instances; the input's baseline.",
    ),
    click.option(
        "--time-column",
        multiple=True,
        callback=lambda _, __, names: _one("a series has one time", names),
        metavar="NAME",
        help="Rows are the time steps of one series, and this column says when each was: a number, "
        "or a date [default: a column named 'time' beside the channels].",
    ),
)
