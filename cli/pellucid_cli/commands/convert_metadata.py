"""``pellucid convert-metadata``: AI Platform's metadata as Vertex AI's, and back."""

from __future__ import annotations

from pathlib import Path

import click

from pellucid_cli.options.shared import PATH, Console


@click.command(
    name="convert-metadata", short_help="Turn AI Platform's metadata into Vertex AI's, or back."
)
@click.argument("file", metavar="FILE")
@click.option(
    "-o",
    "--out",
    type=PATH,
    metavar="FILE",
    default="-",
    help="The file to write [default: stdout].",
)
@click.option(
    "--to",
    type=click.Choice(["ai-platform", "vertex"]),
    help="The dialect to write [default: the other one].",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if something cannot be expressed.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@click.option("-q", "--quiet", count=True, help="Do not report what cannot be expressed.")
def convert_metadata(
    file: str, out: str, to: str | None, strict: bool, force: bool, quiet: int
) -> None:
    """Convert explanation metadata from AI Platform's dialect to Vertex AI's, or back.

    FILE is an explanation_metadata.json, an ExplanationMetadata, an ExplanationSpec, or a Model
    that has one; - is stdin. What the other format cannot express is reported on stderr.
    """
    import json

    from pellucid.metadata import Dialect
    from pellucid.metadata.documents import convert_metadata as convert
    from pellucid.metadata.documents import read_text
    from pellucid_cli.files import check_free, write
    from pellucid_cli.streams import check_stdout, read_stdin, write_bytes

    if out != "-":
        check_free(Path(out), force=force)
    else:
        check_stdout()
    text = read_stdin().decode("utf-8", "replace") if file == "-" else read_text(file)
    converted = convert(
        text,
        Dialect(to) if to else None,
        file=None if file == "-" else file,
        directory=None if out == "-" else Path(out).parent,
    )
    data = (json.dumps(converted.document, indent=2, ensure_ascii=False) + "\n").encode()
    if out == "-":
        write_bytes(data)
    else:
        write(Path(out), data, force=force)
    console = Console(quiet=quiet)
    for problem in converted.problems:
        console.warn(problem)
    for notice in converted.lost:
        console.warn(notice.under("not carried"))
    if strict and converted.lost:
        click.get_current_context().exit(1)
