"""What TensorFlow's own loaders are given: the graph that was judged, and no other.

They read a directory by themselves, after it has been judged, and who may write there may have put
another graph in its place by then.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pellucid.runtime.backends.base import CompileSpec
from pellucid.saved_model import messages, strays

_DATA = ("variables", "assets")


@contextmanager
def judged_directory(compile_spec: CompileSpec) -> Iterator[str]:
    """Yield a directory with the graph as it was judged, and links to the model's other files.

    Of a model that is trusted it is the model's own. Raises UnsafeModelError for files that lie
    elsewhere by now.
    """
    if compile_spec.trusted:
        yield str(compile_spec.directory)
        return
    for error in strays(compile_spec.directory):
        raise error
    saved_model = messages()("tensorflow.SavedModel")(saved_model_schema_version=1)
    saved_model.meta_graphs.add().ParseFromString(compile_spec.meta_graph.SerializeToString())
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:
        Path(folder, "saved_model.pb").write_bytes(saved_model.SerializeToString())
        for name in _DATA:
            data = compile_spec.directory / name
            if data.is_dir():
                os.symlink(data.resolve(), Path(folder, name), target_is_directory=True)
        yield folder
