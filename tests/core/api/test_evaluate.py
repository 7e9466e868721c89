"""``model.evaluate``: whose maps are judged, on what, and what becomes of those who fail."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pellucid
from pellucid.api.judging import evaluation, findings
from pellucid.errors import InstanceError, SpecError
from pellucid.evaluate import Candidate
from pellucid.inputs import read_file
from pellucid.metadata import call_settings


@pytest.fixture
def digits(samples: Path) -> pellucid.LoadedModel:
    return pellucid.load(samples / "digits" / "model")


@pytest.fixture
def wine(samples: Path) -> pellucid.LoadedModel:
    return pellucid.load(samples / "wine" / "model")


def rows(samples: Path, name: str, count: int = 3) -> list[Any]:
    request = json.loads((samples / name / "instances.json").read_bytes())
    return request["instances"][:count]


def pictures(model: pellucid.LoadedModel, samples: Path, count: int = 3) -> list[Any]:
    files = sorted((samples / "digits" / "images").glob("*.png"))[:count]
    return [it for file in files for it in read_file(file, model.inputs)]


def test_the_same_instances_give_the_same_bytes(wine: Any, samples: Path) -> None:
    """Whether they come as a list, as records, or one by one; whatever is asked beside it."""
    given = rows(samples, "wine")
    first = wine.evaluate(given, ["ig:steps=5", "shapley:paths=4"], stages=5)
    lazily = wine.evaluate(iter(wine._records(given)), "ig:steps=5,shapley:paths=4", stages=5)
    assert first.json() == lazily.json()
    more = wine.evaluate(given, "ig:steps=5", "insertion,infidelity", stages=5)
    for metric in ("insertion", "deletion"):
        for name in ("ig:steps=5", "random", "first"):
            np.testing.assert_array_equal(more.values[metric][name], first.values[metric][name])
    other = wine.evaluate(given, "ig:steps=5", stages=5, seed=1)
    assert not np.array_equal(
        other.values["insertion"]["random"], first.values["insertion"]["random"]
    )


def test_maps_are_made_once_whatever_the_metrics(
    digits: Any, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    explain = pellucid.LoadedModel.explain

    def counted(self: Any, instances: Any, *rest: Any, **named: Any) -> Any:
        calls.append(len(instances))
        return explain(self, instances, *rest, **named)

    monkeypatch.setattr(pellucid.LoadedModel, "explain", counted)
    chosen = "insertion,insertion_patches,infidelity,completeness,road"
    digits.evaluate(pictures(digits, samples), "ig:steps=5", chosen, stages=4)
    assert calls == [3]


def test_a_report_can_be_made_again(wine: Any, samples: Path) -> None:
    found = wine.evaluate(rows(samples, "wine"), "ig:steps=5", stages=5, seed=4).provenance
    assert (found.seed, found.stages, found.output) == (4, 5, wine.metadata.output.name)
    assert found.program == pellucid.__version__ and found.tensorflow and found.fingerprint


def test_who_fails_on_an_instance_is_left_out_of_its_pairs(
    wine: Any, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, and named with the first reason; the others are judged on all instances."""
    explain = pellucid.LoadedModel.explain

    def failing(self: Any, instances: Any, *rest: Any, **named: Any) -> Any:
        if self.parameters.method.name == "sampled-shapley":
            for it in instances:
                if it.index == 1:
                    raise InstanceError("cannot be explained, says the test")
        return explain(self, instances, *rest, **named)

    monkeypatch.setattr(pellucid.LoadedModel, "explain", failing)
    found = wine.evaluate(rows(samples, "wine"), "ig:steps=5,shapley:paths=4", stages=5)
    shapley = next(it for it in found.candidates if it.name == "shapley:paths=4")
    assert shapley.failed == {1: "cannot be explained, says the test"}
    assert found.mean("insertion", "shapley:paths=4").n == 2
    assert found.mean("insertion", "ig:steps=5").n == 3
    assert found.ahead("insertion", "ig:steps=5", "shapley:paths=4").n == 2
    (note,) = [it for it in found.notes if "failed" in it]
    assert note.startswith("shapley:paths=4 failed on 1 of 3 instances") and "says the test" in note
    assert json.loads(found.json())["values"]["insertion"]["shapley:paths=4"][1] is None


def test_who_cannot_explain_such_input_is_left_out(wine: Any, samples: Path) -> None:
    found = wine.evaluate(rows(samples, "wine"), "ig:steps=5,lime", stages=5)
    assert [it.name for it in found.candidates if not it.control] == ["ig:steps=5"]
    (left,) = found.left_out
    assert (left.candidate, left.count) == ("lime", 3) and "one image" in left.reason


def test_instances_of_one_label_are_said_to_be(wine: Any, samples: Path) -> None:
    one = rows(samples, "wine", 1)
    found = wine.evaluate(one * 3, "ig:steps=5", stages=5)
    assert any(it.startswith("All 3 instances have the label") for it in found.notes)
    assert found.mean("insertion", "ig:steps=5").low == found.mean("insertion", "ig:steps=5").high


