"""What ``visualize`` can be asked for, and where its explanations come from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from pellucid.printable import printable
from pellucid_cli.options.given import GivenOptions
from pellucid_cli.options.records import record
from pellucid_cli.options.shared import Console, ModelOptions, load, load_options
from pellucid_cli.options.tables import TableOptions

if TYPE_CHECKING:
    from pellucid import Explanations, LoadedModel
    from pellucid.inputs import Instance
    from pellucid.metadata import CallSettings, ExplainOptions, ExplanationMetadata
    from pellucid.visualize import View

SUFFIXES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".html": "html"}
BLOCK = 16  # instances that are explained, and held, at a time

Explained: TypeAlias = "tuple[str, Sequence[Explanations], int]"
"""A name for an instance, its explanations, one for each method, and its place in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOptions:
    """How explanations are looked at, as it was typed."""

    panel: bool
    compare: str | None
    labels: int | None
    actual: str | None
    gif: bool
    frames: int | None
    settings: tuple[str, ...]
    percentile: str | None


view_options = record(
    "looking",
    ViewOptions,
    click.option(
        "--panel", is_flag=True, help="Original beside overlay, with title, method and colour bar."
    ),
    click.option(
        "--compare",
        metavar="METHODS",
        help="Methods side by side, as in ig,smoothgrad,xrai,shapley,lime.",
    ),
    click.option(
        "--labels",
        type=click.IntRange(1),
        metavar="K",
        help="One picture for each of the K highest labels, as LIME's page showed them.",
    ),
    click.option("--actual", metavar="LABEL", help="The true label, for the titles."),
    click.option("--gif", is_flag=True, help="An animation: the lower clip percentile rises."),
    click.option(
        "--frames",
        type=click.IntRange(2, 1000),
        metavar="N",
        help="Number of frames [default: 20]; without --gif, that many pictures.",
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="A visualization setting, as in the metadata: --set polarity=both.",
    ),
    click.option(
        "--percentile",
        type=click.Choice(["share", "rank"]),
        help="Clip percentiles are shares of the attribution, or ranks of pixels [default: rank].",
    ),
)


def view_of(looking: ViewOptions, out: Path | None, *, errors: bool = False) -> View:
    """Return how explanations are looked at, with `errors` or not, in the file `out` or in many."""
    from pellucid.metadata.documents import parse_visualization
    from pellucid.visualize import FRAMES, View

    gif = looking.gif or (out is not None and out.suffix.lower() == ".gif")
    _check_combination(looking, gif=gif)
    given = dict(_pair(setting) for setting in looking.settings)
    if looking.percentile is not None:
        given["percentile"] = looking.percentile
    visualization = parse_visualization(given)
    form = None if out is None else SUFFIXES.get(out.suffix.lower())
    chosen = visualization.output_format
    return View(
        visualization=visualization,
        panel=looking.panel,
        labels=looking.labels,
        actual=looking.actual,
        frames=looking.frames or (FRAMES if gif else None),
        animated=gif,
        errors=errors,
        form=form if form in ("png", "jpeg") else "png" if chosen is None else chosen.value,
    )


def _check_combination(looking: ViewOptions, *, gif: bool) -> None:
    """Raise a usage error for options that do not go together."""
    asked = {
        "--compare": bool(looking.compare),
        "--labels": looking.labels is not None,
        "--gif": gif,
        "--frames": looking.frames is not None and not gif,
    }
    chosen = [name for name, given in asked.items() if given]
    if looking.panel and (looking.compare or looking.labels is not None):
        chosen.insert(0, "--panel")
    if len(chosen) > 1:
        raise click.UsageError(f"{chosen[0]} and {chosen[1]} do not go together; choose one")
    if looking.actual is not None and looking.labels is None and not looking.panel:
        raise click.UsageError("--actual is written on --labels and --panel; add one of them")


def methods_of(
    looking: ViewOptions, method: ExplainOptions
) -> tuple[ExplainOptions, list[CallSettings]]:
    """Return how a model is loaded to be looked at so, and the methods to compare, if any."""
    settings = method.settings
    if not looking.compare:
        outputs = settings.top_k is None and settings.output_indices is None
        if looking.labels is not None and outputs:
            settings = replace(settings, top_k=looking.labels)
        return replace(method, settings=settings), []
    if settings.method is not None:
        raise click.UsageError("--compare names the methods; leave out --method")
    from pellucid.api import of_all_methods, settings_of
    from pellucid.errors import SpecError

    try:
        methods = settings_of(looking.compare, settings)
    except SpecError as error:
        raise error.at(name="--compare") from None
    settings = replace(of_all_methods(settings), method=methods[0].method)
    return replace(method, settings=settings), methods


