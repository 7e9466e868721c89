"""Folders with numbers: the versions of a model, as TensorFlow Serving looks for them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pellucid.errors import ModelError, SpecError
from pellucid.notices import Where
from pellucid.serve.model_repository import (
    ModelEntry,
    Policy,
    check_name,
    find_versions,
    numbered,
)


def latest(count: int = 1) -> Policy:
    """Return the policy that serves the versions with the `count` greatest numbers."""
    return lambda numbers: set(sorted(numbers)[-count:])


def every() -> Policy:
    """Return the policy that serves all versions."""
    return lambda numbers: set(numbers)


def only(wanted: Collection[int]) -> Policy:
    """Return the policy that serves these versions, as far as they are there."""
    return lambda numbers: set(wanted).intersection(numbers)


def base_entries(base: Path) -> list[ModelEntry]:
    """Return the models of a folder with ``NAME/1``, ``NAME/2``, or of one with ``1``, ``2``.

    The latter is one model, called as the folder. Raises SpecError and ModelError.
    """
    where = Where(file=str(base))
    if not base.is_dir():
        what = "is a file, and not a folder of models" if base.exists() else "does not exist"
        raise ModelError(what, where=where)
    if numbered(base):
        return [entry(base.resolve().name, base, latest())]
    found = sorted(it for it in base.iterdir() if it.is_dir() and numbered(it))
    if not found:
        raise ModelError(
            "has no versions: models lie there as NAME/1/saved_model.pb",
            where=where,
            hint="name a directory with a single model as a model of its own",
        )
    return [entry(it.name, it, latest()) for it in found]


def entry(name: str, root: Path, policy: Policy) -> ModelEntry:
    """Return a model whose versions are folders with numbers. Raises SpecError and ModelError."""
    check_name(name, root)
    where = Where(file=str(root))
    if not root.is_dir():
        raise ModelError("does not exist", where=where)
    numbers = numbered(root)
    if not numbers:
        raise ModelError("has no versions: they lie there as 1/saved_model.pb", where=where)
    if not policy(list(numbers)):
        there = ", ".join(map(str, sorted(numbers)))
        raise SpecError(
            f"none of the versions that '{name}' asks for is there: {there}", where=where
        )
    made = ModelEntry(name, root, policy=policy)
    find_versions(made, lambda message: None)
    if not made.versions:
        raise ModelError("has only versions that lead out of it", where=where)
    return made
