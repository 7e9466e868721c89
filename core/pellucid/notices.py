"""What is said to people, as data: where, what, and a hint; each edge makes its own sentence of it.

Whoever finds a fault says what it is; whoever called adds the place, as the fault climbs. A hint
names settings by their Python keywords, in braces, and an edge writes them as its users do:

>>> hint = Hint("choose one of {keys} with {output}", keys="'a', 'b'")
>>> str(Notice("there are several outputs", where=Where(file="model"), hint=hint))
"model: there are several outputs; choose one of 'a', 'b' with output=…"
>>> hint.sentence(lambda advice: f"the setting {advice.name}")
"choose one of 'a', 'b' with the setting output"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from string import Formatter
from typing import Any, Protocol, TypeAlias

from pellucid.printable import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A place: a file, a position in it, an instance, and the path of a value below these.

    `instance` counts from 0 in its request or file. `name` is what people call the instance, and
    shown instead of the number: a picture's file, or an example by its id.
    """

    file: str = ""
    line: int | None = None
    column: int | None = None
    instance: int | None = None
    name: str = ""
    path: str = ""

    def __str__(self) -> str:
        # An index follows at once, a key after a dot.
        path = self.path if self.path.startswith("[") or not self.path else f".{self.path}"
        parts = [self._position()]
        if self.name:
            parts += [self.name, self.path]
        elif self.line is not None:
            parts[0] += path
        elif self.instance is not None:
            parts.append(f"instances[{self.instance}]{path}")
        else:
            parts.append(self.path)
        return ": ".join(part for part in parts if part)

    def _position(self) -> str:
        if self.line is None:
            return self.file
        if self.file:
            return ":".join(str(it) for it in (self.file, self.line, self.column) if it is not None)
        return f"line {self.line}" + (f", column {self.column}" if self.column is not None else "")

    def below(self, part: str) -> Where:
        """Return the place of a value in this one: a key, or ``[i]``."""
        dot = "" if not self.path or not part or part.startswith("[") else "."
        return replace(self, path=f"{self.path}{dot}{part}")

    def within(self, outer: Where) -> Where:
        """Return this place as one in `outer`, which knows best which instance it is."""
        here = self if self.file or self.line is not None else outer
        return Where(
            file=here.file,
            line=here.line,
            column=here.column,
            instance=self.instance if outer.instance is None else outer.instance,
            name=outer.name or self.name,
            path=outer.below(self.path).path,
        )


@dataclass(frozen=True, slots=True)
class Advice:
    """A setting that is advised, by the keyword of `command`, or of the call that was made.

    A `value` of None is for people to choose. It is `determined` where it stands behind "another"
    or "a", so that it can have no article of its own.
    """

    name: str
    value: Any = None
    command: str = ""
    determined: bool = field(default=False, compare=False)


Words: TypeAlias = Callable[[Advice], str]
"""How an edge writes a setting."""

# What a command is in Python, where a hint is not about the call that failed.
_CALLS = {"index": "LoadedModel.index", "init_metadata": "draft_metadata"}


def python_words(setting: Advice) -> str:
    """Return a setting as it is written in a call: ``output=…``, ``query='fast'``."""
    if setting.name == "raw":  # a file, which is a call's own to write
        return "pellucid.responses.pack"
    keyword = f"{setting.name}={'…' if setting.value is None else repr(setting.value)}"
    call = _CALLS.get(setting.command)
    return f"{call}({keyword})" if call else keyword


@dataclass(frozen=True, slots=True, init=False)
class Hint:
    """What would be right: texts, and settings between them.

    In the template, a field in braces is one of `values`, or else a setting: ``{output}``,
    ``{query:fast}``, ``{signature:{key}}`` with a value, ``{index.force:True}`` of a command.
    """

    parts: tuple[str | Advice, ...]

    def __init__(self, template: str, **values: Any) -> None:
        object.__setattr__(self, "parts", tuple(_parts(template, values)))

    @classmethod
    def plain(cls, text: str) -> Hint:
        """Return a text as it is, braces and all."""
        return cls("{text}", text=text)

    def by(self, command: str) -> Hint:
        """Return the hint with settings of a command, where it is not the call that failed."""
        return self._with(
            replace(it, command=command) if isinstance(it, Advice) else it for it in self.parts
        )

    def each(self, change: Callable[[str], str]) -> Hint:
        """Return the hint with each of its texts changed."""
        return self._with(change(it) if isinstance(it, str) else it for it in self.parts)

    def _with(self, parts: Iterable[str | Advice]) -> Hint:
        made = Hint("")
        object.__setattr__(made, "parts", tuple(parts))
        return made

    @property
    def settings(self) -> tuple[Advice, ...]:
        """The settings that are named."""
        return tuple(part for part in self.parts if isinstance(part, Advice))

    def sentence(self, words: Words = python_words) -> str:
        """Return the text, with the settings in the words of an edge."""
        return "".join(part if isinstance(part, str) else words(part) for part in self.parts)

    def __str__(self) -> str:
        return self.sentence()


_DETERMINED = re.compile(r".*\b(a|an|another|each|every|its|no|the)\s+", re.DOTALL)


def _parts(template: str, values: Mapping[str, Any]) -> Iterator[str | Advice]:
    for text, named, value, _ in Formatter().parse(template):
        if text:
            yield text
        if named is None:
            continue
        if named in values:
            yield str(values[named])
        else:
            command, _, name = named.rpartition(".")
            determined = _DETERMINED.fullmatch(text) is not None
            yield Advice(name, _value(value or "", values), command, determined)


def _value(written: str, values: Mapping[str, Any]) -> Any:
    if written.startswith("{"):
        return values[written[1:-1]]
    return {"": None, "True": True}.get(written, written)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that people should know: where it is, what it is, and what would be right.

    Of several of one `kind`, that of the highest `badness` stands for all; where no kind is named,
    it is what they say.
    """

    what: str
    where: Where = Where()
    hint: Hint | None = None
    kind: str = field(default="", compare=False)
    badness: float = field(default=0.0, compare=False)

    def at(self, where: Where | None = None, **place: Any) -> Notice:
        """Return it with its place in an outer one, given as a `Where` or by its fields."""
        return replace(self, where=self.where.within(where or Where(**place)))

    def under(self, heading: str) -> Notice:
        """Return it as the reason for something else, which `heading` says; the hint stays."""
        place = str(self.where)
        what = ": ".join(part for part in (heading, place, self.what) if part)
        return Notice(what, hint=self.hint)

    def each(self, change: Callable[[str], str]) -> Notice:
        """Return it with each of its texts changed."""
        where = replace(
            self.where,
            file=change(self.where.file),
            name=change(self.where.name),
            path=change(self.where.path),
        )
        hint = self.hint and self.hint.each(change)
        return replace(self, what=change(self.what), where=where, hint=hint)

    def sentence(self, words: Words = python_words) -> str:
        """Return ``where: what; hint`` on one line, with settings in the words of an edge."""
        place = str(self.where)
        said = f"{place}: {self.what}" if place else self.what
        if self.hint is not None:
            said += f"; {self.hint.sentence(words)}"
        return printable(said)

    def __str__(self) -> str:
        return self.sentence()


class Message(Protocol):
    """What an edge can make a sentence of: a notice, a problem of a document, or an error."""

    def sentence(self, words: Words = python_words) -> str:
        """Return the sentence, with settings in the words of an edge."""
        ...


Warn: TypeAlias = Callable[[Message], None]
"""Who is told of what is worth knowing."""
