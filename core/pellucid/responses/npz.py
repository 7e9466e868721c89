"""Explanations in one ``.npz`` file: attributions as plain arrays, and all it takes to draw them.

```python
>>> import pellucid
>>> from pellucid.api import unpack
>>> model = pellucid.load("sample_models/digits/model")  # doctest: +SKIP
>>> saved = model.explain([image]).pack()  # doctest: +SKIP
>>> unpack(saved, "five.npz").draw(0)  # doctest: +SKIP

```
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from io import BytesIO
from typing import Any, TypeAlias

import numpy as np

from pellucid.errors import InstanceError
from pellucid.examples import Neighbor
from pellucid.explain import Explanation, LabelAttribution, Results
from pellucid.files import DAMAGED, expect
from pellucid.inputs import Instance, decode_picture, is_binary
from pellucid.metadata import (
    ExplanationMetadata,
    ExplanationParameters,
    Modality,
    PixelLayout,
)
from pellucid.metadata.documents import dump_metadata, parse_metadata
from pellucid.methods.texts import Cut
from pellucid.model import Array
from pellucid.notices import Hint, Notice, Where, Words, python_words
from pellucid.responses.archive import DOCUMENT, FORM, archive_digest, read_arrays
from pellucid.responses.provenance import DIGEST, PROVENANCE
from pellucid.responses.saved_method import read_method, written_method
from pellucid.responses.saved_tensors import read_tensors, saved_tensors

Chosen: TypeAlias = Callable[[LabelAttribution], Mapping[str, Sequence[str]]]

FORMAT = 1
AGAIN = Hint("write it again with {explain.raw}")
_ARRAYS = ("values", "features", "ranks", "segments", "errors")


def pack(
    explanations: Results, words: Words = python_words, chosen: Chosen = lambda label: {}
) -> bytes:
    """Return an uncompressed ``.npz`` archive of explanations, from which `unpack` makes them.

    For instance i and its label j (in the order of the explanation): ``i/j/values/FEATURE``
    float64, ``i/j/index`` int64, ``i/j/scores`` float64 [score, baseline_score, approx_error] (NaN
    where undefined), ``i/j/errors/NAME`` where the method knows them, with XRAI
    ``i/j/ranks/FEATURE``, and ``i/j/features/NAME`` where that is not the same as the values;
    ``i/inputs/FEATURE``, the tensor that was explained, and ``i/given/FEATURE`` where the model was
    given another; ``i/prediction``, and ``i/outputs/NAME`` where the model has several;
    ``i/picture``, the bytes of the picture's file; ``i/request/INPUT`` what the model was given
    where none of these is that; with examples, ``i/neighbors/ids`` and ``i/neighbors/distances``
    float64. ``pellucid.json`` holds the metadata, the method, names and words, as UTF-8; settings
    that warnings advise are written in `words`. `chosen` tells the visualization settings that
    nobody wrote and that are chosen for a label, ``key=value`` by feature.
    """
    arrays: dict[str, Array] = {}
    metadata, saved = explanations.metadata, explanations.instances
    instances = [
        _packed(arrays, str(i), explanation, instance, metadata)
        | {
            "warnings": [it.sentence(words) for it in explanation.warnings],
            "labels": [_of_label(label, chosen(label)) for label in explanation.labels],
        }
        for i, (explanation, instance) in enumerate(zip(explanations, saved, strict=True))
    ]
    document: dict[str, Any] = {
        "format": FORMAT,
        "metadata": dump_metadata(_drawn(metadata)),
        "layouts": {it.name: asdict(it.pixel_layout) for it in metadata.inputs},
        "method": written_method(explanations.parameters.method),
        "instances": instances,
    }
    if explanations.provenance:
        document[PROVENANCE] = dict(explanations.provenance)
        document[PROVENANCE][DIGEST] = archive_digest(arrays, document)
    arrays[DOCUMENT] = np.frombuffer(json.dumps(document).encode(), np.uint8)
    out = BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def _packed(
    arrays: dict[str, Array],
    place: str,
    explanation: Explanation,
    instance: Instance,
    metadata: ExplanationMetadata,
) -> dict[str, Any]:
    """Add the arrays of instance number `place`; return what the document says of it."""
    arrays[f"{place}/prediction"] = np.asarray(explanation.prediction)
    for name, tensor in explanation.inputs.items():
        if tensor.dtype != object:
            arrays[f"{place}/inputs/{name}"] = tensor
    said = {}
    for name, tensor in explanation.outputs.items():
        if tensor.dtype == object:
            said[name] = _text(tensor).tolist()
        else:
            arrays[f"{place}/outputs/{name}"] = tensor
    texts = _add_given(arrays, place, explanation, metadata)
    if explanation.neighbors is not None:
        arrays[f"{place}/neighbors/ids"] = np.array([it.id for it in explanation.neighbors])
        distances = [it.distance for it in explanation.neighbors]
        arrays[f"{place}/neighbors/distances"] = np.array(distances)
    for j, label in enumerate(explanation.labels):
        _add_label(arrays, f"{place}/{j}", label)
    if instance.encoded is not None:
        arrays[f"{place}/picture"] = np.frombuffer(instance.encoded, np.uint8)
    return {
        "source": instance.source,
        "value": _said(instance),
        "request": saved_tensors(instance, explanation, place, arrays),
        "pictures": list(instance.pictures),
        "names": None if instance.names is None else list(instance.names),
        "beside": dict(instance.extras),
        "index": instance.index,
        "upright": not _decoded_by_model(instance),
        "given": texts,
        "outputs": list(explanation.outputs),
        "texts": said,
        "warnings": [],  # in the words of who asks
        "pixels": explanation.pixels,
        "held": list(explanation.held),
        "baseline": explanation.baseline,
        "words": {name: [it.text, it.spans] for name, it in explanation.words.items()},
    }


def _add_given(
    arrays: dict[str, Array], place: str, explanation: Explanation, metadata: ExplanationMetadata
) -> dict[str, Any]:
    """Add what the model was given for the features; return what of it is text."""
    images = {spec.name for spec in metadata.inputs if spec.modality is Modality.IMAGE}
    texts = {}
    for name, tensor in explanation.given.items():
        if name in images or tensor is explanation.inputs.get(name):
            continue
        if tensor.dtype == object:
            texts[name] = _text(tensor).tolist()
        else:
            arrays[f"{place}/given/{name}"] = tensor
    return texts


def _add_label(arrays: dict[str, Array], place: str, label: LabelAttribution) -> None:
    error = np.nan if label.approx_error is None else label.approx_error
    arrays[f"{place}/index"] = np.array(label.index, np.int64)
    arrays[f"{place}/scores"] = np.array([label.score, label.baseline_score, error])
    for kind in _ARRAYS:
        for name, value in getattr(label, kind).items():
            if kind != "features" or not _same(value, label.values.get(name)):
                arrays[f"{place}/{kind}/{name}"] = value


def _of_label(label: LabelAttribution, chosen: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return what the document says of a label."""
    return {
        "output": label.output,
        "name": label.name,
        "features": list(label.features),
        "evaluations": label.evaluations,
        "single": label.single,
        "diagnostics": label.diagnostics,
        "chosen": {name: list(it) for name, it in chosen.items()},
    }


