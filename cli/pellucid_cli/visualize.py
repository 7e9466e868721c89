"""``pellucid visualize``: pictures of explanations, as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pellucid_cli.options import MODEL_DIR, Talk, load, method_options, model_options, talking


@click.command()
@MODEL_DIR
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="A file for one picture, a folder for several [default: NAME.overlay.png, here].",
)
@click.option("--panel", is_flag=True, help="Original beside overlay, with title and colour bar.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A visualization setting, as in the metadata: --set polarity=both.",
)
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
@model_options
@method_options
@talking
def visualize(
    model_dir: Path,
    inputs: tuple[str, ...],
    out: Path | None,
    panel: bool,
    settings: tuple[str, ...],
    force: bool,
    verbose: int,
    quiet: int,
    **options: Any,
) -> None:
    """Draw which pixels and regions made the model say what it said.

    INPUT is a picture, or anything that explain takes. Prints the paths of the PNGs it writes.
    """
    if not inputs:
        raise click.UsageError("no input: name a picture or a request, or - for stdin")
    from pellucid.errors import SpecError
    from pellucid.parse_visualization import parse_visualization
    from pellucid_cli.files import check_free, read_inputs, write

    talk = Talk(verbose, quiet)
    chosen = parse_visualization(dict(_pair(setting) for setting in settings))
    if out is not None and out.suffix.lower() == ".png":
        check_free(out, force=force)
    model = load(talk, model_dir, options)
    model, instances = read_inputs(model, inputs, talk.warn)
    explanations = model.explain(instances)

    from pellucid.panels import encode

    pictures: list[tuple[str, bytes]] = []
    for number, stem in enumerate(_stems(explanations.instances)):
        drawings = explanations.draw(number, visualization=chosen)
        for name, drawing in drawings.items():
            part = f".{name}" if len(drawings) > 1 else ""
            pixels = drawing.panel() if panel else drawing.overlay
            pictures.append((f"{stem}{part}.overlay.png", encode(pixels, "png")))
            if drawing.empty:
                talk.warn(f"{stem}: no attribution has the polarity that was asked for")
    if not pictures:
        raise SpecError(
            f"{model_dir}: no explained input is an image, so there is nothing to draw; set "
            '"modality": "image" in the metadata'
        )
    single = out is not None and out.suffix.lower() == ".png"
    if single and len(pictures) > 1:
        raise click.UsageError(f"{len(pictures)} pictures do not fit one file; name a folder")
    if out is not None and not single:
        out.mkdir(parents=True, exist_ok=True)
    for name, data in pictures:
        path = out if out is not None and single else (out or Path()) / name
        write(path, data, force=force)
        click.echo(path)


def _stems(instances: Any) -> list[str]:
    """Return a name for each instance's pictures: that of its file, told apart by a number."""
    stems: list[str] = []
    for number, instance in enumerate(instances):
        named = instance.image is not None and instance.source is not None
        stem = Path(instance.source).stem if named else f"instance-{number}"
        stems.append(f"{stem}-{number}" if stem in stems else stem)
    return stems


def _pair(setting: str) -> tuple[str, Any]:
    """Split ``key=value``; the value is read as JSON if it is JSON, else as a word."""
    import json

    key, equals, value = setting.partition("=")
    if not equals:
        raise click.BadParameter(f"'{setting}' is not KEY=VALUE", param_hint="'--set'")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
