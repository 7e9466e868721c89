"""Writes what the linter knows of TensorFlow's operations: ``python tests/make_operations.py``.

The result, ``core/pellucid/saved_model/operations.txt``, has a line for each operation of the installed
TensorFlow, its fields separated by tabs:

1. its name;
2. its outputs, ``name:type``: a type (``float32``), or an attribute that says it (``@T``, or
   ``@out_type=int32`` with a default); ``N*@T`` are as many as the attribute N says, ``*Tout`` is
   one for each type of a list;
3. what its gradient is: ``none`` is registered (asking for it is an error), ``stop`` (registered as
   not differentiable, or a function that gives None for every input), ``zero``, or one sign for
   each input: ``y``, ``n``, or ``?T``: differentiable if the attribute T is; a ``*`` after the sign
   stands for any number of inputs;
4. the attributes that name functions which it calls.

What gradient functions return is read off their source: a None that every one of their lists has
in one place, or zeros and nothing else.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "core" / "pellucid" / "saved_model" / "operations.txt"


def operations() -> Any:
    """Return the definitions of all operations, sorted."""
    from tensorflow.core.framework.op_def_pb2 import OpList
    from tensorflow.python.client import pywrap_tf_session

    buffer = pywrap_tf_session.TF_GetAllOpList()
    found = OpList.FromString(pywrap_tf_session.TF_GetBuffer(buffer)).op
    # Names that begin with an underscore are of the runtime, and graphs that are saved have none;
    # but for those of host calls, which a file can name all the same.
    return sorted(found, key=lambda op: op.name)


def table() -> str:
    """Return the text of the file."""
    from pellucid.runtime.engine.tensorflow import tf

    head = f"# TensorFlow {tf.__version__}, graphs of version {tf.version.GRAPH_DEF_VERSION}\n"
    return head + "".join(line(op) for op in operations())


def line(op: Any) -> str:
    outputs = ",".join(f"{a.name}:{written_type(op, a)}" for a in op.output_arg)
    calls = ",".join(a.name for a in op.attr if a.type in ("func", "list(func)"))
    return "\t".join([op.name, outputs, gradient(op), calls]).rstrip("\t") + "\n"


def written_type(op: Any, argument: Any) -> str:
    if argument.type_list_attr:
        return f"*{argument.type_list_attr}"
    name = type_name(argument.type) if argument.type else f"@{argument.type_attr}"
    for attr in op.attr:
        if attr.name == argument.type_attr and attr.HasField("default_value"):
            name += f"={type_name(attr.default_value.type)}"
    return f"{argument.number_attr}*{name}" if argument.number_attr else name


def type_name(number: int) -> str:
    from pellucid.runtime.engine.tensorflow import tf

    return str(tf.dtypes.as_dtype(number).base_dtype.name)


def gradient(op: Any) -> str:
    from tensorflow.python.framework import ops

    try:
        function = ops.gradient_registry.lookup(op.name)
    except LookupError:
        return "none"
    if function is None:
        return "stop"
    lists, others, raises = returned(function)
    if not lists and not others:
        return "none" if raises else "stop"
    if not others and all(set(it) == {"None"} for it in lists):
        return "stop"
    if all(_is_zeros(word) for it in lists for word in it) and all(map(_is_zeros, others)):
        return "zero"
    never = set()
    if lists and not others:
        places = range(max(map(len, lists)))
        never = {i for i in places if all(it[i : i + 1] in ([], ["None"]) for it in lists)}
    return ",".join(
        ("n" if place in never else flow(op, argument))
        + ("*" if argument.number_attr or argument.type_list_attr else "")
        for place, argument in enumerate(op.input_arg)
    )


def _is_zeros(word: str) -> bool:
    return word.startswith(("array_ops.zeros(", "array_ops.zeros_like("))


def flow(op: Any, argument: Any) -> str:
    """Return whether a gradient can be taken for an input, by its type."""
    from tensorflow.python.eager import backprop_util

    if argument.type_list_attr:
        return "y"
    if argument.type:
        return "y" if backprop_util.IsTrainable(argument.type) else "n"
    if any(argument.type_attr == output.type_attr for output in op.output_arg):
        return "y"
    (attr,) = (it for it in op.attr if it.name == argument.type_attr)
    allowed = attr.allowed_values.list.type
    kinds = {backprop_util.IsTrainable(number) for number in allowed}
    return f"?{attr.name}" if len(kinds) != 1 else "y" if True in kinds else "n"


def returned(function: Any) -> tuple[list[list[str]], list[str], bool]:
    """Return the lists that a function returns, the other expressions, and whether it raises."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    lists: list[list[str]] = []
    others: list[str] = []
    raises = False
    for node in _own_nodes(definition):
        raises |= isinstance(node, ast.Raise)
        if isinstance(node, ast.Return):
            value = node.value
            if isinstance(value, ast.Tuple | ast.List):
                lists.append([ast.unparse(it) for it in value.elts])
            elif value is None or ast.unparse(value) == "None":
                lists.append(["None"])
            else:
                others.append(ast.unparse(value))
    return lists, others, raises


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.Lambda):
            yield child
            yield from _own_nodes(child)


if __name__ == "__main__":
    TARGET.write_text(table(), "utf-8")
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")
