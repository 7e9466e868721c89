"""Options that several commands share, and what they say to people."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pellucid.notices import Message
from pellucid_cli.flags import asked_of, told
from pellucid_cli.local_paths import maps_here
from pellucid_cli.options.device import choose_device, device_of
from pellucid_cli.options.predictor import Asked, predictor_options, with_predictor
from pellucid_cli.options.records import record
from pellucid_cli.options.tables import TableOptions
from pellucid_cli.project_file import note
from pellucid_cli.streams import Styled, say

if TYPE_CHECKING:
    from pellucid import LoadedModel
    from pellucid.api import LoadOptions
    from pellucid.metadata import ExplainOptions, PixelSettings

Value = TypeVar("Value")

# What it names is opened elsewhere, which says what is wrong with it.
PATH = click.Path(readable=False, allow_dash=True)
ATTRIBUTING = ("integrated-gradients", "xrai", "sampled-shapley", "lime")


def remembered(context: click.Context, _: click.Parameter, value: Value) -> Value:
    """Pass an argument on; what is advised later repeats what was typed with it."""
    asked_of(context)
    return value


MODEL_DIR = click.argument("model_dir", type=click.Path(path_type=Path), callback=remembered)


@dataclass(frozen=True, slots=True)
class Console:
    """Speaks to people, on stderr: what is worth knowing, unless they asked for quiet."""

    verbose: int = 0
    quiet: int = 0

    def warn(self, said: str | Message) -> None:
        """Say a warning."""
        if not self.quiet:
            say(Styled("warning: ", "yellow"), told(said))

    def say(self, said: str | Message) -> None:
        """Say something that everybody should know."""
        if not self.quiet:
            say(told(said))

    def note(self, sentence: str) -> None:
        """Say something only to those who asked for more."""
        if self.verbose and not self.quiet:
            say(sentence)

    @property
    def progress(self) -> bool:
        """Whether to show progress: on a terminal, unless it should be quiet."""
        return not self.quiet and sys.stderr.isatty()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """Which model, and what of it; see `pellucid.api.LoadOptions`."""

    metadata: Path | None
    spec: Path | None
    signature: str | None
    tag_set: str | None
    output: str | None
    class_names: str | None
    feature_names: str | None
    logits: bool
    device: str
    allow_unsafe_ops: bool
    pixels: PixelSettings | None
    predictor: Asked = Asked()


def chosen_text(what: str, words: Iterable[str]) -> str:
    """Return which settings were chosen for a picture, as they are typed."""
    return f"{what}: chosen for this picture: {' '.join(f'--set {word}' for word in words)}"


def console_of(verbose: int, quiet: int) -> Console:
    """Return who speaks to people, having told them, if they asked, what the project's file set."""
    console = Console(verbose, quiet)
    said = note(click.get_current_context())
    if said is not None:
        console.note(said)
    return console


verbosity_options = record(
    "console",
    console_of,
    click.option("-v", "--verbose", count=True, help="Verbose; repeat for TensorFlow's log."),
    click.option("-q", "--quiet", count=True, help="Quiet: errors only."),
)

pixels_option = click.option(
    "--pixels",
    metavar="LOW..HIGH|bgr|channels-first",
    callback=lambda _, __, value: _pixels(value),
    help="Pixel range, channel order and layout that the model expects [default: those of the "
    "metadata or the graph, else 0..1].",
)

_model_options = (
    click.option(
        "--metadata",
        type=click.Path(path_type=Path),
        help="Metadata of either dialect [default: explanation_metadata.json in MODEL_DIR].",
    ),
    click.option(
        "--spec", type=click.Path(path_type=Path), help="File with explanation parameters."
    ),
    click.option("--signature", metavar="KEY", help="The signature to explain."),
    click.option(
        "--tag-set",
        metavar="TAGS",
        help="Tags of the graph to load, such as 'serve' or 'serve,gpu'.",
    ),
    click.option("--output", metavar="NAME", help="The output or tensor to explain."),
    click.option(
        "--class-names",
        metavar="FILE|A,B,…",
        help="Names of the output's classes: one per line, JSON, or comma-separated "
        "[default: those of the metadata, or labels.txt beside the model].",
    ),
    click.option(
        "--feature-names",
        metavar="FILE|A,B,…",
        help="Names of a series' channels, or of a vector's elements, in the same forms [default: "
        "those of the metadata, or of the table's columns].",
    ),
    click.option(
        "--logits", is_flag=True, help="Explain the score before the output's softmax or sigmoid."
    ),
    click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|gpu[:N]",
        callback=lambda _, __, value: device_of(value),
        help="Where to compute.",
    ),
    click.option(
        "--allow-unsafe-ops",
        is_flag=True,
        help="Run a model that reads or writes files, calls Python or talks to other machines.",
    ),
    pixels_option,
)
model_options = record("model", ModelOptions, *_model_options)


