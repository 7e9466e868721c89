"""The errors a caller may catch.

Every error carries one sentence that says where the fault is, what it is and what would be right,
so that a program can print ``str(error)`` and a person knows what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.problems import Problem


class PellucidError(Exception):
    """The root of all errors that Pellucid raises on purpose."""

    def __str__(self) -> str:
        # What people sent may be quoted, and half a surrogate pair cannot be written anywhere.
        return super().__str__().encode("utf-8", "replace").decode()


class SpecError(PellucidError):
    """Metadata or parameters that cannot be used: one line for each fault.

    ``problems`` holds every problem that was found in a document, warnings included.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class ModelError(PellucidError):
    """A SavedModel that cannot be read, loaded or run, with the true reason."""


class UnsafeModelError(ModelError):
    """A model that would touch more than tensors, and is not trusted to."""


class NotDifferentiableError(ModelError):
    """No gradient reaches an explained tensor, so a gradient method has nothing to say about it."""


class InstanceError(PellucidError):
    """An instance that does not fit the model; ``index`` is its place in the request, if known."""

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index


class OutputError(PellucidError):
    """A result that cannot be written where it was asked for."""


class DependencyError(PellucidError):
    """An optional dependency that is needed and not installed; the sentence says what to type."""


def did_you_mean(word: str, known: Sequence[str], *, count: int = 3, cutoff: float = 0.6) -> str:
    """Return ``"; did you mean 'a' or 'b'?"`` for the known words nearest to `word`, or ``""``."""
    lowered = {name.lower(): name for name in reversed(list(known))}
    near = get_close_matches(word.lower(), list(lowered), n=count, cutoff=cutoff)
    if not near:
        return ""
    # Where one word is much nearer than the others, it is the one that was meant.
    far = [1 - SequenceMatcher(None, name, word.lower()).ratio() for name in near]
    near = [name for name, it in zip(near, far, strict=True) if it <= 3 * far[0]]
    return "; did you mean " + " or ".join(f"'{lowered[name]}'" for name in near) + "?"
