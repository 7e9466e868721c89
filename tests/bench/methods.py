"""The other methods: against the packages known for them, and against what the model alone costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import peers
from rows import BENCH, SAMPLES, Row, compared, load, rows_of
from timing import Case, in_process, interleaved

import pellucid
from pellucid.metadata.parameters import Lime, SampledShapley, Segmentation
from pellucid.methods.lime import lime as explain_by_lime
from pellucid.methods.sampled_shapley import sampled_shapley
from pellucid.methods.superpixels import superpixels
from pellucid.methods.xrai import rank_regions


def mobilenet() -> Path:
    """A model of MobileNetV2's size with random weights, exported once by Keras."""
    directory = BENCH / "mobilenet_v2"
    if not (directory / "saved_model.pb").exists():
        import keras

        keras.utils.set_random_seed(0)
        keras.applications.MobileNetV2(weights=None).export(str(directory), verbose=False)
    return directory


def photo(name: str) -> tuple[Any, str, Any]:
    """A model of photos, the name of its input, and one picture [1, 224, 224, 3]."""
    if name == "photos":
        model, x, _ = rows_of("photos", 6)
        return model.explainer.model, model.metadata.inputs[0].name, x[1:2]
    _, x, _ = rows_of("photos", 6)
    loaded = pellucid.load(mobilenet(), warn=lambda sentence: None)
    return loaded.explainer.model, loaded.metadata.inputs[0].name, x[1:2]


def started(name: str, model_dir: Path, x: Any, target: Any) -> peers.Peer | Row:
    """A running peer, or the row that says why there is none."""
    try:
        return peers.start(name, BENCH, model_dir, x, target)
    except peers.NoPeer as reason:
        return Row(name, "not measured", note=str(reason))


def xrai(turns: int, with_peers: bool) -> Iterator[Row]:
    """XRAI after its gradients, on the six photos; must be 10 times faster than `saliency`."""
    if not with_peers:
        return
    model, x, _ = rows_of("photos", 6)
    base = model.configured(method="integrated-gradients", steps=20).explain(list(x))
    values = np.stack([next(iter(e.labels[0].values.values())) for e in base])
    peer = started("saliency", SAMPLES / "photos/model", x, values)
    if isinstance(peer, Row):
        yield peer
        return

    def ours() -> Any:
        return [rank_regions(a, b)[0] for a, b in zip(x, values, strict=True)]

    measured = interleaved({"ours": in_process(ours), "saliency": peer.run}, turns)
    peer.stop()
    off = np.abs(np.stack(ours()) - peer.attributions).max()
    note = f"largest difference of the maps {off:.1g}"
    yield compared("XRAI after gradients, 6 photos", "saliency", measured, note, 0.1)


def lime(turns: int, with_peers: bool) -> Iterator[Row]:
    """LIME of 1000 samples against 1000 bare forward passes."""
    for name in ("photos", "MobileNetV2"):
        model, key, x = photo(name)
        method = Lime(num_samples=1000, top_labels=1)
        many = {key: np.repeat(x, method.num_samples, axis=0)}

        def ours(model: Any = model, key: str = key, x: Any = x, method: Lime = method) -> Any:
            patches = superpixels(x[0], Segmentation.SLIC)
            return explain_by_lime(model, {key: x}, key, [patches], method)[0]

        def bare(model: Any = model, many: Any = many) -> None:
            model.outputs(many)

        cases: dict[str, Case] = {"ours": in_process(ours), "bare forward": in_process(bare)}
        where = mobilenet() if name == "MobileNetV2" else SAMPLES / "photos/model"
        peer = started("lime", where, x, ours().segments) if with_peers else None
        if isinstance(peer, peers.Peer):
            cases["lime"] = peer.run
        # A thousand passes of a large model take long, and vary little.
        measured = interleaved(cases, 2 if name == "MobileNetV2" else turns)
        what = f"LIME {name}, 1000 samples"
        yield compared(what, "bare forward", measured, bound=1.15)
        if isinstance(peer, peers.Peer):
            peer.stop()
            off = np.abs(ours().coefficients[0] - peer.attributions).max()
            largest = np.abs(peer.attributions).max()
            note = f"coefficients differ by {off:.1g}, the largest is {largest:.2g}"
            yield compared(what, "lime", measured, note)
        elif peer is not None:
            yield peer


