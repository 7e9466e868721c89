"""A finding about a document or a model: what, how bad, and where in the text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """An error makes a document unusable; a warning is advice."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One finding, at one place: ``file:line:column: path: message [code rule]``.

    `end_column` is behind the last character that is meant, None where only the first is known.
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

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        parts = [part for part in (place, self.path, self.message) if part]
        return f"{': '.join(parts)} [{self.code} {self.rule}]"
