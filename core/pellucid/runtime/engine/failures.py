"""What TensorFlow raises, and the one sentence that it comes down to."""

from __future__ import annotations

import re

from pellucid.printable import printable
from pellucid.runtime.engine.tensorflow import UnliftableError, tf

NETWORK = "network/"
"""The beginning of the names of operations that were imported to be differentiated."""


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


class AllRefusedError(Exception):
    """Every row of a block is refused by itself: `why` is what was said of the first, at `row`."""

    def __init__(self, row: int, why: Exception) -> None:
        super().__init__(str(row))
        self.row, self.why = row, why


# What TensorFlow raises when it cannot import, differentiate or run a graph.
FAILURES = (
    Unsupported,
    AllRefusedError,
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
# What it raises for values that an operation does not take, such as a damaged JPEG. Where its words
# quote bytes that are no text, Python cannot read them, and raises what it says of that instead.
DATA = (
    tf.errors.InvalidArgumentError,
    tf.errors.OutOfRangeError,
    tf.errors.DataLossError,
    UnicodeDecodeError,
)
# What TensorFlow says may quote a whole record.
LONGEST = 300


def refused_row(error: Exception) -> int | None:
    """Return which row of a block was refused, if that is known."""
    return error.row if isinstance(error, AllRefusedError) else None


def sentence(error: Exception) -> str:
    """Return the line of a TensorFlow error that says what happened, and where."""
    if isinstance(error, AllRefusedError):
        return sentence(error.why)
    text = str(error)
    if isinstance(error, UnicodeDecodeError):
        text = error.object.decode("utf-8", "backslashreplace")
    nodes = re.findall(r"{{node ([^}]+)}}", text) or re.findall(r"^Node: '([^']+)'", text, re.M)
    found = ""
    for line in text.splitlines():
        # Indented lines are of stack traces, but for the items of a list of errors.
        if _NOISE.match(line) or (line[:1].isspace() and not _ITEM.match(line)):
            continue
        found = _TAGS.sub("", _ITEM.sub("", line)).strip().rstrip(".")
        if found:
            break
    found = printable(found)
    if len(found) > LONGEST:
        found = f"{found[: LONGEST - 60]}…{found[-59:]}"
    found = found or type(error).__name__
    node = nodes[0].removeprefix(NETWORK) if nodes else ""
    return f"{found} (at '{node}')" if node and node not in found else found


_NOISE = re.compile(
    r"\d+ root error|Graph execution error|Detected at node|Node: '|Traceback|<stack"
)
_ITEM = re.compile(r"\s*\(\d+\)\s*[A-Z_ ]+:\s*")
_TAGS = re.compile(r"{{(function_)?node [^}]*}}\s*|\s*\[Op:\w+\]")
