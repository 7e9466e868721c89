"""``pellucid evaluate``: methods side by side, and beside maps that know nothing of the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid_cli.failing import fail
from pellucid_cli.options.evaluate import (
    JudgeOptions,
    ReportOptions,
    instances_of,
    judge_options,
    missed,
    report_options,
)
from pellucid_cli.options.shared import (
    MODEL_DIR,
    Console,
    ModelOptions,
    asking_options,
    baseline_option,
    load,
    load_options,
    output_index_option,
    seed_option,
    verbosity_options,
    why_not_option,
)
from pellucid_cli.options.tables import TableOptions, table_options

if TYPE_CHECKING:
    from pellucid.api import LoadedModel, LoadOptions
    from pellucid.api.judging import Elsewhere
    from pellucid.evaluate import Evaluation
    from pellucid.metadata import ExplainOptions


@click.command(short_help="Judge explanations: methods side by side, and against no method.")
@MODEL_DIR
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@report_options
@judge_options
@table_options
@asking_options
@baseline_option
@output_index_option
@why_not_option
@seed_option
@verbosity_options
def evaluate(
    model_dir: Path,
    inputs: tuple[str, ...],
    report: ReportOptions,
    judging: JudgeOptions,
    tables: TableOptions,
    model: ModelOptions,
    baseline: str | None,
    output_indices: tuple[tuple[int, ...], ...],
    why_not: str | None,
    seed: int,
    console: Console,
) -> None:
    """Judge explanations: can they be trusted?

    Methods stand beside each other and beside maps that know nothing of the model (random numbers,
    edges, the order of columns): what is no better than these explains nothing. INPUT is a picture,
    a request, a table, or a folder of such; - is stdin. Numbers are means with 95 % intervals.
    With -o, the same command goes on where one was broken off.
    """
    from pellucid_cli.streams import check_stdout

    if not inputs:
        raise click.UsageError("no input: name pictures, a table or a folder, or - for stdin")
    check_stdout()
    _check_metrics(judging, report)
    options = _options(seed, baseline=baseline, output_indices=output_indices, why_not=why_not)
    if report.out is not None:
        from pellucid_cli.files import check_report

        check_report(report.out, force=report.force)
    loading = load_options(console, model, options, tables)
    found = _judged(load(console, model_dir, loading), loading, inputs, judging, report, console)
    _deliver(found, report, console)
    if report.journal is not None:
        report.journal.end()
    said = missed(found, report.fail_under, named=judging.methods is not None)
    if said is not None:
        raise click.exceptions.Exit(fail(said, 1))


def _judged(
    model: LoadedModel,
    options: LoadOptions,
    inputs: tuple[str, ...],
    judging: JudgeOptions,
    report: ReportOptions,
    console: Console,
) -> Evaluation:
    """Judge the candidates, here or in several processes."""
    from pellucid_cli.output.progress import counted

    seed = options.explain.seed or 0
    with (
        counted("judging", console) as advance,
        _elsewhere(model, options, judging, report.jobs or 1) as elsewhere,
    ):
        return model.evaluate(
            instances_of(model, inputs, console.warn),
            judging.methods or (),
            judging.metrics or (),
            stages=judging.stages,
            repeats=judging.repeats,
            limit=judging.limit,
            masks=judging.masks,
            seed=seed,
            journal=report.journal,
            elsewhere=elsewhere,
            on_done=advance,
        )


@contextmanager
def _elsewhere(
    model: LoadedModel, options: LoadOptions, judging: JudgeOptions, jobs: int
) -> Iterator[Elsewhere | None]:
    """Yield what judges in so many processes; None for this one alone."""
    if jobs == 1:
        yield None
        return
    from pellucid.errors import SpecError
    from pellucid.judges import Asked, in_processes

    if model.belong_together:
        raise SpecError(
            "the mean is that of all instances, and several processes have some of them each",
            hint="judge in one process, or save the mean of some as mean.npy and name that file",
        )
    asked = Asked(
        directory=model.directory,
        options=options,
        candidates=judging.methods or "",
        metrics=judging.metrics or "",
        stages=judging.stages,
        repeats=judging.repeats,
        masks=judging.masks,
        seed=options.explain.seed or 0,
    )
    with in_processes(asked, jobs) as elsewhere:
        yield elsewhere


def _options(seed: int, **given: object) -> ExplainOptions:
    from pellucid.metadata import ExplainOptions, call_settings

    settings = {name: value for name, value in given.items() if value not in (None, ())}
    return ExplainOptions(settings=call_settings(settings), seed=seed)


def _check_metrics(judging: JudgeOptions, report: ReportOptions) -> None:
    """Raise SpecError for metrics that are none, before anything is loaded."""
    from pellucid.errors import SpecError
    from pellucid.evaluate import chosen_measures

    names = [it.strip() for it in (judging.metrics or "").split(",") if it.strip()]
    measures = chosen_measures(names, masks=judging.masks is not None)
    metrics = {it.name: it for measure in measures for it in measure.metrics}
    for name in report.fail_under:
        if name not in metrics:
            hint = f"add it to --metrics; this run has {', '.join(metrics)}"
            raise SpecError(f"'{name}' is not among the metrics of this run", hint=hint)
        if metrics[name].better is None:
            ranked = [it.name for it in metrics.values() if it.better is not None]
            hint = f"those with a better end are {', '.join(ranked)}"
            raise SpecError(f"'{name}' has no better end to be under", hint=hint)


def _deliver(found: Evaluation, report: ReportOptions, console: Console) -> None:
    for it in found.candidates:
        for warning in it.warnings:
            console.note(f"{it.name}: {warning}")
    from pellucid_cli.streams import put, write, write_bytes

    if report.out is not None:
        from pellucid.evaluate import PAGE, write_report

        write_report(found, report.out)
    if report.form == "json":
        write_bytes(found.json() + b"\n")
        return
    from pellucid_cli.output.evaluation import evaluation_table

    write(evaluation_table(found))
    if report.out is not None:
        put(str(report.out / PAGE))
