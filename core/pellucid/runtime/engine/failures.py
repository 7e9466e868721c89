"""What TensorFlow raises, and the one sentence that it comes down to."""

from __future__ import annotations

import re

from pellucid.runtime.engine.tensorflow import UnliftableError, tf


class Unsupported(Exception):
    """This backend does not carry this model; the sentence says why."""


class NoGradient(Exception):
    """No gradient reaches `feature`, since operation `node` of type `op` is in its way.

    `lacking` tells that TensorFlow has no gradient for the operation, and refuses where there are
    other ways, too; `feature` is None where it is not known which feature it is about.
    """

    def __init__(self, feature: str | None, node: str, op: str, *, lacking: bool = False) -> None:
        super().__init__(f"operation '{node}' ({op}) has no gradient")
        self.feature, self.node, self.op, self.lacking = feature, node, op, lacking


# What TensorFlow raises when it cannot import, differentiate or run a graph.
FAILURES = (
    Unsupported,
    tf.errors.OpError,
    ValueError,
    TypeError,
    KeyError,
    LookupError,
    AttributeError,
    RuntimeError,
    NotImplementedError,
    AssertionError,
    OSError,
    UnliftableError,
)
# What it raises for values that an operation does not take, such as a damaged JPEG.
DATA = (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError, tf.errors.DataLossError)


def sentence(error: Exception) -> str:
    """Return the line of a TensorFlow error that says what happened, and where."""
    text = str(error)
    nodes = re.findall(r"{{node ([^}]+)}}", text) or re.findall(r"^Node: '([^']+)'", text, re.M)
    found = ""
    for line in text.splitlines():
        # Indented lines are of stack traces, but for the items of a list of errors.
        if _NOISE.match(line) or (line[:1].isspace() and not _ITEM.match(line)):
            continue
        found = _TAGS.sub("", _ITEM.sub("", line)).strip().rstrip(".")
        if found:
            break
    found = found or type(error).__name__
    return f"{found} (at '{nodes[0]}')" if nodes and nodes[0] not in found else found


_NOISE = re.compile(
    r"\d+ root error|Graph execution error|Detected at node|Node: '|Traceback|<stack"
)
_ITEM = re.compile(r"\s*\(\d+\)\s*[A-Z_ ]+:\s*")
_TAGS = re.compile(r"{{(function_)?node [^}]*}}\s*|\s*\[Op:\w+\]")
