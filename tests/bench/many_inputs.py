"""Many named inputs: from JSON to arrays, explained, and from a table to a folder of results.

The network of 100 named inputs has the layers of the wide MLP of `networks`: 1,024 and 256 units.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from threading import Event
from typing import Any

import numpy as np
from rows import BENCH, Row, compared
from timing import Used, in_process, interleaved, middle

import pellucid
from pellucid.api import LoadOptions
from pellucid.batch import Run, Wanted, in_threads
from pellucid.batch.worker import Recipe
from pellucid.inputs import InputInfo, made_of, parse_json, stack
from pellucid.metadata.call_settings import CallSettings, ExplainOptions
from pellucid.methods.integrated_gradients import integrated_gradients
from pellucid.notices import Where
from pellucid.runtime.engine.tensorflow import tf

INPUTS, TIMES = 4_000, 20
MICROSECONDS = 1e6
NAMES = [f"f{i:03}" for i in range(100)]
# Rows that are explained, and the ratio that they must not exceed.
BOUNDS = {1: 1.05, 100: 1.1, 1_000: 1.05}
STEPS, FEW_STEPS = 50, 10
# Paths of a call of the loop, each with all of its steps.
PATHS = (1, 4, 16, 64, 256)
TABLE, PART = 20_000, 2_000


def many_inputs(turns: int) -> Iterator[Row]:
    """Microseconds a value, for one instance of 4,000 inputs."""
    infos = [InputInfo(name=f"f{i:04}", dtype="float32", shape=(None, 1)) for i in range(INPUTS)]
    values = np.random.default_rng(0).normal(size=INPUTS).tolist()
    text = json.dumps({info.name: value for info, value in zip(infos, values, strict=True)})
    where = Where(instance=0)

    def read() -> None:
        for _ in range(TIMES):
            (instance,) = made_of([(parse_json(text, where), where, {})], infos)
            if isinstance(instance, Exception):
                raise instance
            stack([instance], infos)

    used = middle(interleaved({"ours": in_process(read)}, turns)["ours"])
    share = MICROSECONDS / (TIMES * INPUTS)
    what = f"read an instance of {INPUTS:,} inputs, a value"
    yield Row(what, "microseconds", used.cpu * share, used.wall * share, bound=15)


def hundred(turns: int, quick: bool) -> Iterator[Row]:
    """Integrated gradients of 100 named inputs, and a batch of them, against a compiled loop."""
    directory = _network()
    model = pellucid.load(directory, warn=lambda sentence: None).explainer.model
    for count, bound in BOUNDS.items():
        x = np.random.default_rng(count).normal(size=(count, len(NAMES))).astype(np.float32)
        given = {name: x[:, [i]] for i, name in enumerate(NAMES)}
        target = model.outputs(given).argmax(1)
        start = [{name: np.zeros((1, 1), np.float32) for name in NAMES}]
        loop, times = _loop(directory, x, target, STEPS), max(1, 20 // count)

        def ours(given: Any = given, start: Any = start, target: Any = target) -> Any:
            return integrated_gradients(model, given, start, target).values

        def several(work: Callable[[], Any], times: int = times) -> None:
            for _ in range(times):
                work()

        cases = {
            "ours": in_process(lambda s=several, f=ours: s(f)),  # type: ignore[misc]
            "compiled loop": in_process(lambda s=several, f=loop: s(f)),  # type: ignore[misc]
        }
        measured = interleaved(cases, turns)
        found, other = np.concatenate([ours()[name] for name in NAMES], 1), loop()
        note = f"largest difference {np.abs(found - other).max() / np.abs(other).max():.1g}"
        what = f"IG 100 named inputs {count:,}×{STEPS}"
        yield compared(what, "compiled loop", measured, note, bound)
    yield _batch(directory, model, TABLE // 5 if quick else TABLE)


def _network() -> Path:
    directory: Path = BENCH / "named_inputs"
    if not (directory / "saved_model.pb").exists():
        import keras

        keras.utils.set_random_seed(0)
        inputs = [keras.Input((1,), name=name) for name in NAMES]
        found = keras.layers.Concatenate()(inputs)
        for width in (1024, 256):
            found = keras.layers.Dense(width, "relu")(found)
        found = keras.layers.Dense(10, "softmax")(found)
        keras.Model(inputs, found).export(str(directory), verbose=False)
    return directory


def _loop(directory: Path, x: Any, target: Any, steps: int) -> Callable[[], Any]:
    """Return one compiled tape over paths of one array, at its best number of paths a call."""
    loaded = tf.saved_model.load(str(directory))
    network = loaded.signatures["serving_default"]
    (output,) = network.structured_outputs
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    node, weight = tf.constant((nodes + 1) / 2, tf.float32), tf.constant(weights / 2, tf.float32)
    width = len(NAMES)

    @tf.function(
        input_signature=[tf.TensorSpec([None, width], tf.float32), tf.TensorSpec([None], tf.int64)]
    )
    def block(end, index):  # type: ignore[no-untyped-def]
        points = tf.reshape(end[:, None, :] * node[None, :, None], [-1, width])
        with tf.GradientTape() as tape:
            tape.watch(points)
            said = network(**dict(zip(NAMES, tf.split(points, width, 1), strict=True)))[output]
            score = tf.gather(said, tf.repeat(index, steps), batch_dims=1)
        slopes = tf.reshape(tape.gradient(score, points), [-1, steps, width])
        return tf.einsum("psc,s->pc", slopes, weight) * end

    def run(paths: int) -> Any:
        assert loaded is not None  # its variables live as long as it does
        cuts = range(0, len(x), paths)
        return np.concatenate([block(x[i : i + paths], target[i : i + paths]) for i in cuts])

    several = [it for it in PATHS if it <= len(x)][-3:]
    run(several[-1])
    best = min(several, key=lambda it: in_process(lambda: run(it))().cpu)
    return lambda: run(best)


def _batch(directory: Path, model: Any, rows: int) -> Row:
    """The whole run over a table, with all of its files, against the loop in memory."""
    x = np.random.default_rng(5).normal(size=(rows, len(NAMES))).astype(np.float32)
    target = model.outputs({name: x[:, [i]] for i, name in enumerate(NAMES)}).argmax(1)
    loop = _loop(directory, x[:PART], target[:PART], FEW_STEPS)
    folder = Path(mkdtemp(dir=BENCH))
    try:
        table, out = folder / "rows.csv", folder / "out"
        with table.open("w", newline="") as file:
            csv.writer(file).writerows([NAMES, *x.tolist()])
        options = LoadOptions(explain=ExplainOptions(settings=CallSettings(steps=FEW_STEPS)))
        work = Recipe(directory=directory, options=options, wanted=Wanted(out=str(out))).load()
        work.model.explain({name: x[:2, [i]] for i, name in enumerate(NAMES)})

        def ours() -> None:
            stop = Event()
            job = Run(named=(str(table),), out=out, stop=stop)
            assert job.carry_out(in_threads(work, stop)).explained == rows

        def theirs() -> None:
            for _ in range(rows // PART):
                loop()

        before, mine, after = in_process(theirs)(), in_process(ours)(), in_process(theirs)()
    finally:
        shutil.rmtree(folder)
    mean = Used((before.cpu + after.cpu) / 2, (before.wall + after.wall) / 2)
    what = f"batch of {rows:,} rows of CSV, 100 named inputs ×{FEW_STEPS}"
    note = f"{rows / mine.wall:,.0f}/s, all files written"
    return Row(what, "compiled loop", mine.cpu / mean.cpu, mine.wall / mean.wall, 1.5, note)
