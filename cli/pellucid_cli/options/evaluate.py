"""How candidates are judged, and what becomes of it: the options of ``pellucid evaluate``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid_cli.options.records import Command, Decorator, record

if TYPE_CHECKING:
    from pellucid import LoadedModel
    from pellucid.api.judging import Journal
    from pellucid.evaluate import Evaluation
    from pellucid.inputs import Instance
    from pellucid.notices import Warn


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """Who is judged, by what, and on how many instances."""

    methods: str | None
    metrics: str | None
    stages: int
    repeats: str | None
    limit: int | None
    masks: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """Where the report goes, in which form, and what it must reach."""

    out: Path | None
    form: str
    force: bool
    jobs: int | None
    fail_under: Mapping[str, float]

    @property
    def journal(self) -> Journal | None:
        """What keeps what is found until the report is written, where there is one."""
        from pellucid.api.judging import Journal

        return None if self.out is None else Journal(self.out, self.force)


def stages_option(default: int) -> Callable[[Command], Command]:
    """Return ``--stages``, of which there are so many where nobody says."""
    return click.option(
        "--stages",
        type=click.IntRange(1),
        default=default,
        show_default=True,
        help="Equal shares in which elements go or come.",
    )


def report_output(
    printed: str,
    *,
    forms: Sequence[str] = ("table", "json"),
    force: str = "Overwrite a report that exists.",
) -> tuple[Decorator[Command], ...]:
    """Return the options of where a report goes and what of it is `printed`, in these forms."""
    return (
        click.option(
            "-o", "--out", type=click.Path(path_type=Path), help="Write a report into this folder."
        ),
        click.option(
            "--format",
            "form",
            type=click.Choice(forms),
            default=forms[0],
            show_default=True,
            help=f"What is printed: {printed}.",
        ),
        click.option("--force", is_flag=True, help=force),
    )


judge_options = record(
    "judging",
    JudgeOptions,
    click.option(
        "--methods",
        metavar="NAMES|FILE",
        help="Methods with their settings, as in ig,ig:blur=20,ig:steps=10,shapley:regions,"
        "lime:slic, or a .json file of named explanation parameters [default: all that can explain "
        "such input].",
    ),
    click.option(
        "--metrics",
        metavar="NAMES|all",
        help="What to judge by: deletion, insertion, deletion_smoothed, deletion_patches, "
        "infidelity, max_sensitivity, sic, aic, road, sufficiency, comprehensiveness, inside, "
        "completeness, seed, randomization [default: the first two; inside with --masks].",
    ),
    stages_option(50),
    click.option(
        "--repeats",
        type=click.Choice(["few", "all"]),
        help="How often max_sensitivity, randomization and seed explain an instance again: by 10 "
        "moved inputs and 3 steps of random weights, or by 1 and 1, and with about 150 samples of "
        "what is sampled; with few, curves of smoothed maps and of those over patches have 10 "
        "stages [default: few of pictures, else all].",
    ),
    click.option("--limit", type=click.IntRange(1), help="Take the first N instances only."),
    click.option(
        "--masks",
        type=click.Path(path_type=Path),
        help="Folder of masks, white on the subject, named as the pictures are: how much of an "
        "attribution is inside?",
    ),
)

report_options = record(
    "report",
    ReportOptions,
    *report_output(
        "a table and what follows from it, or every instance's number",
        force="Overwrite a report that exists, or start over.",
    ),
    click.option(
        "-j",
        "--jobs",
        type=click.IntRange(1),
        help="Judge in N processes, each with the model and a share of the processors.",
    ),
    click.option(
        "--fail-under",
        multiple=True,
        callback=lambda _, __, values: _bounds(values),
        metavar="METRIC=VALUE",
        help="Exit with 1 if the mean of a method is worse, as in insertion=0.6; may be repeated.",
    ),
)


def _bounds(values: tuple[str, ...]) -> dict[str, float]:
    bounds = {}
    for written in values:
        name, equals, value = written.partition("=")
        try:
            bounds[name.strip()] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise click.BadParameter(f"'{written}' is not METRIC=VALUE, as in insertion=0.6")
    return bounds


def missed(found: Evaluation, bounds: Mapping[str, float], *, named: bool) -> str | None:
    """Return the sentence on the methods that are worse than a bound, None if none is.

    Where they were `named`, one that could not be judged has not reached it either.
    """
    lost = found.left_out if bounds and named else ()
    said = [f"{it.candidate} could not be judged" for it in lost if it.candidate and not it.metric]
    for name, bound in bounds.items():
        lower = found.metric(name).better == "lower"
        for it in found.candidates:
            mean = found.mean(name, it.name).mean
            if it.control or (mean is not None and (mean <= bound if lower else mean >= bound)):
                continue
            value = "not known" if mean is None else f"{mean:.4g}"
            said.append(f"{name} of {it.name} is {value}")
    if not said:
        return None
    asked = ", ".join(f"{name}={bound:g}" for name, bound in bounds.items())
    return f"worse than {asked}: {'; '.join(said)}"


def instances_of(model: LoadedModel, inputs: Sequence[str], warn: Warn) -> Iterator[Instance]:
    """Yield the instances of files, folders and patterns, as `batch` finds them; ``-`` is stdin."""
    from pellucid.batch import Inputs
    from pellucid.inputs import read_data, read_file, takes_texts
    from pellucid_cli.streams import read_stdin

    for name in inputs:
        if name == "-":
            data = read_stdin()
            yield from read_data(
                data, model.inputs, source="<stdin>", warn=warn, beside=model.beside
            )
            continue
        for it in Inputs(named=[name], texts=takes_texts(model.inputs)):
            yield from read_file(it.path, model.inputs, warn=warn, beside=model.beside)