def test_a_regression_has_no_label_to_speak_of(samples: Path) -> None:
    model = pellucid.load(samples / "diabetes" / "model")
    found = model.evaluate(rows(samples, "diabetes"), "ig:steps=5", stages=5)
    assert not found.notes and found.kind == "table"


def test_no_instances(wine: Any) -> None:
    with pytest.raises(InstanceError, match="no instances to judge"):
        wine.evaluate(iter([]), "ig")
    with pytest.raises(SpecError, match="0 stages"):
        wine.evaluate(iter([]), "ig", stages=0)


def test_the_columns_of_a_group_and_words_have_names(wine: Any, samples: Path) -> None:
    found = wine.evaluate(rows(samples, "wine"), "ig:steps=5", stages=5)
    names = found.shown[0].elements
    assert len(names) == 12 and len({*names}) == 12  # thirteen inputs, two of them one group
    assert found.shown[0].maps["ig:steps=5"].shape == (12,)


def test_the_words_of_a_text_are_its_elements(tmp_path: Path) -> None:
    """A model that counts words: the best goes first, and takes the score with it."""
    import tensorflow as tf

    class Words(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
        def serve(self, text: Any) -> Any:
            words = tf.strings.split(text)
            good = tf.reduce_sum(tf.cast(words == "good", tf.float32), axis=1)
            bad = tf.reduce_sum(tf.cast(words == "bad", tf.float32), axis=1)
            return {"scores": tf.stack([good, 2 * bad], axis=1)}

    module = Words()
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.serve)
    text = "what a good film and not one bad scene in all of it"
    model = pellucid.load(tmp_path / "m", warn=lambda notice: None)
    found = model.evaluate([text], "shapley:paths=4", stages=12)
    assert found.kind == "text" and list(found.shown[0].elements) == text.split()
    curve = found.curves["deletion"]["shapley:paths=4"][0]
    assert curve.tolist() == [2.0] + [0.0] * 12
    assert found.instances[0].output == (1,)


def test_tokens_are_judged_by_the_ids_that_the_model_takes(samples: Path) -> None:
    model = pellucid.load(samples / "code_or_prose" / "model")
    found = model.evaluate(
        rows(samples, "code_or_prose", 2), "ig:steps=5,shapley:paths=4", stages=5
    )
    assert found.kind == "text" and not found.left_out
    assert np.isfinite(found.values["insertion"]["ig:steps=5"]).all()


def test_other_outputs_and_baselines_are_judged_as_they_are_chosen(
    wine: Any, samples: Path
) -> None:
    given = rows(samples, "wine")
    other = wine.configured(output_indices=[2]).evaluate(given, "ig:steps=5", stages=5)
    assert {it.output for it in other.instances} == {(2,)}
    mean = wine.configured(baseline="mean").evaluate(given, "ig:steps=5", stages=5)
    plain = wine.evaluate(given, "ig:steps=5", stages=5)
    assert "mean of 3 instances" in mean.provenance.baseline
    assert mean.instances[0].baseline_score != plain.instances[0].baseline_score
    assert {it.score for it in mean.instances} == {it.score for it in plain.instances}


def test_a_warning_is_kept_with_its_candidate(digits: Any, samples: Path) -> None:
    heard: list[Any] = []
    found = digits.evaluate(pictures(digits, samples), "ig:steps=1", stages=4)
    (judged,) = [it for it in found.candidates if not it.control]
    assert judged.warnings and judged.warnings[0].endswith("×)") and not heard


