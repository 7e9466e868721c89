"""The truth: how what people wrote is matched to classes, and how it is counted."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pellucid.batch.items import Item
from pellucid.batch.truth import KEPT, NAMED, Judge, Tally, Truth, Verdict
from pellucid.errors import SpecError
from pellucid.inputs import Instance

ITEM = Item(number=0, source="in/a.png", path="/in/a.png", place="a.png", kind="picture")
Names = tuple[str, ...] | None


def judge(
    names: Names, said: list[str], *, logits: bool = False, outputs: int = 1,
    truth: Truth = Truth(column="c"),
) -> Judge:  # fmt: skip
    output = SimpleNamespace(index_name_mapping=names)
    metadata = SimpleNamespace(output=output, outputs=[output] * outputs)
    model = SimpleNamespace(metadata=metadata, compiler=SimpleNamespace(logits=logits))
    return Judge(truth, cast(Any, model), lambda message, warning: said.append(str(message)))


def verdict(judge: Judge, written: str | None, prediction: Any, item: Item = ITEM) -> Verdict:
    instance = Instance(
        value=None, tensors={}, extras={} if written is None else {"truth": written}
    )
    return judge.of(item, instance, cast(Any, SimpleNamespace(prediction=np.array(prediction))))


@pytest.mark.parametrize(
    "names, written, truth",
    [
        (("cat", "golden_retriever"), "Golden Retriever", "golden_retriever"),
        (("cat", "Cat", "dog"), "Cat", "Cat"),
        (("cat", "Cat", "dog"), "CAT", None),  # which of the two?
        (("1", "0", "x"), "1", "1"),  # a name goes before an index
        (("a", "b", "c"), "2.0", "c"),
        (("a", "b", "c"), "3", None),
        (("a", "b", "c"), "-1", None),
        (None, "1", "1"),
        (("a", "b", "c"), None, None),
        (("a", "b", "c"), "nan", None),
        (("a", "none", "c"), "none", "none"),
        (("猫", "犬", "鳥"), "犬", "犬"),
    ],
)
def test_a_truth_is_matched_by_name_else_nearly_else_by_index(
    names: Names, written: str | None, truth: str | None
) -> None:
    said: list[str] = []
    found = verdict(judge(names, said), written, [0.1, 0.7, 0.2][: len(names or "abc")])
    assert found.truth == truth and found.label == (names or "012")[1]
    assert bool(said) == (written not in (*(names or ("1",)), "nan"))
    if written is None:
        assert said == [
            "in/a.png: a picture has no columns, and so no truth in one called 'c'; say 'folder' "
            "for the names of the folders, or name a CSV file of names and labels"
        ]


def test_one_number_says_yes_or_no_and_that_is_said() -> None:
    said: list[str] = []
    told = judge(("fraud",), said)
    assert verdict(told, "Not fraud", [0.4]).truth == "not fraud"
    assert verdict(told, "fraud", [0.5]).label == "fraud"
    assert said[0] == (
        "the output is one number: from 0.5 on, it says 'fraud', and below 'not fraud'"
    )
    assert verdict(judge(None, said, logits=True), "1", 7.1).label == "1"
    assert not any("no probability" in it for it in said)
    assert [verdict(told, "fraud", [it]).label for it in (7.1, 8.0)] == ["fraud", "fraud"]
    (doubt,) = (it for it in said if "no probability" in it)
    assert "the output is 7.1, which is no probability, and is cut at 0.5 all the same" in doubt


def test_what_tells_no_classes_apart_is_refused() -> None:
    with pytest.raises(SpecError, match="several outputs are explained"):
        judge(None, [], outputs=2)
    with pytest.raises(SpecError, match=r"has the shape \[2, 2\]"):
        verdict(judge(None, []), "1", [[0.1, 0.2], [0.3, 0.4]])


def test_words_that_are_no_class_are_named_and_counted_within_bounds() -> None:
    said: list[str] = []
    told = judge(("a", "b"), said)
    words = [f"w{it}" for it in range(KEPT + 5)] * 2
    found = Tally.of(verdict(told, word, [0.9, 0.1]) for word in words)
    assert 1 <= len(said) <= NAMED + 1
    assert said[0] == "in/a.png: the truth 'w0' is no class; the classes are 'a', 'b'"
    assert len(found.unmatched) == KEPT and found.others == 10
    both = Tally.read(json.loads(json.dumps(found.document())))
    both.add(Tally.of([Verdict(truth="a", label="b"), Verdict(truth=None, label="b")]))
    totals = both.totals()
    assert (totals["accuracy"], totals["without"], totals["unmatchedOthers"]) == (0.0, 1, 10)
    assert found.totals()["accuracy"] is None
    assert found.sentence == f"no input has a truth that is the name or the number of a class; {len(words)} with a truth " \
        "that is no class"  # fmt: skip


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("name,label\n", "names no input; its first line has titles, as in name,label"),
        ("name\na.png\n", "1: has 1 column, and the truth is two: a name and a label"),
        ("n,l\na,x\na,y\n", "3: 'a' has two labels, 'x' and 'y'"),
        ("n,l\n\udcff,x\n", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_list_of_labels_is_refused(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "truth.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SpecError) as caught:
        _ = Truth(file=path).labels
    assert sentence in str(caught.value)


def test_a_file_names_inputs_by_id_path_or_file_name(tmp_path: Path) -> None:
    path = tmp_path / "truth.tsv"
    path.write_text("name\tlabel\n7\tby id\nin/a.png\tby path\nb.png\tby name\n", "utf-8-sig")
    truth = pickle.loads(pickle.dumps(Truth(file=path)))  # as other processes have it
    bare, named = (
        Instance(value=None, tensors={}),
        Instance(value=None, tensors={}, extras={"id": 7}),
    )
    assert truth.of(ITEM, named) == "by id" and truth.of(ITEM, bare) == "by path"
    other = Item(number=1, source="x/b.png", path="/x/b.png", place="x/b.png", kind="picture")
    assert truth.of(other, bare) == "by name"
    assert Truth().of(other, bare) == "x"


def test_titles_that_are_a_label_and_names_of_several_inputs_are_doubted(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_text("a.png,Cat\nb.png,dog\nx/c.png,cat\n")
    said: list[str] = []
    told = judge(("cat", "dog"), said, truth=Truth(file=path))
    sources = ["x/b.png", "x/c.png", "y/b.png", "z/b.png"]
    items = [Item(number=0, source=it, path=it, place=it, kind="picture") for it in sources]
    found = [verdict(told, None, [0.9, 0.1], it).truth for it in items]
    assert found == ["dog", "cat", "dog", "dog"]
    titles, several = said
    assert "the first line is taken for titles, and 'Cat' is a class" in titles
    assert "'b.png' names several inputs, which get the same label; write their paths" in several
