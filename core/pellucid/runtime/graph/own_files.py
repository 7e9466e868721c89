"""The model's own files, by their names in its flat graph: where they are is written into it.

A loader gives a graph the names of its assets when it initializes, and that of its checkpoint when
it restores; whatever else runs finds what the graph says there, which may be any file. As constants
of the flat graph they are the same whenever something runs, and what reads files can be held to
them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.linter import OwnFiles
from pellucid.runtime.engine.tensorflow import tf
from pellucid.runtime.graph.flat_graph import FlatGraph, node_of
from pellucid.runtime.graph.freeze import replace_by_constant

_ASSETS = "saved_model_assets"


def name_own_files(
    flat: FlatGraph, directory: Path, checkpoint: str, prefixes: set[str]
) -> OwnFiles:
    """Replace the names of a model's files in its flat graph, in place, by where they are.

    `prefixes` are tensors that hold `checkpoint`, the prefix of the checkpoint's files, already.
    """
    paths = {name: str(directory / "assets" / file) for file, name in _assets(flat.meta_graph)}
    assets = {it for name, path in paths.items() if (it := _named(flat, name, path)) is not None}
    filename = flat.meta_graph.saver_def.filename_tensor_name
    prefix = _named(flat, filename, checkpoint) if filename else None
    return OwnFiles(frozenset(assets), frozenset({*prefixes, *([prefix] if prefix else [])}))


def _named(flat: FlatGraph, name: str, path: str) -> str | None:
    """Make a tensor the constant `path` and return it, None where the graph does not have it."""
    tensor = flat.resolve(name)
    node = flat.nodes.get(node_of(tensor))
    if node is None or tensor != f"{node.name}:0":
        return None
    replace_by_constant(node, path, tf.string)
    return tensor


def _assets(meta_graph: Any) -> list[tuple[str, str]]:
    """Return the file and the tensor of each asset that loaders give."""
    found = list(meta_graph.asset_file_def)
    if not found and _ASSETS in meta_graph.collection_def:
        for packed in meta_graph.collection_def[_ASSETS].any_list.value:
            file = tf.compat.v1.MetaGraphDef().asset_file_def.add()
            packed.Unpack(file)
            found.append(file)
    return [(it.filename, it.tensor_info.name) for it in found if it.tensor_info.name]