def explained(
    names: Sequence[str],
    given: GivenOptions,
    view: View,
    methods: Sequence[CallSettings],
    model: ModelOptions,
    method: ExplainOptions,
    tables: TableOptions,
    console: Console,
) -> Iterator[Explained]:
    """Yield each instance with its explanations.

    Saved explanations are read, everything else is explained, a few at a time.
    """
    names = [file for name in names for file in _saved_in(name)]
    if any(name.endswith(".npz") for name in names):
        given.refuse("are for explaining; what was saved is explained already")
        yield from _saved(names, view, methods, model.metadata, console)
        return
    named = given.of(names[1:])
    from pellucid.api import compared
    from pellucid_cli.files import read_inputs

    loaded = load(console, Path(names[0]), load_options(console, model, method, tables))
    _refuse_examples(loaded)
    loaded, instances = read_inputs(loaded, named, console.warn, console.say, given.instance)
    stems = Stems()
    means = loaded.belong_together or any(it.baseline == "mean" for it in methods)
    size = len(instances) if means else BLOCK
    for start in range(0, len(instances), size):
        block = instances[start : start + size]
        sets = compared(loaded, block, methods) if methods else [loaded.explain(block)]
        for number in range(len(block)):
            yield stems.of(block[number]), sets, number


def is_saved(names: Sequence[str]) -> bool:
    """Whether names are of saved explanations, and not of a model and its inputs."""
    return any(file.endswith(".npz") for name in names[:1] for file in _saved_in(name))


def _saved_in(name: str) -> list[str]:
    """Return the saved explanations in a folder, sorted; anything else is itself."""
    if not Path(name).is_dir() or any(Path(name).glob("saved_model.pb*")):
        return [name]
    return sorted(str(path) for path in Path(name).rglob("*.npz")) or [name]


def _saved(
    names: Sequence[str],
    view: View,
    methods: Sequence[CallSettings],
    edited: Path | None,
    console: Console,
) -> Iterator[Explained]:
    from pellucid.api import unpack
    from pellucid.errors import refuse_remote
    from pellucid.files import read_bytes
    from pellucid.metadata import CallSettings
    from pellucid.metadata.documents import read_document

    wrong = [name for name in names if not name.endswith(".npz")]
    if wrong:
        raise click.UsageError(
            f"'{wrong[0]}' is no saved explanation; draw .npz files, or a model and its inputs"
        )
    if methods:
        raise click.UsageError("--compare explains anew: name the model and its inputs")
    records = (ModelOptions, CallSettings, TableOptions)
    explaining = {it.name for one in records for it in fields(one)} | {"seed"}
    explaining -= {"metadata", "errors"}  # which say how to draw, too
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in explaining and source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{parameter.opts[-1]} is for explaining; what was saved is explained already"
            )
    metadata = None
    if edited is not None:
        metadata, _, _ = read_document(Path(), edited, console.warn)
    stems = Stems()
    for name in names:
        refuse_remote(name)
        found = unpack(read_bytes(name), name)
        _refuse_examples(found)
        if metadata is not None:
            found = _described(found, metadata, edited)
        for number, explanation in enumerate(found):
            stem = stems.of(found.instances[number])
            count = max(map(len, explanation.by_output.values()), default=0)
            if view.labels is not None and count < view.labels:
                console.warn(f"{stem}: {count} labels were saved; see explain --top-k")
            yield stem, [found], number


def _described(
    found: Explanations, metadata: ExplanationMetadata, file: Path | None
) -> Explanations:
    from pellucid.errors import SpecError

    try:
        return found.described(metadata)
    except SpecError as error:
        raise error.at(file=str(file)) from None


def _refuse_examples(explained: LoadedModel | Explanations) -> None:
    from pellucid.errors import SpecError
    from pellucid.metadata import Examples

    if isinstance(explained.parameters.method, Examples):
        raise SpecError(
            "visualize draws attributions, and the method is examples, which has none",
            hint="see explain --format table",
        )


@dataclass(slots=True)
class Stems:
    """Names for the files of each instance: that of its own file, told apart by a number."""

    count: int = 0
    used: set[str] = field(default_factory=set)
    rows: Counter[str] = field(default_factory=Counter)

    def of(self, instance: Instance) -> str:
        """Return a name that no other instance has."""
        source = instance.source
        if source is None or source.startswith("<"):
            stem = f"instance-{self.count}"
        elif instance.image is not None:
            stem = printable(Path(source).stem) or f"instance-{self.count}"
        else:
            stem = f"{printable(Path(source).stem)}-{self.rows[source]}"
            self.rows[source] += 1
        if instance.id is not None:
            stem += "-" + re.sub(r"[^\w.-]+", "_", instance.id)[:80]
        while stem in self.used:
            stem += f"-{self.count}"
        self.used.add(stem)
        self.count += 1
        return stem


def _pair(setting: str) -> tuple[str, object]:
    """Split ``key=value``; the value is read as JSON if it is JSON, else as a word."""
    import json

    key, equals, value = setting.partition("=")
    if not equals:
        raise click.BadParameter(f"'{setting}' is not KEY=VALUE", param_hint="'--set'")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