def shapley(turns: int, with_peers: bool) -> Iterator[Row]:
    """Shapley values of 1000 rows of `diabetes` by 25 paths, and how far off they are."""
    model = load("diabetes").explainer.model
    (key,) = (operand.name for operand in model.operands)
    width = model.operands[0].shape[0]
    x = np.random.default_rng(0).normal(size=(1000, width)).astype(np.float32) * 0.05
    x += np.float32([48, 1, 26, 95, 189, 115, 50, 4, 4.6, 91])  # near the data's means
    start, target = [{key: np.zeros((1, width), np.float32)}], np.zeros(len(x), int)
    paths = SampledShapley(path_count=25)

    def ours() -> Any:
        return sampled_shapley(model, {key: x}, start, target, paths)

    asked: list[Any] = []

    class Listening:
        """The model, noting how many coalitions it is asked for."""

        outputs = staticmethod(model.outputs)

        def coalition_scores(self, *question: Any) -> Any:
            asked.append(question)
            return model.coalition_scores(*question)

    sampled_shapley(Listening(), {key: x}, start, target, paths)  # type: ignore[arg-type]

    def call() -> None:
        for question in asked:
            model.coalition_scores(*question)

    measured = interleaved({"ours": in_process(ours), "one call": in_process(call)}, turns)
    what = "Shapley diabetes 1000×25"
    yield compared(what, "one call", measured, bound=1.3)
    if not with_peers:
        return
    few, pairs = x[:50], 12
    exact = sampled_shapley(model, {key: few}, start, target[:50], SampledShapley(path_count=10**4))
    same = SampledShapley(path_count=2 * pairs)

    def fifty(seed: int = 0) -> Any:
        return sampled_shapley(model, {key: few}, start, target[:50], same, seed=seed)

    peer = started("shap", SAMPLES / "diabetes/model", few, np.array([pairs]))
    if isinstance(peer, Row):
        yield peer
        return
    measured = interleaved({"ours": in_process(fifty), "shap": peer.run}, 3)
    peer.stop()
    # Our rows share their paths, so that it takes many seeds to see what one row's error is.
    drawn = np.stack([fifty(seed).values[key] for seed in range(50)]), peer.attributions
    truth = exact.values[key]
    errors = [float(np.sqrt(np.mean((values - truth) ** 2))) for values in drawn]
    yield compared("Shapley diabetes 50×24", "shap", measured)
    yield Row(
        "error of Shapley diabetes 50×24",
        "shap's",
        errors[0] / errors[1],
        None,
        1.0,
        f"{errors[0]:.3g} and {errors[1]:.3g}, root mean square",
    )


def reader() -> Path:
    """A small model that reads words with its own tokenizer, exported once by Keras."""
    directory = BENCH / "reader"
    if not (directory / "saved_model.pb").exists():
        import keras

        keras.utils.set_random_seed(0)
        layers = keras.layers
        vocabulary = [f"w{number:03d}" for number in range(3000)]
        text = keras.Input((), dtype="string", name="text")
        ids = layers.TextVectorization(vocabulary=vocabulary, output_sequence_length=256)(text)
        words = layers.Conv1D(64, 5, activation="relu")(layers.Embedding(3002, 64)(ids))
        found = layers.Dense(64, activation="relu")(layers.GlobalMaxPooling1D()(words))
        model = keras.Model(text, layers.Dense(3, activation="softmax")(found))
        model.export(str(directory), verbose=False)
    return directory


def words(turns: int) -> Iterator[Row]:
    """Shapley values of the words of a text against bare forward passes of the same texts."""
    loaded = pellucid.load(reader(), warn=lambda sentence: None)
    model = loaded.explainer.model
    for count, paths in ((60, 50), (250, 20)):
        numbers = np.random.default_rng(0).integers(0, 3000, count)
        text = " ".join(f"w{number:03d}" for number in numbers)
        explaining = loaded.configured(method="sampled-shapley", paths=paths)
        asked: list[Any] = []
        predict = model.predict

        def listening(x: Any, predict: Any = predict, asked: list[Any] = asked) -> Any:
            asked.append(x["text"])
            return predict(x)

        model.predict = listening  # type: ignore[method-assign]
        explaining.explain([text])
        model.predict = predict  # type: ignore[method-assign]
        many = {"text": np.concatenate(asked)}
        cases: dict[str, Case] = {
            "ours": in_process(lambda e=explaining, t=text: e.explain([t])),  # type: ignore[misc]
            "bare forward": in_process(lambda m=many: model.outputs(m)),  # type: ignore[misc]
        }
        measured = interleaved(cases, turns)
        yield compared(f"Shapley of {count} words × {paths}", "bare forward", measured, bound=1.2)


def tolerance() -> Iterator[Row]:
    """`--tolerance 0.05` against 50 fixed steps: gradients, and what is left unsaid."""
    for name, count, bound in (("digits", 100, 0.8), ("photos", 12, 1.6)):
        model, x, _ = rows_of(name, count)
        labels = [e.labels[0] for e in model.configured(tolerance=0.05).explain(list(x))]
        fixed = [e.labels[0].approx_error or 0.0 for e in model.explain(list(x))]
        taken = np.mean([label.evaluations or 0 for label in labels])
        over = sum(
            max(label.approx_error or 0.0, label.diagnostics["quadrature_error"]) > 0.05
            for label in labels
        )
        note = (
            f"of {count}, sum or attributions above 5 %: {over}; the sum with 50 steps "
            f"{sum(e > 0.05 for e in fixed)}"
        )
        ratio = float(taken / 50)
        yield Row(f"--tolerance 0.05 {name}", "50 gradients", ratio, None, bound, note)


def memory() -> Iterator[Row]:
    """The most memory that a photo of 4000×3000 takes, model and TensorFlow aside."""
    script = Path(__file__).with_name("large_photo.py")
    for name in ("xrai", "lime"):
        run = subprocess.run(
            [sys.executable, str(script), name], capture_output=True, text=True, check=True
        )
        yield Row(f"memory of {name}, 4000×3000", "GB", float(run.stdout), None, 3.0)
