"""``pellucid init-metadata``: a first explanation_metadata.json for a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid.remote import address_of
from pellucid_cli.flags import flag, told
from pellucid_cli.options.shared import ATTRIBUTING, MODEL_DIR, PATH, Console, pixels_option
from pellucid_cli.streams import say

if TYPE_CHECKING:
    from pellucid.linter import Draft
    from pellucid.metadata import PixelSettings


@click.command(name="init-metadata", short_help="Write a first version of the metadata.")
@MODEL_DIR
@click.option(
    "-o",
    "--out",
    type=PATH,
    metavar="FILE",
    help="The file to write; - is stdout [default: explanation_metadata.json in MODEL_DIR].",
)
@click.option(
    "--dialect",
    type=click.Choice(["ai-platform", "vertex"]),
    default="ai-platform",
    show_default=True,
    help="Dialect to write.",
)
@click.option("--signature", metavar="KEY", help="The signature to explain.")
@click.option(
    "--tag-set",
    metavar="TAGS",
    help="Tags of the graph to explain, such as 'serve' or 'serve,gpu'.",
)
@click.option("--output", metavar="NAME", help="Output to explain, if there are several.")
@pixels_option
@click.option(
    "--for",
    "for_method",
    type=click.Choice(ATTRIBUTING),
    help="Complete the metadata for this method: encoded tensors for gradients, zero baselines.",
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
@click.option("-q", "--quiet", count=True, help="Do not report what was found.")
def init_metadata(
    model_dir: Path,
    out: str | None,
    dialect: str,
    signature: str | None,
    tag_set: str | None,
    output: str | None,
    pixels: PixelSettings | None,
    for_method: str | None,
    force: bool,
    quiet: int,
) -> None:
    """Write a first version of the metadata, from the model itself, to be completed by hand.

    Every input of the signature is a feature under its key and with its tensor; a sparse one with
    its indices and shape. Floats of [batch, height, width, 1 or 3] are images, and so is [batch,
    height, width] when it is square or called image; [batch, time, channels] and long vectors are
    series; other floats are numeric, the rest categorical. The names of the classes are taken from
    a string constant that an output of the signature looks them up in, from a file of labels, or
    from an output of strings (TensorFlow 1 classifiers). The domain of an image is what --pixels
    says, or what the graph does to pixels. With --for, inputs that gradients do not reach get the
    tensor behind their lookup or cast, and all get a baseline of zero; else baselines, as feature
    names, are for you to add. TensorFlow is not needed.
    """
    from pellucid.linter import draft_metadata
    from pellucid.metadata import METADATA_FILE, Dialect
    from pellucid.metadata import PixelSettings as Pixels
    from pellucid.saved_model import read
    from pellucid_cli.files import check_free

    model_dir = _directory(model_dir, out, quiet)
    target = model_dir / METADATA_FILE if out is None else Path(out)
    if out != "-" and model_dir.is_dir():
        check_free(target, force=force)
    tags = None if tag_set is None else tag_set.split(",") if tag_set else []
    draft = draft_metadata(
        read(model_dir),
        Dialect(dialect),
        signature_key=signature,
        tags=tags,
        output=output,
        pixels=pixels or Pixels(),
        for_method=for_method,
    )
    _deliver(draft, None if out == "-" else target, force=force)
    _report(draft, None if out == "-" else target, quiet)


def _directory(model: Path, out: str | None, quiet: int) -> Path:
    """Return the directory of a model, which is a copy where it lies elsewhere.

    A file of Keras has its metadata beside its export, where explaining it looks for them.
    """
    elsewhere = address_of(model) is not None
    if elsewhere and out is None:
        raise click.UsageError("name the file to write with --out, or - for stdout")
    if not elsewhere and not model.is_file():
        return model
    from pellucid.api import saved_directory

    return saved_directory(model, Console(quiet=quiet).warn, allow_code=False)


def _deliver(draft: Draft, target: Path | None, *, force: bool) -> None:
    import json

    from pellucid.metadata.documents import dump_metadata
    from pellucid_cli.files import write
    from pellucid_cli.streams import write_bytes

    document = dump_metadata(draft.metadata)
    data = (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
    if target is None:
        write_bytes(data)
    else:
        write(target, data, force=force)


def _report(draft: Draft, written: Path | None, quiet: int) -> None:
    """Say what was found, what is wrong with it, and where it was written."""
    for note in () if quiet else draft.notes:
        say(told(note))
    for problem in draft.problems:
        Console(quiet=quiet).warn(problem.said(flag))
    if written is not None and not quiet:
        say(f"wrote {written}")
