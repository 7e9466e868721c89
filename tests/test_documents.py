"""The READMEs: their commands run, their reference is that of ``--help``, their links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from forked import Forks
from pellucid_cli.main import cli
from places import ROOT, SAMPLES

Shell = Callable[[str], "subprocess.CompletedProcess[str]"]

MARK = "<!-- reference -->"
FRONT, COMMANDS = ROOT / "README.md", ROOT / "cli" / "README.md"
DOCUMENTS = [
    FRONT,
    COMMANDS,
    ROOT / "core" / "README.md",
    ROOT / "core" / "pellucid" / "methods" / "README.md",
    ROOT / "core" / "pellucid" / "serve" / "README.md",
    ROOT / "sample_models" / "README.md",
    ROOT / "tests" / "README.md",
]


@dataclass(frozen=True)
class Block:
    """A block of code of a document."""

    document: Path
    language: str
    text: str

    def __str__(self) -> str:
        document = self.document.relative_to(ROOT).as_posix()
        return f"{document}: {self.text.strip().splitlines()[0]}"

    @property
    def commands(self) -> list[str]:
        """Its lines, but for those that install: continuous integration does that itself."""
        return [
            line.split("  #")[0].strip()
            for line in self.text.splitlines()
            if line.strip() and not line.startswith(("make ", "pip install "))
        ]


def blocks(*languages: str) -> Iterator[Block]:
    for document in DOCUMENTS:
        for language, text in re.findall(
            r"^```(\w+)\n(.*?)^```$", document.read_text("utf-8"), re.DOTALL | re.MULTILINE
        ):
            if language in languages:
                yield Block(document, language, text)


# Lines of a `bash` block belong together, as a server and what is asked of it.
SCRIPTS = [block for block in blocks("sh") if block.commands]
SESSIONS = list(blocks("bash"))
PROGRAMS = list(blocks("python"))


def reference() -> str:
    """The help of the program and of each command, as Markdown."""
    parts = []
    pages: list[tuple[str, click.Command]] = [("pellucid", cli)]
    pages += [(f"pellucid {name}", command) for name, command in sorted(cli.commands.items())]
    for name, command in pages:
        context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
        context.help_option_names = ["-h", "--help"]
        parts.append(f"### {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder as readers have it: the sample models, a photo, and a Keras model of their own."""
    (tmp_path / "sample_models").symlink_to(ROOT / "sample_models")
    shutil.copyfile(SAMPLES / "photos" / "images" / "cat.jpg", tmp_path / "photo.jpg")
    return tmp_path


@pytest.fixture
def shell(forks: Forks, desk: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """A shell in that folder, in which the program does not wait for TensorFlow each time."""
    path = (forks.folder, Path(sys.executable).parent, os.environ["PATH"])
    return lambda command: subprocess.run(
        ["bash", "-ec", command],
        cwd=desk,
        env={**os.environ, "PATH": os.pathsep.join(map(str, path))},
        capture_output=True,
        text=True,
        timeout=1000,
    )


def run_program(block: Block, folder: Path) -> None:
    before = Path.cwd()
    os.chdir(folder)
    try:
        exec(compile(block.text, str(block), "exec"), {})
    finally:
        os.chdir(before)


def save_own_model(path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    keras.Sequential(
        [
            keras.layers.Input((64, 64, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(8, 5, strides=4, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    ).save(path)


def test_the_reference_is_that_of_help(request: pytest.FixtureRequest) -> None:
    before, _, written = COMMANDS.read_text("utf-8").partition(MARK)
    if request.config.getoption("--golden"):
        COMMANDS.write_text(f"{before}{MARK}\n\n{reference()}")
        written = f"\n\n{reference()}"
    assert written.strip() == reference().strip(), "run `make golden`"


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_and_option_is_documented(name: str) -> None:
    tour, _, listed = COMMANDS.read_text("utf-8").partition(MARK)
    serving = (ROOT / "core" / "pellucid" / "serve" / "README.md").read_text("utf-8")
    assert f"pellucid {name}" in tour + serving
    for parameter in cli.commands[name].params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            assert option in listed, f"{name} {option}"


def test_the_front_page_is_short_and_begins_with_a_model_of_one_s_own() -> None:
    text = FRONT.read_text("utf-8")
    assert len(text.encode()) <= 12_000
    first = "\n".join(text.splitlines()[:40])
    assert 'model.export("model")' in first and "pellucid visualize model photo.jpg" in first
    assert "make demo" in first and "make test" in first


def test_make_targets_are_documented() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "".join(document.read_text("utf-8") for document in DOCUMENTS)
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
    assert {"demo", "test", "check", "samples", "golden", "bench", "help"} <= named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda it: it.relative_to(ROOT).as_posix())
def test_links_and_pictures_are_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.is_file(), target
        if anchor:
            heads = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", it.lower()).replace(" ", "-") for it in heads]
            assert anchor in slugs, target


# Keras, with numpy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_an_own_keras_model_becomes_a_picture(desk: Path, shell: Shell) -> None:
    """The first screen of the front page, with a model that was just trained."""
    save_own_model(desk / "mine.keras")
    export = next(block for block in PROGRAMS if block.document == FRONT)
    draw = next(block for block in SCRIPTS if block.document == FRONT)
    run_program(export, desk)
    (command,) = draw.commands
    run = shell(command)
    assert run.returncode == 0, run.stderr
    (written,) = re.findall(r"writes (\S+)", draw.text)
    assert (desk / written).is_file()


@pytest.mark.parametrize(
    "block", [it for it in SCRIPTS if "visualize model" not in it.text], ids=str
)
def test_the_commands_run(
    block: Block, desk: Path, shell: Shell, request: pytest.FixtureRequest
) -> None:
    """Run a block as a stranger would, in a folder with the sample models, by a real shell."""
    if "sample_models/imagenet" in block.text:
        request.getfixturevalue("imagenet")
    for command in block.commands:
        run = shell(command)
        assert run.returncode == 0, run.stderr
        assert "Traceback" not in run.stderr
        for word, following in zip(words := shlex.split(command), words[1:], strict=False):
            if word in ("-o", "--raw"):
                assert (desk / following).exists(), following


@pytest.mark.parametrize("session", SESSIONS, ids=str)
def test_a_session_runs(session: Block, shell: Shell) -> None:
    # Somebody else may have the ports of the document, such as this test in another checkout.
    found = r"(?<=--port )\d+|(?<=--http_port )\d+|(?<=AIP_HTTP_PORT=)\d+|(?<=localhost:)\d+"
    with ExitStack() as stack:
        ports = {
            port: str(stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1])
            for port in sorted({*re.findall(found, session.text)})
        }
    script = re.sub(found, lambda it: ports[it[0]], session.text)
    run = shell(f"trap 'kill $(jobs -p)' EXIT\n{script}")
    assert run.returncode == 0, run.stderr
    assert '"error"' not in run.stdout and run.stdout.count('"explanations"') >= 3


@pytest.mark.parametrize("block", [it for it in PROGRAMS if "mine.keras" not in it.text], ids=str)
def test_the_python_runs(block: Block, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_program(block, desk)
    out = capsys.readouterr().out
    for line in re.findall(r"print\(.*\)  # (\S+)", block.text):
        assert line in out
    assert out