def unpack(data: bytes, where: str) -> Results:
    """Return the explanations that `pack` wrote; neither the model nor TensorFlow is needed.

    Raises InstanceError, whose file is `where`, for anything else.
    """
    place = Where(file=where)
    try:
        arrays = read_arrays(data)
    except (*DAMAGED, OSError) as error:
        raise InstanceError(
            f"not an .npz file of explanations ({error})",
            where=place,
            hint=Hint("write one with {explain.raw}"),
        ) from None
    if DOCUMENT not in arrays:
        raise InstanceError(
            "holds arrays and no explanations to draw",
            where=place,
            hint=Hint("write it with {explain.raw}"),
        )
    try:
        document = json.loads(arrays[DOCUMENT].tobytes())
        _check_format(document, place)
        expect(document, FORM, "the document")
        parsed = parse_metadata(document["metadata"])
        if parsed.metadata is None or not parsed.metadata.inputs:
            raise InstanceError("its metadata are damaged", where=place, hint=AGAIN)
        found = [
            (_explanation(arrays, i, entry, parsed.metadata), _instance(arrays, i, entry, where))
            for i, entry in enumerate(document["instances"])
        ]
        method = read_method(document["method"])
        metadata = _laid_out(parsed.metadata, document.get("layouts", {}))
    except InstanceError:
        raise
    except DAMAGED as error:
        raise InstanceError(
            f"is damaged ({type(error).__name__}: {error})", where=place, hint=AGAIN
        ) from None
    return Results(
        items=tuple(explanation for explanation, _ in found),
        instances=tuple(instance for _, instance in found),
        metadata=metadata,
        parameters=ExplanationParameters(method=method),
        provenance={k: v for k, v in document.get(PROVENANCE, {}).items() if k != DIGEST},
    )


def _check_format(document: Any, place: Where) -> None:
    expect(document, {"format": object}, "the document")
    if document["format"] != FORMAT:
        raise InstanceError(
            f"has format {document['format']}, and this version of pellucid reads {FORMAT}",
            where=place,
            hint=AGAIN,
        )


def _explanation(
    arrays: Mapping[str, Array], i: int, entry: Mapping[str, Any], metadata: ExplanationMetadata
) -> Explanation:
    outputs = _group(arrays, f"{i}/outputs/")
    outputs |= {name: np.array(texts, object) for name, texts in entry.get("texts", {}).items()}
    inputs = _group(arrays, f"{i}/inputs/")
    given = {**inputs, **_group(arrays, f"{i}/given/")}
    given |= {name: np.array(words, object) for name, words in entry["given"].items()}
    labels = [
        _label(arrays, f"{i}/{j}", said, metadata.output.name)
        for j, said in enumerate(entry["labels"])
    ]
    near = None
    if f"{i}/neighbors/ids" in arrays:
        found = zip(arrays[f"{i}/neighbors/ids"], arrays[f"{i}/neighbors/distances"], strict=True)
        near = tuple(Neighbor(id=str(name), distance=float(value)) for name, value in found)
    if near is None and not labels:
        raise ValueError(f"instance {i} has neither labels nor neighbors")
    return Explanation(
        prediction=arrays[f"{i}/prediction"],
        neighbors=near,
        labels=tuple(labels),
        inputs=inputs,
        given={it.name: given[it.name] for it in metadata.inputs if it.name in given},
        warnings=tuple(map(Notice, entry["warnings"])),
        pixels=entry.get("pixels", {}),
        held=tuple(entry.get("held", ())),
        outputs={name: outputs[name] for name in entry.get("outputs", ())},
        baseline=entry.get("baseline", ""),
        words=_cuts(entry.get("words", {})),
    )


