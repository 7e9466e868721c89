"""The errors a caller may catch.

Every error carries, as data, where the fault is, what it is and what would be right; ``str(error)``
is one sentence of them, for Python users, and `sentence` the same in the words of another edge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import SequenceMatcher, get_close_matches
from typing import Any, TypeVar

from pellucid.notices import Hint, Notice, Where, Words, python_words
from pellucid.printable import printable
from pellucid.problems import Problem, Severity

Error = TypeVar("Error", bound="PellucidError")


FOREIGN: tuple[type[Exception], ...] = (Exception,)
"""What other people's decoders and encoders raise when they stumble over data: anything at all."""

_MOST_LINES = 200


class PellucidError(Exception):
    """The root of all errors that Pellucid raises on purpose."""

    def __init__(
        self, what: str = "", *, where: Where | None = None, hint: Hint | str | None = None
    ) -> None:
        super().__init__(what)
        if isinstance(hint, str):
            hint = Hint.plain(hint) if hint else None
        self.notice = Notice(what, where or Where(), hint)

    @property
    def where(self) -> Where:
        """The place of the fault, as far as it is known."""
        return self.notice.where

    @property
    def what(self) -> str:
        """The fault, without its place."""
        return self.notice.what

    @property
    def hint(self) -> Hint | None:
        """What would be right."""
        return self.notice.hint

    def at(self: Error, where: Where | None = None, **place: Any) -> Error:
        """Return the error with its place in an outer one, given as a `Where` or by its fields."""
        return self._saying(self.notice.at(where, **place))

    def under(self: Error, heading: str) -> Error:
        """Return the error as the reason for something else, which `heading` says."""
        return self._saying(self.notice.under(heading))

    def sentence(self, words: Words = python_words) -> str:
        """Return ``where: what; hint``, with settings in the words of an edge."""
        return self.notice.sentence(words)

    def __str__(self) -> str:
        return self.sentence()

    def _saying(self: Error, notice: Notice) -> Error:
        # A copy: one error may be told to several who wait, each with a place of its own. (What
        # `copy` does of errors is changed by packages that pickle tracebacks.)
        made = Exception.__new__(type(self), *self.args)  # of MemoryError, it refuses others
        made.__dict__.update(self.__dict__)
        made.notice = notice
        made.__cause__, made.__traceback__ = self.__cause__, self.__traceback__
        return made


class SpecError(PellucidError):
    """Metadata or parameters that cannot be used: one line for each fault.

    ``problems`` holds every problem that was found in a document, warnings included; where nothing
    else is said, the errors among them are the sentence.
    """

    def __init__(
        self,
        what: str = "",
        problems: Sequence[Problem] = (),
        *,
        where: Where | None = None,
        hint: Hint | str | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.problems = tuple(problems)

    def sentence(self, words: Words = python_words) -> str:
        """Return ``where: what; hint``, or a line for each error of a document."""
        if self.what or not self.problems:
            return super().sentence(words)
        errors = [it for it in self.problems if it.severity is Severity.ERROR]
        lines = [it.sentence(words) for it in errors[:_MOST_LINES]]
        if len(errors) > len(lines):
            whose = printable(errors[0].file or "the document")
            lines.append(f"{whose}: has more errors than are shown here")
        return "\n".join(lines)


class ModelError(PellucidError):
    """A SavedModel that cannot be read, loaded or run, with the true reason."""


class UnsafeModelError(ModelError):
    """A model that would touch more than tensors, and is not trusted to."""


class EndlessCallsError(ModelError):
    """A model whose functions call each other in a circle, too deep, or far too often."""


class NotDifferentiableError(ModelError):
    """No gradient reaches an explained tensor, so a gradient method has nothing to say about it."""


class InstanceError(PellucidError):
    """An instance that does not fit the model; ``index`` is its place in the request, if known.

    Of one row in a block of several, `row` tells which, until its place in the request is known.
    """

    def __init__(
        self,
        what: str = "",
        row: int | None = None,
        *,
        where: Where | None = None,
        hint: Hint | str | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.row = row

    @property
    def index(self) -> int | None:
        """The place of the instance in its request."""
        return self.row if self.where.instance is None else self.where.instance


class OutOfMemoryError(InstanceError, MemoryError):
    """An instance that there is not enough memory for."""

    def __init__(
        self,
        what: str = "there is not enough memory for it",
        row: int | None = None,
        *,
        where: Where | None = None,
        hint: Hint | str | None = None,
    ) -> None:
        super().__init__(what, row, where=where, hint=hint or "make it smaller first")


@contextmanager
def memory_for(where: Where) -> Iterator[None]:
    """Turn a MemoryError into an OutOfMemoryError that names whom there was no memory for."""
    try:
        yield
    except OutOfMemoryError:
        raise
    except MemoryError as error:
        raise OutOfMemoryError(where=where) from error


class PredictorError(PellucidError):
    """A predictor that does not answer, is `late`, or has `answered` what is no answer."""

    def __init__(
        self,
        what: str = "",
        *,
        late: bool = False,
        answered: bool = False,
        where: Where | None = None,
        hint: Hint | str | None = None,
    ) -> None:
        super().__init__(what, where=where, hint=hint)
        self.late = late
        self.answered = answered


class OutputError(PellucidError):
    """A result that cannot be written where it was asked for."""


class DependencyError(PellucidError):
    """An optional dependency that is needed and not installed; the sentence says what to type."""


def refuse_remote(path: object, error: type[PellucidError] = PellucidError) -> None:
    """Raise `error` for an address, ``gs://bucket/model``, in the place of a path.

    Nothing fetches it where this is asked; taken for a path, it would be that of a folder called
    ``gs:``.
    """
    found = _SCHEME.match(str(path))
    if found is None:
        return
    scheme, rest = found.groups()
    where = Where(file=f"{scheme}://{rest}")
    if scheme.lower() == "file":
        raise error("is an address, not a path", where=where, hint="name the path alone")
    writes = issubclass(error, OutputError)
    hint = "write here and copy the result" if writes else "copy it here and name the copy"
    raise error("is not on this machine", where=where, hint=hint)


# A `Path` has one of the two slashes; one letter is a drive of Windows.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)


def did_you_mean(word: str, known: Sequence[str], *, count: int = 3, cutoff: float = 0.6) -> str:
    """Return ``"; did you mean 'a' or 'b'?"`` for the known words nearest to `word`, or ``""``."""
    hint = meant(word, known, count=count, cutoff=cutoff)
    return f"; {hint}" if hint else ""


def meant(
    word: str,
    known: Sequence[str],
    *,
    count: int = 3,
    cutoff: float = 0.6,
    asked: str = "did you mean",
) -> str:
    """Return the hint ``"did you mean 'a' or 'b'?"``, or ``""`` where no known word is near."""
    lowered = {name.lower(): name for name in reversed(list(known))}
    near = get_close_matches(word.lower(), list(lowered), n=count, cutoff=cutoff)
    if not near:
        return ""
    # Where one word is much nearer than the others, it is the one that was meant.
    far = [1 - SequenceMatcher(None, name, word.lower()).ratio() for name in near]
    near = [name for name, it in zip(near, far, strict=True) if it <= 3 * far[0]]
    return f"{asked} " + " or ".join(f"'{lowered[name]}'" for name in near) + "?"
