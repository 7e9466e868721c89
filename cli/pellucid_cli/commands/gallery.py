"""``pellucid gallery``: a finished run, as a page to look through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from pellucid.errors import OutputError
from pellucid.notices import Where
from pellucid.remote import address_of, joined, outline, place_of, remove
from pellucid.remote import put as put_object
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
    from pellucid.gallery import (
        INDEX,
        findings_in,
        is_gallery,
        knew_truth,
        read_entries,
        write_gallery,
    )
    from pellucid_cli.output.progress import counted

    heading, place = title or folder.resolve().name, place_of(folder / INDEX)
    with _here(folder) as here:
        page = here / INDEX
        if page.exists() and not force and not (page.is_file() and is_gallery(page)):
            hint = "add --force to overwrite it"
            raise OutputError("exists and is no gallery", where=Where(file=place), hint=hint)
        found = read_entries(here)
        with counted("writing the page", Console()) as advance:

            def entries() -> Iterator[Entry]:
                for entry in found:
                    advance()
                    yield entry

            write_gallery(here, entries(), title=heading, findings=findings_in(here))
        if knew_truth(here):
            what = "is not in the lines of results, and left out; batch --force writes it again"
            say(f"{place_of(folder)}: the truth {what}")
    put(place)


@contextmanager
def _here(folder: Path) -> Iterator[Path]:
    """Yield the folder of a run; of one elsewhere, what a page is made of, which is put there."""
    address = address_of(folder)
    if address is None:
        yield folder
        return
    with TemporaryDirectory(prefix="pellucid-") as directory:
        copy = Path(directory)
        outline(address, copy, lambda name: "/" not in name)
        before = {it.name for it in copy.glob("index*.html")}
        yield copy
        pages = sorted((it.name for it in copy.glob("index*.html")), reverse=True)
        for name in pages:  # the first last, which shows the others
            put_object(joined(address, name), copy / name, OutputError)
        remove([joined(address, it) for it in before - {*pages}], OutputError)
