"""The built wheel: what is in it, and that it works in a fresh environment."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from pellucid import __version__
from places import ROOT
from venvs import install


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sdist, so that the sdist is whole, too."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--installer", "uv", "--outdir", str(out), str(ROOT)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert len(list(out.glob("*.tar.gz"))) == 1
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_the_two_packages_and_nothing_generic(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names}
    assert top == {"pellucid", "pellucid_cli", f"pellucid-{__version__}.dist-info"}
    unwanted = ("tests/", "sample_models/", "saved_model.pb", "conftest")
    assert not [n for n in names if any(part in n for part in unwanted)]
    for needed in (
        "pellucid/py.typed",
        "pellucid_cli/py.typed",
        "pellucid/metadata/rules.md",
        "pellucid/metadata/schemas/ai_platform.schema.json",
        "pellucid/saved_model/saved_model.fds.gz",
        "pellucid/gallery/static/gallery.html",
        "pellucid/gallery/static/gallery.css",
        "pellucid/gallery/static/gallery.js",
        "pellucid/gallery/static/theme.css",
        "pellucid/evaluate/page/static/report.html",
        "pellucid/evaluate/page/static/evaluation.css",
        "pellucid/evaluate/page/static/evaluation.js",
        f"pellucid-{__version__}.dist-info/licenses/LICENSE",
    ):
        assert needed in names


def test_the_wheel_runs_in_a_fresh_environment_without_tensorflow(
    wheel: Path, tmp_path: Path, samples: Path
) -> None:
    environment = tmp_path / "venv"
    venv.create(environment)
    scripts = environment / ("Scripts" if sys.platform == "win32" else "bin")

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    install(scripts / "python", (str(wheel),))
    version = run(str(scripts / "pellucid"), "--version")
    assert version.stdout == f"pellucid, version {__version__}\n"
    model = str(samples / "digits/model")
    valid = run(str(scripts / "pellucid"), "validate-metadata", model)
    assert valid.returncode == 0, valid.stderr
    for command in (
        ("validate-metadata", "--explain", "MD034"),
        ("validate-metadata", "--format", "sarif", model),
        ("init-metadata", model, "-o", "-"),
        ("convert-metadata", f"{model}/explanation_metadata.json"),
        ("schema", "vertex"),
    ):
        done = run(str(scripts / "pellucid"), *command)
        assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr
    image = str(samples / "digits/images/seven.png")
    explained = run(str(scripts / "pellucid"), "explain", model, image)
    assert explained.returncode == 2 and explained.stdout == ""
    assert explained.stderr == (
        "error: TensorFlow is not installed, and this needs it; type pip install 'pellucid[cpu]' "
        "(or [gpu] for NVIDIA, [tf] for the standard build)\n"
    )
