"""A finding about a document or a model: what, how bad, and where in the text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pellucid.notices import Hint, Words, python_words
from pellucid.printable import printable


class Severity(Enum):
    """An error makes a document unusable; a warning is advice."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding, at one place: ``file:line:column: path: message [code rule]``.

    `message` says what is wrong and `hint` what would be right; `end_column` is behind the last
    character that is meant, None where only the first is known.
    """

    message: str
    path: str = ""
    line: int | None = None
    column: int | None = None
    end_column: int | None = None
    severity: Severity = Severity.ERROR
    code: str = "MD000"
    rule: str = "problem"
    file: str | None = None
    hint: Hint | None = None

    def text(self, words: Words = python_words) -> str:
        """Return ``message; hint``, with settings in the words of an edge."""
        said = self.message
        if self.hint is not None:
            said += f"; {self.hint.sentence(words)}"
        return printable(said)

    def said(self, words: Words = python_words) -> str:
        """Return ``path: message; hint``, with settings in the words of an edge."""
        text = self.text(words)
        return f"{printable(self.path)}: {text}" if self.path else text

    def sentence(self, words: Words = python_words) -> str:
        """Return all of it on one line, with settings in the words of an edge."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        parts = [part for part in (place, self.said(words)) if part]
        return printable(f"{': '.join(parts)} [{self.code} {self.rule}]")

    def __str__(self) -> str:
        return self.sentence()