def _label(
    arrays: Mapping[str, Array], place: str, said: Mapping[str, Any], output: str
) -> LabelAttribution:
    """Return the label at a place, ``i/j``; older files do not name its output."""
    scores, index = arrays[f"{place}/scores"], arrays[f"{place}/index"]
    if scores.dtype.kind != "f" or index.dtype.kind != "i" or index.ndim != 1:
        raise ValueError(f"the scores or the index of {place} are no numbers")
    score, baseline_score, error = scores.tolist()
    kinds = {kind: _numbers(arrays, f"{place}/{kind}/") for kind in _ARRAYS}
    features = {**kinds["values"], **kinds.pop("features")}
    return LabelAttribution(
        output=said.get("output", output),
        index=tuple(index.tolist()),
        name=said["name"],
        score=score,
        baseline_score=baseline_score,
        approx_error=None if np.isnan(error) else error,
        features={name: features[name] for name in said["features"]},
        evaluations=said["evaluations"],
        diagnostics=said["diagnostics"],
        flat=False,  # of which the warnings speak
        single=said.get("single") is True,
        **kinds,
    )


def _cuts(said: Mapping[str, Any]) -> dict[str, Cut]:
    """Return texts with their parts; raises ValueError for places that are none in them."""
    cuts = {}
    for name, (text, spans) in said.items():
        places = tuple((int(start), int(end)) for start, end in spans)
        bounds = [0, *(it for place in places for it in place), len(text)]
        if bounds != sorted(bounds):
            raise ValueError(f"parts of '{name}' are not in its text")
        cuts[name] = Cut(str(text), places)
    return cuts


def _instance(
    arrays: Mapping[str, Array], i: int, entry: Mapping[str, Any], where: str
) -> Instance:
    image, encoded = None, None
    if f"{i}/picture" in arrays:
        encoded = arrays[f"{i}/picture"].tobytes()
        image = decode_picture(encoded, Where(file=where, instance=i), upright=entry["upright"])
    return Instance(
        entry["value"],
        read_tensors(entry.get("request", {}), str(i), arrays),
        entry["index"],
        entry["source"],
        image,
        encoded=encoded,
        extras=entry["beside"],
        pictures=tuple(entry.get("pictures", ())),
        names=None if entry.get("names") is None else tuple(entry["names"]),
    )


def _group(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _numbers(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    found = _group(arrays, prefix)
    for name, array in found.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{prefix}{name} holds no numbers")
    return found


def _same(value: Array, other: Array | None) -> bool:
    return other is not None and np.array_equal(value, other)


def _text(strings: Array) -> Array:
    """Return strings, bytes or not, as text; what is not UTF-8 is replaced."""
    text = np.empty(strings.shape, object)
    text.ravel()[:] = [
        s.decode("utf-8", "replace") if isinstance(s, bytes) else str(s) for s in strings.ravel()
    ]
    return text


def _said(instance: Instance) -> object:
    """Return an instance as it was given, if that is text; numbers are in the arrays."""
    value = instance.value
    if isinstance(value, Mapping):
        texts = {k: v for k, v in value.items() if isinstance(v, str)}
        return None if is_binary(value) else texts
    return value if isinstance(value, str) else None


def _decoded_by_model(instance: Instance) -> bool:
    """Whether the model was given the picture's file, which it does not turn upright."""
    strings = (t for t in instance.tensors.values() if t.dtype == object and t.size == 1)
    return instance.encoded is not None and any(
        s.ravel()[0] is instance.encoded or s.ravel()[0] == instance.encoded for s in strings
    )


def _drawn(metadata: ExplanationMetadata) -> ExplanationMetadata:
    """Return metadata without what only the model needs, or what only images may have."""
    return replace(
        metadata,
        inputs=tuple(
            replace(
                spec,
                input_baselines=(),
                encoded_baselines=(),
                visualization=spec.visualization if spec.modality is Modality.IMAGE else None,
            )
            for spec in metadata.inputs
        ),
    )


def _laid_out(
    metadata: ExplanationMetadata, layouts: Mapping[str, Mapping[str, Any]]
) -> ExplanationMetadata:
    """Return metadata with what no document says: how pictures lie in their tensors."""
    return replace(
        metadata,
        inputs=tuple(
            replace(it, pixel_layout=PixelLayout(**layouts.get(it.name, {})))
            for it in metadata.inputs
        ),
    )
