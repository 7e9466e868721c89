"""What is said to people: places add up as faults climb, and hints are written as each edge does."""

from __future__ import annotations

import inspect
import pickle
import re
from dataclasses import fields
from pathlib import Path

import pytest

from hints import hints, settings
from pellucid.api import LoadedModel, load
from pellucid.errors import InstanceError, ModelError, PellucidError, SpecError
from pellucid.linter import draft_metadata
from pellucid.metadata import CallSettings, Dialect
from pellucid.metadata.documents import convert_metadata
from pellucid.notices import Advice, Hint, Notice, Where
from pellucid.problems import Problem, Severity
from pellucid.serve.http_errors import server_words


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (Where(), ""),
        (Where(file="model"), "model"),
        (Where(file="a.json", line=3, column=7), "a.json:3:7"),
        (Where(line=3, column=7), "line 3, column 7"),
        (Where(line=3), "line 3"),
        (Where(file="a.json", instance=2), "a.json: instances[2]"),
        (Where(instance=2, path="image[0][1]"), "instances[2].image[0][1]"),
        (Where(instance=2, path="[0][1]"), "instances[2][0][1]"),
        # Of a line people see the line: the number of its instance is for programs.
        (Where(file="a.csv", line=4, instance=2, path="x"), "a.csv:4.x"),
        (Where(file="m.json", path="inputs.x"), "m.json: inputs.x"),
        (Where(name="cat.png", instance=2), "cat.png"),
        (Where(name="cat.png", path="depth"), "cat.png: depth"),
    ],
)
def test_a_place_is_written_as_people_read_it(where: Where, text: str) -> None:
    assert str(where) == text


def test_what_climbs_gets_its_place_from_outside() -> None:
    inner = InstanceError("is odd", 1, where=Where(path="[3]"), hint="take 4")
    assert (inner.index, str(inner)) == (1, "[3]: is odd; take 4")
    outer = inner.at(path="image").at(instance=7).at(file="a.json")
    assert str(outer) == "a.json: instances[7].image[3]: is odd; take 4"
    assert outer.where == Where(file="a.json", instance=7, path="image[3]")
    assert (type(outer), outer.what, outer.index) == (InstanceError, "is odd", 7)
    assert str(inner) == "[3]: is odd; take 4", "it is told to others, too"


def test_the_number_of_an_instance_is_that_in_the_whole_the_line_that_in_the_file() -> None:
    seventh = Notice("is odd", Where(instance=7))
    assert str(seventh.at(Where(file="a.jsonl", line=4, instance=3))) == "a.jsonl:4: is odd"
    assert str(seventh.at(Where(file="a.json", instance=0))) == "a.json: instances[0]: is odd"
    read = Notice("is odd", Where(file="b.json", line=2))
    assert str(read.at(file="a.json")) == "b.json:2: is odd", "the inner one knows it better"


def test_a_reason_keeps_its_hint_at_the_end() -> None:
    error = ModelError("is empty", where=Where(file="m"), hint=Hint("set {output}"))
    assert str(error.under("not loaded").at(name="a")) == "a: not loaded: m: is empty; set output=…"


@pytest.mark.parametrize(
    ("template", "python", "server"),
    [
        ("set {output}", "set output=…", "set the server's setting 'output'"),
        ("set {query:fast}", "set query='fast'", "set the server's setting 'query' fast"),
        ("add {force:True}", "add force=True", "add the server's setting 'force' True"),
        ("set {tags:{given}}", "set tags=('a', 'b')", "set the server's setting 'tags' ('a', 'b')"),
        (
            "see {index.force:True}",
            "see LoadedModel.index(force=True)",
            "see 'force' True of pellucid index",
        ),
        ("see {init_metadata.output}", "see draft_metadata(output=…)", None),
        ("no {word}", "no {brace}", "no {brace}"),
    ],
)
def test_each_edge_has_its_words_for_a_setting(
    template: str, python: str, server: str | None
) -> None:
    hint = Hint(template, given=("a", "b"), word="{brace}")
    assert str(hint) == python
    assert server in (None, hint.sentence(server_words))


def test_a_setting_of_a_server_has_one_article() -> None:
    said = Hint("raise {steps} or choose another {baseline}").sentence(server_words)
    assert said == (
        "raise the server's setting 'steps' or choose another 'baseline' in the server's settings"
    )
    twice = re.compile(r"\b(a|an|another|each|every|its|no|the) (the|its)\b")
    assert not [it for it in hints().values() if twice.search(it.sentence(server_words))]


def test_settings_are_found_in_a_hint_and_can_be_those_of_a_command() -> None:
    hint = Hint("choose {query:fast} or {latent}")
    assert hint.settings == (Advice("query", "fast"), Advice("latent"))
    assert hint.by("index").settings == (
        Advice("query", "fast", "index"),
        Advice("latent", None, "index"),
    )


def test_a_text_is_no_template() -> None:
    error = SpecError("is {odd}", hint="take {4}")
    assert str(error) == "is {odd}; take {4}"
    assert error.hint is not None and not error.hint.settings


@pytest.mark.parametrize("kind", [PellucidError, SpecError, ModelError, InstanceError])
def test_errors_go_to_other_processes_whole(kind: type[PellucidError]) -> None:
    sent = kind("is odd", where=Where(instance=2), hint=Hint("set {query:fast}"))
    came = pickle.loads(pickle.dumps(sent))
    assert (type(came), came.notice) == (kind, sent.notice)


def test_an_error_of_a_document_is_a_line_for_each_of_its_errors() -> None:
    hint = Hint("set {output}")
    problems = [
        Problem(message="is odd", path="x", file="m.json", line=1, column=2, hint=hint),
        Problem(message="is unusual", severity=Severity.WARNING),
        Problem(message="is missing"),
    ]
    error = SpecError(problems=problems)
    assert str(error).splitlines() == [
        "m.json:1:2: x: is odd; set output=… [MD000 problem]",
        "is missing [MD000 problem]",
    ]
    assert error.sentence(lambda advice: f"<{advice.name}>").startswith(
        "m.json:1:2: x: is odd; set <output>"
    )


def test_a_sentence_is_one_line_that_can_be_printed() -> None:
    notice = Notice("the name '\ud800'", Where(file="a\n\udcff"), Hint.plain("not \x1b[31m"))
    assert str(notice) == r"a\n\xff: the name '\ud800'; not \x1b[31m"


def test_settings_that_hints_name_are_keywords_of_python() -> None:
    known = {it.name for it in fields(CallSettings)} | {"raw"}  # which a call of its own writes
    of_models = (LoadedModel.explain, LoadedModel.index, LoadedModel.configured)
    for call in (load, *of_models, convert_metadata, draft_metadata):
        known |= set(inspect.signature(call).parameters)
    from pellucid.batch import Run
    from pellucid.batch.engines import in_processes

    known |= {it.name for it in fields(Run)} | set(inspect.signature(in_processes).parameters)
    assert {it.name for it in settings()} <= known


def test_the_keyword_that_a_hint_names_is_taken() -> None:
    """The advice works: of a sentence for Python users, in Python."""
    text = (
        '{"inputs": {"x": {"inputTensorName": "x"}}, "outputs": {"y": {"outputTensorName": "y"}}}'
    )
    with pytest.raises(SpecError) as caught:
        convert_metadata(text, Dialect.VERTEX)
    assert caught.value.hint is not None
    (advised,) = caught.value.hint.settings
    given = {advised.name: Dialect(advised.value)}
    assert convert_metadata(text, **given, directory=Path()).dialect is Dialect.AI_PLATFORM
