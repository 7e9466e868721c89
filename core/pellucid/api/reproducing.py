"""A response or an ``.npz`` file made again, with the settings that it says, and compared."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from pellucid.api.explanations import Explanations
from pellucid.api.loading import LoadOptions
from pellucid.api.tables import TableSettings
from pellucid.errors import ModelError, SpecError
from pellucid.explain import BaselineKind
from pellucid.files import DAMAGED, expect
from pellucid.inputs import Instance
from pellucid.metadata import (
    CallSettings,
    Dialect,
    Examples,
    ExplainOptions,
    PixelSettings,
    PixelSource,
    check_keys,
    read_recorded,
)
from pellucid.notices import Hint, Where
from pellucid.responses import (
    CLOSE,
    DIAGNOSTICS,
    DIGEST,
    DOCUMENT,
    PROVENANCE,
    Comparison,
    Leaf,
    archive_digest,
    compared,
    digest_of,
    encode,
    leaves,
    read_arrays,
    unpack,
)

ARCHIVE = b"PK"
_PIXELS = {"range": [float], "order": str, "from": str, "layout?": str}
_FORM = {
    "pellucid": str,
    "tensorflow?": str,
    "predictor?": {"url": str, "protocol": str},
    "model": str,
    "signature": str,
    "outputs": [str],
    "logits": bool,
    "metadata": str,
    "parameters": dict,
    "seed": int,
    "baseline?": str,
    "columns?": {
        "ignored?": [str],
        "kept?": [str],
        "id?": str,
        "time?": str,
        "missing?": str,
    },
    "inputs": {str: {"type": str, "shape?": list, "pixels?": _PIXELS}},
    "assumed": [str],
    DIGEST: str,
}
_KEYS = [key.removesuffix("?") for key in _FORM]
_KINDS = [it.value for it in BaselineKind]
_SHOWN = 3
# Where a response, or the list of an archive, has what an output is called.
_NAME = re.compile(r"^names\[|\.(label_name|displayName|outputDisplayName)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What was explained before: how, what came of it, and, if it is in there, what was given.

    `form` is ``npz``, ``kserve`` or a dialect's; `parts` are what a response is made of, by paths.
    """

    where: Where
    form: str
    provenance: Mapping[str, Any]
    parts: Mapping[str, Leaf]
    instances: tuple[Instance, ...] = ()

    def options(self, options: LoadOptions) -> LoadOptions:
        """Return how a model is loaded so that it explains as it did; `options` say the rest.

        Those may have the baseline, where that was numbers or a file. Raises SpecError.
        """
        made = self.provenance
        parameters = read_recorded(made["parameters"], self.where.below("parameters"))
        if isinstance(parameters.method, Examples):
            what = "has neighbours, which depend on an index that is not in it"
            raise SpecError(what, where=self.where, hint="search the same index again")
        columns, outputs = made.get("columns", {}), made["outputs"]
        settings = CallSettings(
            method=parameters.method.name,
            baseline=self._baseline(options.explain.settings.baseline),
            why_not=parameters.why_not,
        )
        return replace(
            options,
            signature=made["signature"],
            output=outputs[0] if len(outputs) == 1 else None,
            logits=made["logits"],
            pixels=self._pixels() or options.pixels,
            tables=TableSettings.of(
                columns.get("ignored", ()), columns.get("id"), columns.get("missing", "refuse"),
                columns.get("time"), columns.get("kept", ()),
            ),
            explain=ExplainOptions(settings=settings, parameters=parameters, seed=made["seed"]),
        )  # fmt: skip

    def _baseline(self, given: Any) -> Any:
        said = self.provenance.get("baseline")
        if said is None or said in _KINDS:
            return said
        if given is None:
            hint = Hint("give it with {baseline}")
            raise SpecError(f"its baseline, {said}, is not in it", where=self.where, hint=hint)
        return given

    def _pixels(self) -> PixelSettings | None:
        """Return what pixels were asked to be, the same for all inputs; None where nobody asked."""
        for assumed in self.provenance["inputs"].values():
            pixels = assumed.get("pixels")
            if pixels is not None and pixels["from"] == PixelSource.OPTION.value:
                words = ["..".join(map(repr, pixels["range"])), pixels["order"]]
                return PixelSettings.parse(",".join([*words, pixels.get("layout", "")]).rstrip(","))
        return None

    def input_of(self, inputs: Collection[str] = ()) -> list[Instance]:
        """Return what was given before, from the file. Raises SpecError where it is not there.

        `inputs` are the names of what the model takes.
        """
        if self.instances and all(it.tensors.keys() >= {*inputs} for it in self.instances):
            return list(self.instances)
        what = "does not hold what was explained"
        raise SpecError(what, where=self.where, hint="name the INPUT, too")

    def refuse_other(self, fingerprint: str) -> None:
        """Raise ModelError for the fingerprint of another model than the one that explained it."""
        was = str(self.provenance["model"])
        if fingerprint != was:
            raise ModelError(
                f"was explained by another model, whose fingerprint is {was[:12]}…; that of this "
                f"one is {fingerprint[:12]}…",
                where=self.where,
            )

    def body(self, explanations: Explanations) -> bytes:
        """Return the response for explanations, in the form that it had."""
        if self.form == "kserve":
            return encode(explanations.kserve())
        dialect = None if self.form == "npz" else Dialect(self.form)
        return explanations.json(dialect=dialect)

    def compared(self, explanations: Explanations) -> Again:
        """Return how explanations that were made again differ from what was there before."""
        if self.form == "npz":
            parts = _of_archive(read_arrays(explanations.pack()))
        else:
            parts = _of_body(orjson.loads(self.body(explanations)))
        changed = tuple(_changes(self.provenance, explanations.provenance))
        return Again(found=compared(self.parts, parts), changed=changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What came of making it again: how numbers differ, and what else `changed`, in phrases."""

    found: Comparison
    changed: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether all that was explained is equal within 1e-6."""
        return self.found.same

    @property
    def hint(self) -> Hint | None:
        """What may have been forgotten, where names alone are others: they are in no file."""
        others = self.found.others
        if self.found.largest > CLOSE or not others or not all(map(_NAME.search, others)):
            return None
        return Hint("its outputs had other names: give those of then with {class_names}")

    def sentences(self) -> Iterator[str]:
        """Yield what is to be said: whether it is the same, and what changed meanwhile."""
        it = self.found
        if it.identical:
            yield "it is the same to the bit"
        elif it.same:
            yield (
                f"it is the same within {CLOSE:g} (the largest difference is {it.largest:.2g} of "
                f"the largest number, at {it.where})"
            )
        else:
            if it.largest > CLOSE:
                yield f"it differs by {it.largest:.2g} of the largest number, at {it.where}"
            if it.others:
                more = len(it.others) - _SHOWN
                listed = ", ".join([*it.others[:_SHOWN], *([f"{more} more"] if more > 0 else [])])
                yield f"it differs in what is there at all: {listed}"
        yield from self.changed


def read_saved(data: bytes, where: str) -> Saved:
    """Return what a response, or a file that `pack` wrote, says of how it was made.

    Raises SpecError for what says nothing of it, says what is unknown, or was changed since, and
    InstanceError for a file that is damaged.
    """
    place = Where(file=where)
    try:
        if data.startswith(ARCHIVE):
            return _archive(data, place)
        return _response(data, place)
    except DAMAGED as error:
        what = f"is neither a response nor an .npz file of explanations ({error})"
        raise SpecError(what, where=place) from error


def _archive(data: bytes, place: Where) -> Saved:
    results = unpack(data, place.file)  # which says what is damaged
    arrays = read_arrays(data)
    document = orjson.loads(arrays[DOCUMENT].tobytes())
    provenance = _checked(document.get(PROVENANCE), place)
    if provenance[DIGEST] != archive_digest(arrays, document):
        raise _tampered(place)
    return Saved(
        where=place, form="npz", provenance=provenance, parts=_of_archive(arrays),
        instances=results.instances,
    )  # fmt: skip


def _response(data: bytes, place: Where) -> Saved:
    body = orjson.loads(data)
    if not isinstance(body, dict) or "explanations" not in body:
        raise ValueError("it has no 'explanations'")
    diagnostics = body.get(DIAGNOSTICS, {})
    provenance = _checked(diagnostics.get(PROVENANCE), place)
    own = {key: value for key, value in provenance.items() if key != DIGEST}
    rest = {key: value for key, value in body.items() if key != DIAGNOSTICS}
    if provenance[DIGEST] != digest_of({**rest, PROVENANCE: own}):
        raise _tampered(place)
    form = Dialect.VERTEX.value if "deployedModelId" in body else Dialect.AI_PLATFORM.value
    explanations = body["explanations"]
    first = explanations[0] if isinstance(explanations, list) and explanations else explanations
    if "masks" in first:
        form = "kserve"
    return Saved(where=place, form=form, provenance=provenance, parts=_of_body(body))


def _checked(provenance: Any, place: Where) -> Mapping[str, Any]:
    """Return what a file says of how it was made. Raises SpecError."""
    if provenance is None:
        what = "says nothing of how it was made, as none does that an earlier version wrote"
        raise SpecError(what, where=place)
    check_keys(provenance, _KEYS, place.below(PROVENANCE))
    expect(provenance, _FORM, PROVENANCE)
    return dict(provenance)


def _tampered(place: Where) -> SpecError:
    return SpecError("was changed after it was written: its digest is another", where=place)


def _of_body(body: Mapping[str, Any]) -> dict[str, Leaf]:
    return dict(leaves({key: it for key, it in body.items() if key != DIAGNOSTICS}))


def _of_archive(arrays: Mapping[str, Any]) -> dict[str, Leaf]:
    """Return the arrays of a file, and the names of what was explained."""
    document = orjson.loads(arrays[DOCUMENT].tobytes())
    names = [[label["name"] for label in it["labels"]] for it in document["instances"]]
    found: dict[str, Leaf] = {name: it for name, it in arrays.items() if name != DOCUMENT}
    return {**found, **dict(leaves(names, "names"))}


_SAID = {
    "pellucid": "pellucid",
    "tensorflow": "TensorFlow",
    "predictor": "the predictor",
    "metadata": "the metadata",
    "inputs": "what the input is taken to be",
    "assumed": "what is assumed",
}


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is said otherwise of how it was made."""
    for key in [it for it in _KEYS if it != DIGEST]:
        was, found = before.get(key), orjson.loads(orjson.dumps(now.get(key)))
        if was != found:
            said = _SAID.get(key, f"'{key}'")
            short = isinstance(was, str) and isinstance(found, str) and len(found) < 64
            yield f"{said} is {found}, and was {was}" if short else f"{said} changed"