asking_options = record("model", with_predictor(ModelOptions), *_model_options, *predictor_options)
"""Those of a model that somebody else may run."""


def _explaining(*, seed: int, **given: object) -> ExplainOptions:
    from pellucid.metadata import ExplainOptions, call_settings

    settings = {name: value for name, value in given.items() if value not in (None, ())}
    return ExplainOptions(settings=call_settings(settings), seed=seed)


baseline_option = click.option(
    "--baseline",
    metavar="mean|blur|noise|zero|FILE",
    help="Baseline instead of the metadata's: the mean of the instances, the blurred image, "
    "uniform noise, zero, or a .npy, .npz, .png, .jpg or .json file; a number, too.",
)
output_index_option = click.option(
    "--output-index",
    "output_indices",
    multiple=True,
    callback=lambda _, __, values: _indices(values),
    metavar="I[,J…]",
    help="Explain this output; may be repeated.",
)
why_not_option = click.option(
    "--why-not",
    metavar="LABEL",
    help="Explain what speaks for each output rather than for this label, a name or an index: the "
    "difference of the two, of their logits where there are such.",
)
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Random seed.")

_REFINING = (
    click.option(
        "--tolerance",
        type=click.FloatRange(0, min_open=True),
        help="Refine each instance until its estimated errors are below this.",
    ),
    click.option(
        "--max-steps",
        type=click.IntRange(3),
        help="Upper limit on the steps or paths of --tolerance [default: 500].",
    ),
)
_METHOD = (
    click.option(
        "--method",
        type=click.Choice([*ATTRIBUTING, "examples"]),
        default=None,
        help="The method [default: integrated-gradients].",
    ),
    click.option("--steps", type=click.IntRange(1), help="Quadrature nodes [default: 50]."),
    *_REFINING,
    click.option("--paths", type=click.IntRange(1), help="Sampled permutations [default: 50]."),
    click.option(
        "--players",
        type=click.Choice(["elements", "regions", "words", "whole", "channels", "windows"]),
        help="What gets an attribution by Shapley: elements, and of a text its words; regions of "
        "an image; the words of every string; each string as a whole; channels or windows of a "
        "series. LIME cuts texts in the same way [default: elements].",
    ),
    click.option(
        "--window",
        type=click.IntRange(1),
        metavar="STEPS",
        help="Steps in each window of a series; by default so many that there are 20 at most.",
    ),
    click.option(
        "--split",
        metavar="words|characters|sentences|REGEX",
        help="Parts of a text that get an attribution; a pattern matches what is between them "
        "[default: words].",
    ),
    click.option(
        "--mask",
        metavar="TOKEN",
        help="Put this in the place of parts of a text, instead of leaving them out.",
    ),
    click.option(
        "--bag-of-words/--no-bag-of-words",
        default=None,
        help="LIME: leave out a word of a text wherever it occurs [default: True].",
    ),
    click.option(
        "--samples",
        "--num-samples",
        "samples",
        type=click.IntRange(2),
        help="LIME: number of samples [default: 1000].",
    ),
    click.option(
        "--top-labels",
        type=click.IntRange(1),
        help="LIME: explain the K highest outputs, unless --top-k or --output-index say which.",
    ),
    click.option(
        "--min-weight",
        type=float,
        help="LIME: the weight from which on a patch is shown [default: 0.01].",
    ),
    click.option(
        "--positive-only/--no-positive-only",
        default=None,
        help="LIME: show only patches that speak for a label [default: True].",
    ),
    click.option(
        "--segmentation",
        type=click.Choice(["quickshift", "felzenszwalb", "slic"]),
        help="LIME: segmentation algorithm [default: quickshift].",
    ),
    click.option(
        "--index",
        type=click.Path(path_type=Path),
        help="Examples: index written by pellucid index [default: examples.npz in MODEL_DIR].",
    ),
    click.option(
        "--neighbors", type=click.IntRange(1), help="Examples: number of neighbors [default: 10]."
    ),
    click.option(
        "--query",
        type=click.Choice(["precise", "fast"]),
        help="Examples: exact or approximate search [default: as the index was made].",
    ),
    click.option(
        "--quadrature",
        type=click.Choice(["gauss-legendre", "midpoint", "trapezoid"]),
        help="The quadrature rule [default: gauss-legendre].",
    ),
    click.option(
        "--noisy-samples", type=click.IntRange(1), help="SmoothGrad: noisy copies to average over."
    ),
    click.option(
        "--noise-sigma",
        type=click.FloatRange(0, min_open=True),
        help="SmoothGrad: standard deviation of the noise [default: 0.1 of the input's range].",
    ),
    click.option(
        "--blur-sigma",
        type=click.FloatRange(0, min_open=True),
        help="Use the blurred image as baseline; standard deviation in pixels.",
    ),
    baseline_option,
    click.option(
        "--errors",
        is_flag=True,
        default=None,
        help="Report the error of each attribution where it is known; integrated gradients "
        "estimate it from a rule of fewer steps. visualize fades what is smaller than twice its "
        "error [default: False].",
    ),
    click.option(
        "--top-k", type=click.IntRange(-1), help="Explain the K highest outputs; -1 for all."
    ),
    output_index_option,
    why_not_option,
    seed_option,
)
method_options = record("method", _explaining, *_METHOD)
unrefined_method_options = record(
    "method", _explaining, *(it for it in _METHOD if it not in _REFINING)
)


