"""Whether running a model touches anything but tensors: files, the network, the process.

A SavedModel is a program. What would run is looked at before TensorFlow sees any of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pellucid.errors import ModelError, UnsafeModelError
from pellucid.linter.judge import Judge, assets_of, escapes
from pellucid.linter.loader import loader_touches, why_loader
from pellucid.linter.reachability import Running, everything, running
from pellucid.linter.unsafe_ops import RESTORES, SAVES, is_known, may_touch
from pellucid.metadata.documents import printable
from pellucid.notices import Hint, Where
from pellucid.saved_model import MetaGraph, Signature, node_name


@dataclass(frozen=True, slots=True)
class Touch:
    """An operation that touches the world: `runs` tells whether it may when Pellucid explains.

    `loader` says why TensorFlow's own loader takes the model, where only that may run it.
    """

    op: str
    node: str
    function: str | None
    what: str
    runs: bool
    loader: str | None = None

    @property
    def where(self) -> str:
        """The operation and its place, for a sentence."""
        inside = f" in function '{self.function}'" if self.function else ""
        return printable(f"operation '{self.node}' ({self.op}){inside}")

    @property
    def because(self) -> str:
        """Why it counts although nothing that is asked for needs it, for the end of a sentence."""
        if self.loader is None:
            return ""
        return (
            ", and TensorFlow's own loader, which may run whatever is in a file, has to take this "
            f"model: {self.loader}"
        )


def escaping_assets(meta_graph: MetaGraph) -> list[str]:
    """Return the names of asset files that lead out of the model's ``assets`` directory."""
    return [name for name, _ in assets_of(meta_graph) if escapes(name)]


def touches_of(
    meta_graph: MetaGraph, signature: Signature, tensors: Iterable[str], loader: str | None = None
) -> list[Touch]:
    """Return the operations with which a model touches the world.

    Where the flat graph carries it, what runs is what the outputs of `signature` and `tensors` (by
    flat names) depend on, and what loading runs. Where TensorFlow's own loader takes it, or has
    to, for the reason `loader`, everything in the file counts. Raises ModelError where the file is
    damaged.
    """
    if not any(map(may_touch, _ops(meta_graph))):
        return []
    ends = ends_of(meta_graph, signature, tensors)
    asked = running(meta_graph, ends, loading=False)
    run = running(meta_graph, ends)
    loader = loader or why_loader(meta_graph, asked)
    if loader is None:
        found = list(_flat_touches(meta_graph, run, asked))
    else:
        found = []
        for function, it, what in loader_touches(meta_graph, ends):
            why = None if run.holds(function, it.name) else loader
            found.append(Touch(str(it.op), str(it.name), function, what, True, why))
    return sorted(found, key=lambda it: (not it.runs, it.function or "", it.node))


def _ops(meta_graph: MetaGraph) -> set[str]:
    """Return the types of all operations; of two functions with one name, those of both."""
    library, functions = meta_graph.graph.library.function, meta_graph.functions
    if len(functions) < len(library):
        return {*meta_graph.nodes.ops, *(node.op for it in library for node in it.node_def)}
    return {*meta_graph.nodes.ops}.union(*(it.nodes.ops for it in functions.values()))


def _flat_touches(meta_graph: MetaGraph, run: Running, asked: Running) -> Iterator[Touch]:
    judge, saver, others = (
        Judge(meta_graph, run, asked),
        _saver(meta_graph),
        _by_signatures(meta_graph),
    )
    bodies = ((name, it.nodes) for name, it in meta_graph.functions.items())
    for function, nodes in ((None, meta_graph.nodes), *bodies):
        # What TensorFlow does not have, it refuses itself: nobody has to be trusted.
        suspects = {it for it in nodes.ops if is_known(it) and may_touch(it)}
        for message in nodes.messages() if suspects else ():
            if message.op not in suspects:
                continue
            runs = run.holds(function, message.name)
            if not runs and message.op in (*SAVES, *RESTORES):
                # Every model has a saver, and some have several: they count if a signature saves.
                called = others.holds(function, message.name)
                if not called or saver.holds(function, message.name):
                    continue
            what = judge.what(function, message)
            if what is not None:
                yield Touch(str(message.op), str(message.name), function, what, runs)


def refuse_unsafe(
    meta_graph: MetaGraph,
    signature: Signature,
    tensors: Iterable[str],
    directory: object,
    loader: str | None = None,
) -> None:
    """Raise UnsafeModelError if the model would touch the world when it is loaded or run.

    `loader` is as in `touches_of`. Raises ModelError where the file is damaged.
    """
    where = Where(file=str(directory))
    try:
        outside = escaping_assets(meta_graph)
        touches = touches_of(meta_graph, signature, tensors, loader)
    except ModelError as error:
        raise error.at(where) from error
    for name in outside:
        raise UnsafeModelError(
            f"the asset '{name}' lies outside of the model's assets directory, and loading would "
            "read it",
            where=where,
            hint=Hint("put it there, or, if you trust the model, add {allow_unsafe_ops:True}"),
        )
    _refuse([it for it in touches if it.runs], where)


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """The tensors of a graph that hold, whatever runs, the names of the model's own files."""

    assets: frozenset[str]
    checkpoint: frozenset[str]


def refuse_running(serialized: bytes, own: OwnFiles, directory: object) -> None:
    """Raise UnsafeModelError if anything in a graph that is going to run touches the world.

    `serialized` is a MetaGraphDef of which all runs, as it is.
    """
    meta_graph = MetaGraph(serialized)
    judge = Judge(meta_graph, everything(meta_graph), Running())
    judge.assets, judge.checkpoint = set(own.assets), set(own.checkpoint)
    bodies = ((name, it.nodes) for name, it in meta_graph.functions.items())
    found = [
        Touch(str(it.op), str(it.name), function, what, True)
        for function, nodes in ((None, meta_graph.nodes), *bodies)
        for it in nodes.messages()
        if is_known(it.op) and may_touch(it.op)
        if (what := judge.what(function, it)) is not None
    ]
    _refuse(found, Where(file=str(directory)))


def _refuse(found: Sequence[Touch], where: Where) -> None:
    if not found:
        return
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    raise UnsafeModelError(
        f"refused, because a model is a program and this one {found[0].what}: "
        f"{found[0].where}{more}{found[0].because}",
        where=where,
        hint=Hint(
            "see all with validate-metadata, and if you trust it, add {allow_unsafe_ops:True}"
        ),
    )


def _saver(meta_graph: MetaGraph) -> Running:
    save = meta_graph.message.saver_def.save_tensor_name
    return running(meta_graph, [node_name(save)] if save else [], loading=False)


def _by_signatures(meta_graph: MetaGraph) -> Running:
    signatures = meta_graph.message.signature_def.values()
    ends = [node_name(info.name) for it in signatures for info in it.outputs.values()]
    return running(meta_graph, ends, loading=False)


def ends_of(meta_graph: MetaGraph, signature: Signature, tensors: Iterable[str]) -> list[str]:
    """Return the nodes of the graph that explaining asks for."""
    asked = [signature]
    if signature.key == "xai_model" and "xai_preprocess" in meta_graph.signatures:
        asked.append(meta_graph.signatures["xai_preprocess"])
    ends = [node_name(info.name) for it in asked for info in it.outputs.values()]
    for tensor in tensors:
        # Of a tensor inside a function, the call: what is before the first slash that is a node.
        name = tensor.rpartition(":")[0]
        prefixes = [name, *(name[:end] for end, letter in enumerate(name) if letter == "/")]
        ends += [it for it in prefixes if it in meta_graph.nodes][:1]
    return ends
