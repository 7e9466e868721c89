"""Which instances are meant: of files as gcloud named them, and one of several by its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from pellucid_cli.options.records import record

REQUEST, LINES = ".json", ".jsonl"


@dataclass(frozen=True, slots=True)
class Given:
    """An input by its name; `form` is the suffix of what it is, whatever it is called."""

    name: str
    form: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenOptions:
    """What is explained beside the inputs that are named, or of all of them."""

    json_request: tuple[str, ...]
    json_instances: tuple[str, ...]
    instance: int | None

    def of(self, names: Sequence[str]) -> list[Given]:
        """Return all inputs. Raises a usage error where there is none."""
        given = [
            *map(Given, names),
            *(Given(name, REQUEST) for name in self.json_request),
            *(Given(name, LINES) for name in self.json_instances),
        ]
        if not given:
            raise click.UsageError("no input: name a request, a table or a picture, or - for stdin")
        return given

    def refuse(self, what: str) -> None:
        """Raise a usage error for options that do not go with something else."""
        if self.instance is not None or self.json_request or self.json_instances:
            raise click.UsageError(f"--instance, --json-request and --json-instances {what}")


given_options = record(
    "given",
    GivenOptions,
    click.option(
        "--json-request",
        multiple=True,
        metavar="FILE",
        help='A file that is a request, {"instances": [...]}, as gcloud took it.',
    ),
    click.option(
        "--json-instances",
        multiple=True,
        metavar="FILE",
        help="A file with one instance on each line, as gcloud took it.",
    ),
    click.option(
        "--instance",
        type=click.IntRange(0),
        metavar="N",
        help="Explain the Nth instance alone, counted from 0, of all that a request, a table or a "
        "folder has [default: all].",
    ),
)