def load(console: Console, model_dir: Path, options: LoadOptions) -> LoadedModel:
    """Load a model, and say what was loaded to those who asked for more."""
    from pellucid.api import load_model
    from pellucid.runtime.engine import parallel_batches_here

    options = replace(options, parallel_batches=parallel_batches_here())
    model = load_model(model_dir, options, console.warn, console.say)
    by = model.explainer.model.backend
    console.note(f"{model_dir}: signature '{model.signature}', explained by way of {by}")
    return model


def load_options(
    console: Console,
    model: ModelOptions,
    method: ExplainOptions | None = None,
    tables: TableOptions = TableOptions(),
) -> LoadOptions:
    """Return what is to be loaded, and how it is explained.

    Sets what TensorFlow looks for in the environment, once, when it is imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if console.verbose < 2 else "0")
    device = choose_device(model.device)
    from pellucid.api import LoadOptions, TableSettings
    from pellucid.metadata import ExplainOptions, PixelSettings

    return LoadOptions(
        metadata=model.metadata,
        spec=model.spec,
        signature=model.signature,
        tags=model.tag_set.split(",") if model.tag_set else None,
        output=model.output,
        class_names=model.class_names,
        logits=model.logits,
        device=device,
        allow_unsafe_ops=model.allow_unsafe_ops,
        pixels=model.pixels or PixelSettings(),
        tables=TableSettings.of(
            tables.ignore_columns,
            tables.id_column,
            tables.missing,
            tables.time_column,
            tables.keep_columns,
        ),
        feature_names=model.feature_names,
        predictor=model.predictor.settings(),
        maps=maps_here(),
        explain=method or ExplainOptions(),
    )


def _pixels(value: str | None) -> PixelSettings | None:
    from pellucid.errors import SpecError
    from pellucid.metadata import PixelSettings

    try:
        return None if value is None else PixelSettings.parse(value)
    except SpecError as error:
        raise click.BadParameter(error.what) from None


def _indices(values: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    try:
        return tuple(tuple(int(part) for part in value.split(",")) for value in values)
    except ValueError:
        raise click.BadParameter("an index is a number, or several with commas: 3 or 0,3") from None
