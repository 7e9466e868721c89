"""Speed, as ratios: ``make bench``, or ``make bench QUICK=1`` without the peers.

Prints a table and writes bench/results.json. What "must be" comes from the project's targets; the
exit code is 1 when one is missed by CPU time, or by the clock where a browser is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import batches
import drawing
import gallery
import graphs
import judging
import labels
import linting
import many_inputs
import methods
import neighbors
import networks
import numpy as np
import peers
import predictors
import start_up
from hand_written import hand_written
from rich.console import Console
from rich.table import Table
from rows import BENCH, DIGITS, PHOTOS, SAMPLES, Row, compared, load, rows_of
from timing import Case, in_process, in_subprocess, interleaved, middle, ratio

import pellucid
from pellucid.inputs.readers import read_file

FLOOR = """
import tensorflow as tf
model = tf.saved_model.load(%r)
call = model.signatures["serving_default"]
call(**{key: tf.zeros([1, 28, 28]) for key in call.structured_input_signature[1]})
"""


def one_digit(turns: int) -> Iterator[Row]:
    """The whole command against what TensorFlow alone needs to answer once."""
    model = str(DIGITS / "model")
    cases = {
        "ours": in_subprocess(
            [
                *(sys.executable, "-c", "from pellucid_cli.main import main; main()"),
                *("explain", model, str(DIGITS / "images" / "seven.png")),
            ]
        ),
        "import, load, call": in_subprocess([sys.executable, "-c", FLOOR % model]),
    }
    measured = interleaved(cases, turns)
    yield compared("explain one digit", "import, load, call", measured, bound=1.25)


def gradients(name: str, count: int, turns: int, with_peers: bool) -> Iterator[Row]:
    """Integrated gradients at 50 steps, everything included, against a loop written by hand."""
    model, x, target = rows_of(name, count)
    loop = hand_written(SAMPLES / name / "model", x, target)
    instances = list(x)
    cases: dict[str, Case] = {
        "ours": in_process(lambda: model.explain(instances)),
        "hand-written loop": in_process(loop),
    }
    running, failed = [], []
    for peer in peers.GRADIENTS if with_peers else ():
        try:
            one = peers.start(peer, BENCH, SAMPLES / name / "model", x, target)
        except peers.NoPeer as reason:
            failed.append(Row(f"IG {name} {count}×50", peer, note=str(reason)))
        else:
            running.append(one)
            cases[peer] = one.run
    measured = interleaved(cases, turns)
    explanations = model.explain(instances)
    (values,) = zip(*(e.labels[0].values.values() for e in explanations), strict=True)
    ours, what = np.stack(values), f"IG {name} {count}×50"
    traces = model.explainer.model.traces["path_gradient"]
    alike = f"{_alike(ours, loop())}; traces: {traces}"
    yield compared(what, "hand-written loop", measured, alike, bound=1.1)
    yield Row(f"traces of {what}", "count", traces, None, 1)
    for one in running:
        one.stop()
        note = f"TensorFlow {one.tensorflow}; {_alike(ours, one.attributions)}"
        yield compared(what, one.name, measured, note)
    yield from failed


def _alike(ours: Any, theirs: Any) -> str:
    return f"correlation {np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]:.4f}"


def pictures(turns: int) -> Iterator[Row]:
    """Drawing the six photos against explaining them."""
    model = load("photos")
    paths = sorted((PHOTOS / "images").iterdir())
    instances = [instance for path in paths for instance in read_file(path, model.inputs)]
    explanations = model.explain(instances)

    def draw() -> None:
        for i in range(len(explanations)):
            explanations.draw(i)

    cases = {"explain": in_process(lambda: model.explain(instances)), "draw": in_process(draw)}
    measured = interleaved(cases, turns)
    share = ratio(measured["draw"], measured["explain"])
    each = middle(measured["draw"]).wall / len(paths)
    note = f"{each:.3f} s on the clock for each photo"
    yield Row("draw six photos", "explaining them", share.cpu, share.wall, None, note)


def overlays(turns: int) -> Iterator[Row]:
    """One overlay, of a small picture and of a large photo, in seconds and against matplotlib."""
    for what, bound, count, measured in drawing.overlays(turns):
        seconds = middle(measured["ours"])
        yield Row(what, "seconds", seconds.cpu / count, seconds.wall / count, bound)
        if "matplotlib" in measured:
            yield compared(what, "matplotlib", measured, "the same picture, as an array")


def show(rows: list[Row]) -> None:
    """Print the table."""
    table = Table(title="Pellucid, medians", title_justify="left")
    for heading in ("what", "against, or unit"):
        table.add_column(heading)
    for heading in ("CPU", "clock", "at most"):
        table.add_column(heading, justify="right")
    table.add_column("note", overflow="fold")
    for row in rows:
        numbers = [
            "–" if n is None else f"{n:.2f}" if n >= 0.1 else f"{n:.2g}"
            for n in (row.cpu, row.wall, row.bound)
        ]
        style = "red" if row.missed else None
        table.add_row(row.what, row.against, *numbers, row.note, style=style)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def main() -> int:
    """Measure all, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer turns, and no peers")
    quick = parser.parse_args().quick
    BENCH.mkdir(exist_ok=True)
    turns = 3 if quick else 7
    sections: list[Callable[[], Iterator[Row]]] = [
        lambda: start_up.start_up(turns),
        lambda: linting.linting(turns),
        lambda: one_digit(turns if quick else 5),
        lambda: gradients("photos", 16, turns, not quick),
        lambda: gradients("digits", 100, turns, not quick),
        lambda: labels.labels(turns),
        lambda: networks.networks(3, quick),
        lambda: many_inputs.many_inputs(turns),
        lambda: many_inputs.hundred(3, quick),
        lambda: methods.xrai(turns, not quick),
        lambda: methods.lime(turns, not quick),
        lambda: predictors.predictors(turns if quick else 5),
        lambda: methods.shapley(turns, not quick),
        lambda: methods.words(turns),
        lambda: judging.judging(turns),
        lambda: judging.all_metrics(quick),
        lambda: methods.tolerance(),
        lambda: neighbors.neighbors(turns),
        lambda: methods.memory(),
        lambda: pictures(turns),
        lambda: overlays(turns),
        lambda: graphs.graphs(turns),
        lambda: gallery.gallery(turns),
        lambda: batches.folders(quick),
    ]
    rows: list[Row] = []
    for section in sections:
        for row in section():
            rows.append(row)
            numbers = [f"{n:.2f}" for n in (row.cpu, row.wall) if n is not None]
            print(f"{row.what} / {row.against}: {' '.join(numbers) or row.note}", file=sys.stderr)
    show(rows)
    import tensorflow

    document = {
        "pellucid": pellucid.__version__,
        "python": platform.python_version(),
        "tensorflow": tensorflow.__version__,
        "cores": os.cpu_count(),
        "quick": quick,
        "rows": [asdict(row) | {"missed": row.missed} for row in rows],
    }
    (BENCH / "results.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return int(any(row.missed for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
