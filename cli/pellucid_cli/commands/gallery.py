"""``pellucid gallery``: a finished run, as a page to look through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid.notices import Where
from pellucid_cli.options.shared import Console
from pellucid_cli.streams import put, say

if TYPE_CHECKING:
    from pellucid.gallery import Entry


@click.command(short_help="Write the page to look through what batch wrote.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--title", help="The heading of the page [default: the name of the folder].")
@click.option("--force", is_flag=True, help="Overwrite an index.html that Pellucid did not write.")
def gallery(folder: Path, title: str | None, force: bool) -> None:
    """Write the page to look through what batch wrote into FOLDER; prints its path.

    It opens from disk: no server, no network. More than 10,000 inputs are several pages.
    """
    from pellucid.errors import OutputError
    from pellucid.gallery import (
        INDEX,
        findings_in,
        is_gallery,
        knew_truth,
        read_entries,
        write_gallery,
    )
    from pellucid_cli.output.progress import counted

    page = folder / INDEX
    if page.exists() and not force and not (page.is_file() and is_gallery(page)):
        hint = "add --force to overwrite it"
        raise OutputError("exists and is no gallery", where=Where(file=str(page)), hint=hint)
    found = read_entries(folder)
    with counted("writing the page", Console()) as advance:

        def entries() -> Iterator[Entry]:
            for entry in found:
                advance()
                yield entry

        heading = title or folder.resolve().name
        write_gallery(folder, entries(), title=heading, findings=findings_in(folder))
    if knew_truth(folder):
        what = "is not in the lines of results, and left out; batch --force writes it again"
        say(f"{folder}: the truth {what}")
    put(str(page))
