"""Advice that works: what a message proposes is typed as it says, and then the command succeeds.

A case is a command that is told something; what it is told is read from its own words on stderr.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

import numpy as np
import pytest

import advice_models
from hints import hints
from pellucid.notices import Advice
from pellucid_cli.flags import flag
from pellucid_cli.main import cli as cli  # which teaches `flag` the options
from stand_in import Reply, standing_in

SHAPLEY = "--method sampled-shapley"


@dataclass(frozen=True)
class Case:
    """A `command` that gives the hint of a `template`, `before` which others have to be run.

    Where the hint leaves a value open, `fill` has it. The hint is followed in the command itself,
    or in `on`, where it is about another; `more` goes with a command that is advised. `tries` are
    the settings in it that are followed, each alone; by default all are.
    """

    template: str
    command: str
    before: tuple[str, ...] = ()
    fill: Mapping[str, str] = field(default_factory=dict)
    on: str | None = None
    more: str = ""
    tries: tuple[int, ...] | None = None


INDEX = "index {columns} {rows} -o {tmp}/i.npz"
EXAMPLES = "--method examples --index {tmp}/i.npz"
TO_VERTEX = "convert-metadata {columns}/explanation_metadata.json --to vertex -o {tmp}/v.json"
DRAFT = "init-metadata {columns} --signature other --tag-set serve"
HERE = "explain {columns} {rows} --metadata {tmp}/v.json"

CASES = [
    # baselines
    Case("{what}: {baseline:noise}", "explain {normalised} {one}"),
    Case("{what}: {baseline:noise} or {baseline:mean}", "explain {normalised} {rows}"),
    Case("{what}: {baseline:noise} or {baseline:blur}", "explain {normalised_pictures} {picture}"),
    Case(
        "{what}: {baseline:noise}, {baseline:blur} or {baseline:mean}",
        "explain {normalised_pictures} {pictures}",
    ),
    Case("{dead}choose another baseline, as {baseline:noise}", "explain {columns} {zero}"),
    Case(
        "choose another {baseline}",
        "explain {logarithm} {ones}",
        fill={"--baseline": "0.5"},
    ),
    Case("choose {baseline:mean} or {baseline:noise}", "explain {columns} {rows} --baseline blur"),
    Case(
        "choose {baseline:zero}, or write its input_baselines",
        f"explain {{ids}} {{words}} --baseline noise {SHAPLEY}",
    ),
    Case(
        "choose {baseline:blur}, or drop {blur_sigma}",
        "explain {normalised_pictures} {pictures} --baseline mean --blur-sigma 2",
        tries=(0,),
    ),
    Case(
        "explain several at a time, or choose {baseline:noise}",
        "explain {columns} {one} --baseline mean",
    ),
    Case("choose {baseline:noise}", "explain {any_length} {lengths} --baseline mean"),
    # what has no gradient
    Case(
        "use {method:sampled-shapley}, as they are looked up inside the loop {loops}, where no "
        "tensor has a name",
        "explain {looped_ids} {words}",
    ),
    Case("use {method:sampled-shapley}", "explain {columns} {rows} --method lime"),
    Case(
        "use {method:integrated-gradients} or {method:sampled-shapley}",
        "explain {columns} {rows} --method xrai",
    ),
    Case(
        "use {method:sampled-shapley}, or {init_metadata.for_method:integrated-gradients}, which "
        "writes metadata with what lies behind them: {names}",
        "explain {step} {ones}",
    ),
    Case("{method:sampled-shapley} needs none", "explain {partly_bucket} {ones}"),
    Case(
        "{method:sampled-shapley} explains features without a gradient, too",
        "explain {joined_ids} {joined}",
    ),
    Case(
        "to explain everything, draft with {for_method:sampled-shapley} instead",
        "init-metadata {joined_ids} --for integrated-gradients --force",
    ),
    Case(
        "explain with {explain.method:sampled-shapley}",
        "init-metadata {only_joined_ids} --for integrated-gradients",
        on="init-metadata {only_joined_ids} --for sampled-shapley",
        more="{only_joined_ids} {pair}",
    ),
    # accuracy
    Case(
        "refine with {tolerance:{share}}, raise {steps} or choose another {baseline}",
        "explain {columns} {ones} --steps 1",
        fill={"--steps": "50", "--baseline": "[0.9,1.9,0.9,2.9,0.9]"},
    ),
    Case(
        "raise {steps} or choose another {baseline}",
        "explain {columns} {ones} --steps 1 --noisy-samples 1 --noise-sigma 1e-4",
        fill={"--steps": "50", "--baseline": "[0.9,1.9,0.9,2.9,0.9]"},
    ),
    Case(
        "lower {tolerance}",
        "explain {late} {ones} --tolerance 0.9",
        fill={"--tolerance": "0.04"},
    ),
    Case(
        "raise {max_steps} or choose another {baseline}; {method:sampled-shapley} needs no "
        "gradients",
        "explain {late} {ones} --tolerance 0.05 --max-steps 9",
        fill={"--max-steps": "2000", "--baseline": "[0.7,1.9,0.9,2.9,0.9]"},
    ),
    Case("raise {steps}", "explain {columns} {ones} --steps 1 --errors", fill={"--steps": "9"}),
    Case(
        "raise {steps} or choose another {baseline}; {method:sampled-shapley} needs no gradients",
        "explain {late} {ones} --steps 20",
        fill={"--steps": "2000", "--baseline": "[0.7,1.9,0.9,2.9,0.9]"},
    ),
    Case(
        "explain the score before it with {logits:True}, or take more {steps}",
        "explain {saturated} {ones}",
        fill={"--steps": "5000"},
    ),
    Case(
        "explain the score before it with {logits:True}, or raise {max_steps}",
        "explain {saturated} {ones} --tolerance 0.01 --max-steps 30",
        fill={"--max-steps": "500"},
    ),
    Case(
        "set another with {noise_sigma}",
        "explain {normalised_pictures} {picture} --noisy-samples 3 -v",
        fill={"--noise-sigma": "0.2"},
    ),
    Case(
        "a tenth is usual: {noise_sigma:{sigma}}",
        "explain {normalised_pictures} {picture} --noisy-samples 3 --noise-sigma 0.001",
    ),
    Case(
        "raise {paths}",
        f"explain {{columns}} {{ones}} {SHAPLEY} --paths 1",
        fill={"--paths": "50"},
    ),
    Case(
        "raise {max_steps}",
        "explain {columns} {ones} --tolerance 0.01 --max-steps 3",
        fill={"--max-steps": "200"},
    ),
    Case(
        "raise {samples}, or take larger patches with {segmentation:slic}",
        "explain {normalised_pictures} {picture} --method lime --samples 4",
        fill={"--num-samples": "1000"},
        tries=(0,),
    ),
    Case(
        "let an image's players be its regions with {players:regions}, those of a series its "
        "windows with {players:windows}, put inputs into a group, or take fewer {paths}",
        f"explain {{normalised_pictures}} {{picture}} {SHAPLEY} --paths 4000",
        fill={"--paths": "20"},
        tries=(2,),
    ),
    # series
    Case(
        "set their length with {window}",
        f"explain {{series}} {{steps.csv}} {SHAPLEY} --players windows",
        fill={"--window": "5"},
    ),
    Case(
        "name the column of times with {time_column}, or leave one out with {ignore_columns}",
        "explain {series} {clock.csv}",
        fill={"--time-column": "clock", "--ignore-column": "clock"},
    ),
    # texts
    Case(
        "choose {players:whole} if it is a category, or set its modality",
        f"explain {{lengths_of_texts}} {{sentence}} {SHAPLEY}",
    ),
    Case(
        "choose {players:words} if it is text, or set its modality",
        f"explain {{lengths_of_texts}} {{color}} {SHAPLEY}",
    ),
    Case(
        "leave it out, or choose {players:whole}",
        f"explain {{texts_from_a_text}} {{sentence}} {SHAPLEY} --players words",
    ),
    Case(
        "cut texts into {split:sentences}, or take fewer {paths}",
        f"explain {{texts}} {{story}} {SHAPLEY} --paths 5000",
        fill={"--paths": "2"},
        tries=(1,),
    ),
    Case(
        "put a token in the place of words that are left out, with {mask}",
        f"explain {{mean_of_plain_words}} {{sentence}} {SHAPLEY}",
        fill={"--mask": "x"},
    ),
    Case(
        "put a token in the place of words that are left out, with {mask}",
        "explain {mean_of_plain_words} {sentence} --method lime",
        fill={"--mask": "x"},
    ),
    Case(
        "choose another with {mask}",
        f"explain {{mean_of_words}} {{sentence}} {SHAPLEY}",
        fill={"--mask": "x"},
    ),
    Case(
        "raise {samples}",
        "explain {texts} {story} --method lime --split characters --samples 8",
        fill={"--num-samples": "4000"},
    ),
    # models and their parts
    Case(
        "choose one of {keys} with {output}",
        "explain {two_outputs} {rows}",
        fill={"--output": "tone"},
    ),
    Case(
        "choose one with {output}",
        "batch {two_explained} {rows} -o {tmp}/judged --truth folder",
        fill={"--output": "tone"},
    ),
    Case(
        "choose one of {keys} with {signature}",
        "explain {named_signatures} {rows}",
        fill={"--signature": "another"},
    ),
    Case(
        "choose {signature:{key}}, or write metadata for this one",
        "explain {of_another} {rows} --signature serving_default",
    ),
    Case("choose another with {baseline}", "explain {ids} {words}", fill={"--baseline": "zero"}),
    Case(
        "choose another {method}",
        "explain {texts} {sentence}",
        fill={"--method": "sampled-shapley"},
    ),
    Case("load the model with {signature:{key}}", "explain {columns} {signature}"),
    Case(
        "name a tensor with {output}",
        "explain {vague} {rows} --logits",
        fill={"--output": "shares"},
    ),
    Case(
        "see all with validate-metadata, and if you trust it, add {allow_unsafe_ops:True}",
        "explain {reading} {rows}",
    ),
    Case(
        "explaining refuses to run it without {allow_unsafe_ops:True}",
        "validate-metadata {reading}",
        on="explain {reading} {rows}",
    ),
    # pictures
    Case("try {pixels:{range}}", "explain {of_bytes} {picture.png}"),
    Case(
        "set another range with {pixels}",
        "explain {normalised_pictures} {picture.png}",
        fill={"--pixels": "0..255"},
    ),
    Case(
        "leave it out of {pixels}",
        "explain {of_bytes} {picture.png} --pixels channels-first,0..255",
        on="explain {of_bytes} {picture.png}",
        fill={"--pixels": "0..255"},
    ),
    Case(
        "pass {pixels:bgr} on",
        "init-metadata {bgr}",
        on="explain {bgr} {picture.png}",
    ),
    # tables
    Case("leave it out with {ignore_columns:{name}}", "explain {columns} {target}"),
    Case("say that it is the id with {id_column:{name}}", "explain {columns} {with_id}"),
    Case(
        "leave a column out with {ignore_columns}",
        "explain {columns} {six.csv}",
        fill={"--ignore-column": "f"},
    ),
    Case(
        "say what stands for missing values: {missing:baseline} or, where no gradients are "
        "taken, {missing:nan}",
        "explain {columns} {holes}",
        tries=(0,),
    ),
    Case(
        "let {missing:baseline} stand for missing values", f"explain {{ids}} {{no_word}} {SHAPLEY}"
    ),
    Case("choose {missing:baseline}", "batch {columns} {rows} -o {tmp}/means --missing mean"),
    Case(
        "choose {missing:mean}, or {baseline:zero}",
        "explain {columns} {holes} --missing baseline --baseline mean",
    ),
    Case(
        "choose {missing:baseline} or {method:sampled-shapley}",
        "explain {fills_holes} {holes} --missing nan",
    ),
    Case(
        "the instance has missing values, which the model does not handle: choose "
        "{missing:baseline}",
        f"explain {{columns}} {{holes}} --missing nan {SHAPLEY}",
    ),
    # documents
    Case(
        "pass {signature:{key}} on",
        "init-metadata {columns} --signature other --dialect vertex",
        on="explain {columns} {rows}",
    ),
    Case("pass {signature:{key}}", TO_VERTEX, before=(DRAFT,), on=HERE),
    Case(
        "pass {tags:{these}}",
        TO_VERTEX,
        before=("init-metadata {columns} --tag-set serve",),
        on=HERE,
    ),
    Case(
        "choose {to:{other}}",
        "convert-metadata {columns}/explanation_metadata.json --to ai-platform -o {tmp}/v.json",
        before=("init-metadata {columns}",),
    ),
    Case(
        "keep this file and pass it as {spec}",
        "convert-metadata {spec.json} --to ai-platform -o {tmp}/v.json",
        on=HERE,
        fill={"--spec": "{spec.json}"},
    ),
    # files
    Case(
        "its outputs had other names: give those of then with {class_names}",
        "explain {columns} --reproduce {tmp}/named.npz",
        before=("explain {columns} {rows} --class-names a,b,c --raw {tmp}/named.npz",),
        fill={"--class-names": "a,b,c"},
    ),
    Case("add {force:True} to overwrite it", INDEX, before=(INDEX,)),
    Case("add {force:True} to write into it", "batch {columns} {rows} -o {tmp}/used"),
    Case(
        "name another folder, or add {force:True} to start over",
        "batch {columns} {rows} -o {tmp}/run --no-gallery --steps 20",
        before=("batch {columns} {rows} -o {tmp}/run --no-gallery --steps 10",),
    ),
    Case(
        "write one with {explain.raw}",
        "visualize {tmp}/used/file.npz -o {tmp}/a.png",
        more="{normalised_pictures} {picture} --force",
        fill={"--raw": "{tmp}/used/file.npz"},
    ),
    Case(
        "write it with {explain.raw}",
        "visualize {arrays.npz} -o {tmp}/a.png",
        more="{normalised_pictures} {picture} --force",
        fill={"--raw": "{arrays.npz}"},
    ),
    Case(
        "write it again with {explain.raw}",
        "visualize {old.npz} -o {tmp}/a.png",
        more="{normalised_pictures} {picture} --force",
        fill={"--raw": "{old.npz}"},
    ),
    # examples
    Case(
        "make it again with {index.force:True}",
        f"explain {{named_signatures}} --signature other {{rows}} {EXAMPLES}",
        before=(INDEX,),
        more="{named_signatures} --signature other {rows} -o {tmp}/i.npz",
    ),
    Case(
        "make it again with {index.query:fast}, or search with {query:precise}",
        f"explain {{columns}} {{rows}} {EXAMPLES} --query fast",
        before=(INDEX,),
        more="{columns} {rows} -o {tmp}/i.npz --force",
    ),
    Case(
        "make it again, of a latent tensor of one size, with {index.latent}",
        f"explain {{any_length}} {{lengths}} {EXAMPLES}",
        before=("index {any_length} {three} --latent each -o {tmp}/i.npz",),
        more="{any_length} {three} -o {tmp}/i.npz --force",
        fill={"--latent": "y"},
    ),
    # another label
    Case(
        "choose another by {output_indices}",
        "explain {columns} {ones} --why-not 0 --output-index 0",
        on="explain {columns} {ones} --why-not 0",
        fill={"--output-index": "1"},
    ),
    Case(
        "name another by {why_not}, or what is explained by {output_indices}",
        "explain {columns} {ones} --why-not 1",
        fill={"--why-not": "0", "--output-index": "0"},
    ),
    Case(
        "compare with another instance: name it as the {baseline}",
        "explain {logarithm} {ones} --why-not 0",
        on="explain {logarithm} {ones}",
        fill={"--baseline": "0.5"},
    ),
]

ELSEWHERE = {
    "in the metadata, {written}, or explain with {method:sampled-shapley}": "pasted below",
    "choose a {baseline} that is no longer than the instance": (
        "followed in tests/core/api/test_texts_at_embeddings.py"
    ),
    "choose {method:sampled-shapley} or, for pictures and texts, {method:lime}": "followed below",
    "give it with {baseline}": "followed in tests/cli/test_reproduce.py",
    "name the classes of both with {class_names}": "followed in tests/cli/test_diff.py",
    "make parts with {batch.shard:1/8}": "followed in tests/cli/test_merge.py, which makes all",
    "choose {method:lime}": "followed in Python below: the command chooses it by itself",
    "if you trust it, add {allow_unsafe_ops:True}": "followed below, on a file of Keras",
    "pip install 'pellucid[neighbors]', or search with {query:precise}": "followed below",
    "put the file there, or, if you trust the model, add {allow_unsafe_ops:True}": "followed below",
}
# No command leads here on this machine, or the advice is not a command.
UNREACHED = {
    "{limit} takes others": (
        "tests/core/api/test_held_in_programs.py: datasets are what programs hold, not commands"
    ),
    "choose a {baseline} that is as long as the instance": (
        "only models with a fixed number of rows for a text, beside a baseline of other words"
    ),
    "explain this part again, with {force:True}": (
        "a disk damages what was written after it was found to be whole"
    ),
    "give it longer with {timeout}": (
        "tests/cli/test_time_limits.py: how long is enough, only the model knows"
    ),
    "put it there, or, if you trust the model, add {allow_unsafe_ops:True}": (
        "tests/core/linter/test_safety.py: TensorFlow writes no asset outside of the directory"
    ),
    "it needs NVIDIA's driver and pip install 'pellucid[gpu]', or choose {device:cpu}": (
        "tests/core/runtime: TensorFlow looks for devices once in a process"
    ),
    "search with {query:precise}, or choose another distance": (
        "tests/core/examples/test_search.py: only a document chooses the L1 distance"
    ),
    "make an index of one of a single size with {index.latent}": (
        "tests/core/examples: instances of one request that differ in the size of the tensor"
    ),
    "name one of a single size with {latent}": (
        "tests/core/examples/test_index.py: examples that differ in the size of the tensor"
    ),
}


def test_every_hint_that_names_a_setting_is_followed_or_said_why_not() -> None:
    followed = {case.template for case in CASES} | set(ELSEWHERE) | set(UNREACHED)
    assert followed == set(hints())


class World:
    """Models and requests by their names: models are made once, and copied for each test."""

    def __init__(self, made: Path, tmp: Path) -> None:
        self.made, self.tmp = made, tmp
        self.requests = advice_models.requests(tmp)
        _files(tmp)

    def __getitem__(self, name: str) -> str:
        if name == "tmp":
            return str(self.tmp)
        if name in self.requests:
            return str(self.requests[name])
        if (self.tmp / name).exists():
            return str(self.tmp / name)
        model = self.made / name
        if not model.exists():
            getattr(advice_models, name)(model)
        return str(shutil.copytree(model, self.tmp / name))

    def words(self, command: str) -> list[str]:
        """Return what is typed, with paths for names."""
        return [re.sub(r"\{([\w.]+)\}", lambda it: self[it[1]], word) for word in command.split()]


def _files(folder: Path) -> None:
    (folder / "used").mkdir()
    (folder / "used" / "file.npz").write_text("no archive", "utf-8")
    np.savez(folder / "arrays.npz", a=np.zeros(2))
    old = np.frombuffer(b'{"format": 0}', np.uint8)
    np.savez(folder / "old.npz", **{"pellucid.json": old})
    from PIL import Image

    pixels = np.random.RandomState(2).randint(0, 255, (12, 12, 3)).astype("uint8")
    Image.fromarray(pixels).save(folder / "picture.png")
    (folder / "six.csv").write_text("a,b,c,d,e,f\n1,2,1,3,1,0\n", "utf-8")
    rows = [f"{i},{i % 3},{i % 2}" for i in range(30)]
    (folder / "steps.csv").write_text("\n".join(["time,a,b", *rows]), "utf-8")
    (folder / "clock.csv").write_text("\n".join(["clock,a,b", *rows]), "utf-8")
    spec = {
        "parameters": {"sampledShapleyAttribution": {"pathCount": 4}},
        "metadata": {
            "inputs": {"x": {"inputTensorName": "x"}},
            "outputs": {"p": {"outputTensorName": "p"}},
        },
    }
    (folder / "spec.json").write_text(json.dumps(spec), "utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def world(made: Path, tmp_path: Path) -> World:
    return World(made, tmp_path)


@pytest.fixture
def typed(program: Any, world: World) -> Callable[..., Any]:
    """The program, given a command as it is typed, and words behind it."""
    return lambda command, *more: program(*world.words(command), *more)


def pattern(template: str) -> re.Pattern[str]:
    """Return what finds a hint in what was said; each setting of it is a group."""
    value = r"(?:'[^']*'|[^\s,;)]+)"
    parts = []
    for text, name, given, _ in Formatter().parse(template):
        parts.append(re.escape(text))
        if name is None:
            continue
        command, _, keyword = name.rpartition(".")
        try:
            words = flag(Advice(keyword, None, command)).split()
        except KeyError:
            parts.append(".*?")
            continue
        known = rf"{words[-1]}" + ("" if given in ("", None, "True") else f" {value}")
        parts.append(rf"({' '.join(words[:2])} .*?{known})" if command else f"({known})")
    return re.compile("".join(parts), re.DOTALL)


def advised(template: str, said: str) -> list[list[str]]:
    """Return the words of each setting that a hint names, as they can be typed."""
    found = pattern(template).search(said)
    assert found, f"not said: {template}\n{said}"
    return [shlex.split(words) for words in found.groups()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.template)
def test_what_is_proposed_works(case: Case, typed: Any, world: World) -> None:
    for command in case.before:
        assert typed(command).code == 0
    first = typed(case.command)
    told = first.err + first.out.decode("utf-8", "replace")
    words = advised(case.template, told)
    for place in range(len(words)) if case.tries is None else case.tries:
        chosen = words[place]
        value = [it for text in [case.fill.get(chosen[-1])] if text for it in world.words(text)]
        if chosen[0] == "pellucid":
            run = typed(" ".join([*chosen[1:], *value, case.more]))
            assert run.code == 0, run.err
            chosen, value = [], []
        followed = typed(case.on or case.command, *chosen, *value)
        assert followed.code == 0, followed.err
        assert not pattern(case.template).search(followed.err), followed.err


def test_lines_to_paste_into_metadata_are_found_there(
    typed: Any, world: World, tmp_path: Path
) -> None:
    """In each dialect, in the words of its keys; and the method that needs no gradient."""
    template = "in the metadata, {written}, or explain with {method:sampled-shapley}"
    for dialect in ("ai-platform", "vertex"):
        file = tmp_path / f"{dialect}.json"
        assert typed(f"init-metadata {{ids}} --dialect {dialect} -o {file}").code == 0
        command = f"explain {{ids}} {{words}} --metadata {file}"
        drafted = json.loads(file.read_text())
        for key in ("encoding", "encodedTensorName", "encoded_tensor_name"):
            drafted["inputs"]["words"].pop(key, None)
        file.write_text(json.dumps(drafted), "utf-8")
        refused = typed(command)
        assert refused.code == 2
        assert typed(command, *advised(template, refused.err)[0]).code == 0
        document = json.loads(file.read_text())
        # The document is warned of where it is read, and refused where it is followed.
        (pasted,) = set(re.findall(r'to \'(\w+)\' add ("[^;\n]*?"), or explain', refused.err))
        document["inputs"][pasted[0]] |= json.loads(f"{{{pasted[1]}}}")
        file.write_text(json.dumps(document))
        followed = typed(command)
        assert followed.code == 0, followed.err
        assert typed(f"validate-metadata {file}").code == 0


def test_a_file_that_is_a_link_to_elsewhere_is_put_there_or_trusted(
    typed: Any, world: World, tmp_path: Path
) -> None:
    template = "put the file there, or, if you trust the model, add {allow_unsafe_ops:True}"
    directory, elsewhere = tmp_path / "linked", tmp_path / "elsewhere.pb"
    shutil.copytree(world["columns"], directory)
    (directory / "saved_model.pb").rename(elsewhere)
    (directory / "saved_model.pb").symlink_to(elsewhere)
    command = f"explain {directory} {{rows}}"
    refused = typed(command)
    assert refused.code == 2
    assert typed(command, *advised(template, refused.err)[0]).code == 0
    (directory / "saved_model.pb").unlink()
    elsewhere.rename(directory / "saved_model.pb")
    assert typed(command).code == 0


def test_kserves_form_is_had_with_the_method_it_names(world: World) -> None:
    import pellucid
    from pellucid.errors import SpecError

    model = pellucid.load(world["normalised_pictures"], warn=lambda message: None)
    picture = json.loads(Path(world["picture"]).read_text())["instances"]
    with pytest.raises(SpecError) as caught:
        model.explain(picture).kserve()
    assert caught.value.hint is not None
    (setting,) = caught.value.hint.settings
    found = model.explain(picture, samples=20, **{setting.name: setting.value}).kserve()
    assert list(found) == ["explanations", "diagnostics"]


def test_a_fast_search_without_its_package_is_had_precisely(
    typed: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert typed(INDEX).code == 0
    monkeypatch.setitem(sys.modules, "usearch", None)
    command = f"explain {{columns}} {{rows}} {EXAMPLES} --query fast"
    words = advised(
        "pip install 'pellucid[neighbors]', or search with {query:precise}", typed(command).err
    )
    assert typed(command, *words[0]).code == 0


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_file_of_keras_is_explained_and_its_metadata_are_written(
    typed: Any, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is advised of the file is typed with the file, not with where it was exported to."""
    import keras

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    x = keras.Input((5,), name="x")
    steps = keras.layers.Lambda(lambda t: t // 0.5)(x)
    keras.Model(x, keras.layers.Dense(2)(steps)).save(tmp_path / "mine.keras")
    trusted = "if you trust it, add {allow_unsafe_ops:True}"
    explain = "explain {mine.keras} {ones}"
    refused = typed(explain)
    (flags,) = advised(trusted, refused.err)
    way_out = next(case.template for case in CASES if "for_method:integrated" in case.template)
    told = typed(explain, *flags)
    _, (_, *command) = advised(way_out, told.err)
    assert str(tmp_path / "mine.keras") in command
    assert typed(" ".join(command)).code == 0
    assert typed(explain, *flags).code == 0


def test_a_predictor_is_explained_by_what_needs_predictions_alone(typed: Any, world: World) -> None:
    template = "choose {method:sampled-shapley} or, for pictures and texts, {method:lime}"
    with standing_in() as predictor:
        predictor.answer = lambda asked: Reply(
            {"predictions": [[float(np.sum(row)), 1.0, 2.0] for row in asked.rows]}
        )
        url = f"{predictor.url}/v1/models/any"
        command = f"explain {{normalised_pictures}} {{picture}} --predictor {url}"
        refused = typed(command, "--method", "xrai")
        assert refused.code == 2
        for words in advised(template, refused.err):
            quick = ["--paths", "2"] if "sampled-shapley" in words else ["--num-samples", "20"]
            assert typed(command, *words, *quick).code == 0


def _plain_hints() -> Iterator[str]:
    """Yield the commands that hints name in full: in them, nothing stands for a setting."""
    import ast

    core = Path(__file__).resolve().parents[1] / "core" / "pellucid"
    for path in core.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "hint":
                for text in ast.walk(node.value):
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        yield from re.findall(r"pellucid ([a-z-]+)", text.value)


def test_commands_that_hints_name_exist() -> None:
    assert set(_plain_hints()) <= set(cli.commands)
