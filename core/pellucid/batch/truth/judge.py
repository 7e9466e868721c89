"""What a model says beside the truth, which is matched to its classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pellucid.api import LoadedModel
from pellucid.batch.items import Item
from pellucid.batch.truth.sources import Truth
from pellucid.errors import SpecError, meant
from pellucid.explain import Explanation, name_at
from pellucid.inputs import Instance
from pellucid.notices import Hint, Message, Notice, Where

NAMED = 10
"""Words that are no class, of which so many are said while a process runs."""

_NOTHING = frozenset(("", "nan", "none", "null"))
_WHERE = Where(path="truth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an input is and what the model says it is; `written` is what is no class."""

    truth: str | None
    label: str
    written: str = ""


class Judge:
    """Compares what a model says with the truth; what was assumed or is unknown is said.

    `say` is told whether it is a warning. Raises SpecError for a model that tells no classes apart.
    """

    def __init__(
        self, truth: Truth, model: LoadedModel, say: Callable[[Message, bool], None]
    ) -> None:
        if len(model.metadata.outputs) > 1:
            what = "the truth is one label, and several outputs are explained"
            raise SpecError(what, where=_WHERE, hint=Hint("choose one with {output}"))
        _ = truth.document, truth.labels  # what cannot be read is said before anything is explained
        self._truth, self._say = truth, say
        self._names = model.metadata.output.index_name_mapping
        self._middle = 0.0 if model.compiler.logits else 0.5
        self._classes: Sequence[str] = ()
        self._told = set[str]()
        self._paths = dict[str, str]()

    def of(self, item: Item, instance: Instance, explanation: Explanation) -> Verdict:
        """Return the truth of an input beside what the model says."""
        prediction = np.asarray(explanation.prediction)
        if prediction.ndim > 1 and prediction.size > 1:
            shape = list(prediction.shape)
            what = f"the truth is one label, and the output of one instance has the shape {shape}"
            raise SpecError(what, where=_WHERE)
        classes = self._classes = self._classes or self._called(prediction.size)
        if prediction.size == 1:
            self._tell(
                f"the output is one number: from {self._middle:g} on, it says '{classes[1]}', and "
                f"below '{classes[0]}'"
            )
            self._doubt_share(float(prediction.item()), item)
            label = classes[int(prediction.item() >= self._middle)]
        else:
            label = classes[int(np.argmax(prediction))]
        written = self._truth.of(item, instance).strip()
        if instance.truth is None and item.kind == "picture" and self._truth.column is not None:
            self._doubt_column(self._truth.column, item)
        if self._truth.file is not None:
            self._doubt(self._truth.file, item, self._truth.name_of(item, instance))
        if written.casefold() in _NOTHING and written not in classes:
            return Verdict(truth=None, label=label)
        place = self._place(written)
        if place is None:
            self._warn(written, item)
            return Verdict(truth=None, label=label, written=written)
        return Verdict(truth=classes[place], label=label)

    def _called(self, size: int) -> list[str]:
        names = [name_at(self._names, (i,)) for i in range(size)]
        if size == 1:
            return ["0", "1"] if names[0] is None else [f"not {names[0]}", names[0]]
        return [str(i) if name is None else name for i, name in enumerate(names)]

    @cached_property
    def _exact(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self._classes)}

    @cached_property
    def _alike(self) -> dict[str, int]:
        """The classes by their names in small letters, without separators; but for the same."""
        plain = [_plain(name) for name in self._classes]
        counts = Counter(plain)
        return {it: place for place, it in enumerate(plain) if it and counts[it] == 1}

    def _place(self, written: str) -> int | None:
        if written in self._exact:
            return self._exact[written]
        place = self._alike.get(_plain(written))
        if place is not None:
            self._tell(
                "letter case and separators are passed over in the truth: "
                f"'{written}' is the class '{self._classes[place]}'",
                "case",
            )
            return place
        if (index := _index(written)) is None or index >= len(self._classes):
            return None
        self._tell(
            f"numbers in the truth are indices of classes, from 0: '{written}' is the class "
            f"'{self._classes[index]}'",
            "index",
        )
        return index

    def _doubt(self, file: Path, item: Item, name: str) -> None:
        """Warn where the line of titles may be missing, and of a name that several inputs have."""
        found, title = list[tuple[str, str]](), self._truth.title
        if title in self._exact or _plain(title) in self._alike:
            what = f"the first line is taken for titles, and '{title}' is a class"
            found.append((what, "begin the file with a line as name,label"))
        if name and self._paths.setdefault(name, item.path) != item.path:
            what = f"'{name}' names several inputs, which get the same label"
            found.append((what, "write their paths"))
        for what, hint in found:
            if what not in self._told and len(self._told) <= NAMED:
                self._told.add(what)
                self._say(Notice(what, Where(file=str(file)), Hint.plain(hint)), True)

    def _doubt_column(self, column: str, item: Item) -> None:
        """Warn once that a picture has no columns."""
        if "column" not in self._told:
            self._told.add("column")
            what = f"a picture has no columns, and so no truth in one called '{column}'"
            hint = (
                "say 'folder' for the names of the folders, or name a CSV file of names and labels"
            )
            self._say(Notice(what, item.where, Hint.plain(hint)), True)

    def _doubt_share(self, value: float, item: Item) -> None:
        """Warn once where the one number is no probability, which is what 0.5 is the middle of."""
        if self._middle and not 0 <= value <= 1 and "share" not in self._told:
            self._told.add("share")
            what = (
                f"the output is {value:g}, which is no probability, and is cut at 0.5 all the same"
            )
            self._say(Notice(what, item.where), True)

    def _tell(self, what: str, kind: str = "") -> None:
        """Say something once of its kind."""
        if (kind or what) not in self._told:
            self._told.add(kind or what)
            self._say(Notice(what), False)

    def _warn(self, written: str, item: Item) -> None:
        """Name a word that is no class, up to so many of them."""
        key = f"no class: {written}"
        if key in self._told or len(self._told) > NAMED:
            return
        self._told.add(key)
        known = list(self._classes)
        listed = ", ".join([*(f"'{it}'" for it in known[:20]), *["…"] * (len(known) > 20)])
        hint = meant(written, known) or f"the classes are {listed}"
        what = f"the truth '{written}' is no class"
        self._say(Notice(what, item.where, Hint.plain(hint)), True)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _index(written: str) -> int | None:
    """Return the index that a number is, as in ``3`` or ``3.0``; None for anything else."""
    found = re.fullmatch(r"(\d{1,9})(\.0*)?", written, re.ASCII)
    return int(found[1]) if found else None
