"""``pellucid explain``: instances in, response JSON out."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click

from pellucid_cli.failing import fail
from pellucid_cli.flags import flag
from pellucid_cli.options.given import GivenOptions, given_options
from pellucid_cli.options.records import record
from pellucid_cli.options.shared import (
    MODEL_DIR,
    Console,
    ModelOptions,
    asking_options,
    chosen_text,
    load,
    load_options,
    method_options,
    verbosity_options,
)
from pellucid_cli.options.tables import TableOptions, table_options
from pellucid_cli.reproducing import Reproduction

if TYPE_CHECKING:
    from pellucid import Explanations
    from pellucid.inputs import Instance
    from pellucid.metadata import ExplainOptions
    from pellucid.notices import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseOptions:
    """Which response is written, and where; `raw` is a file for the arrays."""

    out: Path | None
    form: str
    raw: Path | None
    force: bool

    def checked(self) -> ResponseOptions:
        """Return the options with the form that the file's name says, where nobody chose one.

        Raises OutputError unless the files can be written, and DependencyError.
        """
        from pellucid_cli.files import check_free
        from pellucid_cli.streams import check_stdout

        if self.out is None:
            check_stdout()
        for path in (self.out, self.raw):
            if path is not None:
                check_free(path, force=self.force)
        named = self.out is not None and self.out.suffix.lower() == ".parquet"
        made = replace(self, form="parquet") if self.form == "auto" and named else self
        if made.form == "parquet":
            from pellucid.inputs import pyarrow_parquet

            pyarrow_parquet()
        return made

    def deliver(self, data: bytes) -> None:
        """Write the response."""
        from pellucid_cli.files import write
        from pellucid_cli.streams import write_bytes

        if self.out is None:
            write_bytes(data)
        else:
            write(self.out, data, force=self.force)


@click.command(short_help="Explain predictions, as response JSON or a table.")
@MODEL_DIR
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@record(
    "response",
    ResponseOptions,
    click.option(
        "-o", "--out", type=click.Path(path_type=Path), help="Write here [default: stdout]."
    ),
    click.option(
        "--format",
        "form",
        type=click.Choice(["auto", "ai-platform", "vertex", "kserve", "table", "parquet"]),
        default="auto",
        show_default=True,
        help="Response format of a service, a table to read, or a Parquet file of one row for each "
        "element; kserve needs LIME. auto is parquet for -o FILE.parquet.",
    ),
    click.option(
        "--raw",
        type=click.Path(path_type=Path),
        help="Also write the attributions as arrays, a .npz file.",
    ),
    click.option("--force", is_flag=True, help="Overwrite files that exist."),
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Give up when an instance takes longer [default: never].",
)
@click.option(
    "--reproduce",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Explain again as a response or a .npz file says that it was, and say whether it is the "
    "same; INPUT is needed where FILE does not hold it, as a response does not.",
)
@given_options
@table_options
@asking_options
@method_options
@verbosity_options
def explain(
    model_dir: Path,
    inputs: tuple[str, ...],
    response: ResponseOptions,
    timeout: float | None,
    reproduce: Path | None,
    given: GivenOptions,
    tables: TableOptions,
    model: ModelOptions,
    method: ExplainOptions,
    console: Console,
) -> None:
    """Explain predictions: which part of the input made the output what it is.

    INPUT is a request ({"instances": [...]}), JSON Lines, a table (CSV, Parquet), a TFRecord
    file, a text (.txt) or a picture; - is stdin.
    """
    if reproduce is not None:
        given.refuse("are not for --reproduce, which knows what was explained")
        again = Reproduction(reproduce, model_dir, inputs, response, console)
        raise click.exceptions.Exit(again.run(load_options(console, model, method, tables)))
    named = given.of(inputs)
    response = response.checked()
    if response.form == "kserve":
        method = _as_lime(method)
    started = monotonic()
    loaded = load(console, model_dir, load_options(console, model, method, tables))
    loading = monotonic() - started
    if response.form == "kserve":
        loaded = loaded.as_kserve()
    from pellucid.errors import InstanceError
    from pellucid.responses import encode
    from pellucid_cli.files import read_inputs, write

    try:
        loaded, instances = read_inputs(loaded, named, console.warn, console.say, given.instance)
        with _limited(timeout, loading, instances, response):
            explanations = loaded.explain(instances)
        written = _written(explanations, response.form)
    except InstanceError as error:
        # "If explanation fails for any instance, the response body contains no explanations."
        response.deliver(encode({"error": error.sentence(flag)}))
        raise
    if response.raw is not None:
        write(response.raw, explanations.pack(), force=response.force)
    response.deliver(written)
    if response.raw is None and (unsaid := _errors_left_out(explanations, response.form)):
        console.warn(unsaid)
    if response.form not in ("table", "kserve", "parquet"):
        _note_chosen(explanations, console)


def _note_chosen(explanations: Explanations, console: Console) -> None:
    """Say which settings were chosen for the pictures, to those who asked for more."""
    for number, explanation in enumerate(explanations if console.verbose else ()):
        place = explanations.instances[number].place
        for label in explanation.labels:
            for feature, words in explanations.chosen(label).items():
                what = f"{place}, {label.name or label.output}, {feature}"
                console.note(chosen_text(what, words))


def _limited(
    timeout: float | None, loading: float, instances: list[Instance], response: ResponseOptions
) -> AbstractContextManager[None]:
    """Give up where the instances take longer than all of them may.

    They are compiled for meanwhile, which may take as long again as `loading` did.
    """
    from pellucid.errors import InstanceError
    from pellucid.notices import Hint
    from pellucid.responses import encode
    from pellucid_cli.time_limit import time_limit

    def give_up() -> int:
        alone = len(instances) == 1
        where = instances[0].where if alone else None
        what = "was not" if alone else f"the {len(instances):,} instances were not"
        what += f" explained within {timeout:g} s{'' if alone else ' each'}"
        hint = Hint("give it longer with {timeout}")
        sentence = InstanceError(what, where=where, hint=hint).sentence(flag)
        response.deliver(encode({"error": sentence}))
        return fail(sentence, 1)

    return time_limit(timeout and timeout * len(instances) + loading, give_up)


def _as_lime(method: ExplainOptions) -> ExplainOptions:
    if method.settings.method not in (None, "lime"):
        raise click.UsageError("--format kserve is the form of LIME; leave out --method")
    return replace(method, settings=replace(method.settings, method="lime"))


def _errors_left_out(explanations: Explanations, form: str) -> Notice | None:
    """Say which errors were asked for and are not in a response of this form, None if all are."""
    from pellucid.metadata import Modality
    from pellucid.notices import Hint, Notice

    if not explanations.parameters.method.errors:
        return None
    images = [it.name for it in explanations.metadata.inputs if it.modality is Modality.IMAGE]
    known = {name for it in explanations for label in it.labels for name in label.errors}
    left = known if form in ("kserve", "parquet") else known.intersection(images)
    if not left:
        return None
    listed = ", ".join(f"'{name}'" for name in sorted(left))
    return Notice(
        f"the errors of {listed} are not in the response",
        hint=Hint("write them with {explain.raw}"),
    )


def _written(explanations: Explanations, form: str) -> bytes:
    from pellucid.metadata import Dialect
    from pellucid.responses import encode

    if form == "table":
        from pellucid_cli.output.tables import table

        return table(explanations).encode()
    if form == "kserve":
        return encode(explanations.kserve())
    if form == "parquet":
        return explanations.parquet()
    return explanations.json(dialect=None if form == "auto" else Dialect(form))