def test_memory_does_not_grow_with_the_instances(
    wine: Any, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are taken a few at a time: none is asked for before those ahead of it are judged."""
    monkeypatch.setattr(evaluation, "TOGETHER", 30)
    done: list[int] = []
    asked: list[tuple[int, int]] = []

    def lazily() -> Any:
        for i, it in enumerate(wine._records(rows(samples, "wine", 3) * 4)):
            asked.append((i, len(done)))
            yield it

    wine.evaluate(lazily(), "ig:steps=2", stages=2, on_done=lambda: done.append(1))
    assert len(done) == 12
    assert all(i - judged <= 3 for i, judged in asked), asked


def test_many_instances_keep_the_maps_of_few(wine: Any, samples: Path) -> None:
    found = wine.evaluate(rows(samples, "wine", 3) * 6, "ig:steps=2,shapley:paths=4", stages=2)
    assert len(found.shown) == findings.MOST_SHOWN
    spreads = [it.spread for it in found.shown]
    assert spreads == sorted(spreads, reverse=True)
    values = np.stack([found.values["insertion"][n] for n in ("ig:steps=2", "shapley:paths=4")])
    assert spreads[0] == pytest.approx(np.ptp(values, axis=0).max())


# Masks


@pytest.fixture
def masks(samples: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "masks"
    folder.mkdir()
    for file in (samples / "digits" / "images").glob("*.png"):
        with Image.open(file) as picture:
            width, height = picture.size
        half = Image.new("L", (width, height), 0)
        half.paste(255, (0, 0, width // 2, height))
        half.save(folder / file.name)
    return folder


def test_masks_are_found_by_name(digits: Any, samples: Path, masks: Path) -> None:
    found = digits.evaluate(pictures(digits, samples), "ig:steps=5", masks=masks, stages=4)
    assert [it.name for it in found.metrics][-2:] == ["inside", "pointing"]
    assert found.mean("inside", "random").mean == pytest.approx(0.5, abs=0.1)
    image = found.shown[0]
    left = np.maximum(image.maps["ig:steps=5"], 0)
    share = left[:, : left.shape[1] // 2].sum() / left.sum()
    assert found.values["inside"]["ig:steps=5"][image.number] == pytest.approx(share, rel=1e-4)


def test_masks_of_no_picture_are_counted(digits: Any, samples: Path, masks: Path) -> None:
    given = pictures(digits, samples)
    names = {Path(it.source).name for it in given}
    shutil.copy(masks / min(names), masks / f"{min(names)[0]}.png")  # part of a name is none
    others = sorted(it for it in masks.iterdir() if it.name not in names)

    def said() -> list[str]:
        found = digits.evaluate(given, "ig:steps=2", masks=masks, stages=2)
        return [it for it in found.notes if "masks" in it]

    count = f"{len(others)} of {len(others) + len(names)}"
    first = others[0].name
    assert said() == [f"{count} masks are of no picture that was judged; the first is {first}."]
    for it in others:
        it.unlink()
    assert not said()


def test_a_mask_that_is_missing_or_does_not_fit_is_named(
    digits: Any, samples: Path, masks: Path, tmp_path: Path
) -> None:
    given = pictures(digits, samples, 1)
    name = Path(given[0].source).name

    def said(folder: Path) -> str:
        with pytest.raises(SpecError) as error:
            digits.evaluate(given, "ig:steps=2", masks=folder, stages=2)
        return error.value.sentence()

    Image.new("L", (5, 7)).save(masks / name)
    assert f"{name}: is 5×7, and the picture is" in said(masks)
    (masks / name).write_bytes(b"no picture")
    assert name in said(masks)
    (masks / name).unlink()
    assert f"has no mask for {given[0].source}" in said(masks) and f"name it {name}" in said(masks)
    assert "is not a folder of masks" in said(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "has no masks" in said(tmp_path / "empty")
    Image.new("L", (5, 7)).save(masks / "eight.jpg")
    if (masks / "eight.png").exists():
        assert "has two masks 'eight'" in said(masks)


# Not a name: a record


def test_a_record_is_a_candidate(wine: Any, samples: Path) -> None:
    own = Candidate(name="mine", settings=call_settings({"method": "sampled-shapley", "paths": 3}))
    found = wine.evaluate(rows(samples, "wine"), [own], stages=3)
    assert found.candidates[0].settings["sampledShapleyAttribution"]["pathCount"] == 3
    assert "sampled Shapley" in found.candidates[0].said


def test_what_a_part_of_a_text_got_goes_to_the_words_that_it_stands_in() -> None:
    """By the letters: a tokenizer cuts 'sunflower' in two, and takes 'by the' for one part."""
    from types import SimpleNamespace

    from pellucid.api.judging.subjects import values_of
    from pellucid.methods.texts import Cut, TextModel, cut

    text = "sunflower by the"
    own = cut(text, "words")
    parts = Cut(text, ((0, 3), (3, 9), (10, 16)))
    label = SimpleNamespace(
        values={"text": np.ones((3, 8))}, features={"text": np.array([1.0, 2.0, 5.0])}
    )
    explanation = SimpleNamespace(labels=(label,), words={"text": parts})
    asked = TextModel(model=None, cuts={"text": own}, shapes={"text": (1,)})  # type: ignore[arg-type]
    subject = SimpleNamespace(game=SimpleNamespace(model=asked))
    found = values_of(explanation, subject)["text"]  # type: ignore[arg-type]
    np.testing.assert_allclose(found, [3.0, 2.0, 3.0])


def test_a_candidate_that_begins_with_the_mean_has_that_of_all_instances(
    wine: Any, samples: Path
) -> None:
    """Of more than are explained together, as if the mean had been a file."""
    first = rows(samples, "wine", 1)[0]
    given = [{name: value * (1 + i / 50) for name, value in first.items()} for i in range(70)]
    found = wine.evaluate(given, "ig:steps=3:mean", "completeness")
    quiet = pellucid.load(samples / "wine" / "model", warn=lambda notice: None)
    whole = quiet.configured(baseline="mean").explain(given, steps=3)
    errors = np.array([it.labels[0].approx_error for it in whole], float)
    np.testing.assert_allclose(found.values["completeness"]["ig:steps=3:mean"], errors, rtol=1e-6)
    with pytest.raises(SpecError, match="several processes"):
        wine.evaluate(given, "ig:mean", elsewhere=lambda groups: iter(()))
