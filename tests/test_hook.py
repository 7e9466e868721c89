"""The pre-commit hook, run by pre-commit in a repository of models."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from places import ROOT, SAMPLES

(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))


def test_the_manifest_is_one_that_pre_commit_takes() -> None:
    manifest = str(ROOT / ".pre-commit-hooks.yaml")
    subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-manifest", manifest],
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize(
    ("name", "checked"),
    [
        ("explanation_metadata.json", True),
        ("models/a/explanation_metadata.json", True),
        ("models/a/saved_model.pb", True),
        ("models/a/saved_model.pbtxt", True),
        ("models/a/variables/variables.index", False),
        ("models/old_explanation_metadata.json", False),
    ],
)
def test_which_files_are_checked(name: str, checked: bool) -> None:
    assert bool(re.search(HOOK["files"], name)) is checked


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="pre-commit clones the repository")
def test_pre_commit_installs_and_runs_it(tmp_path: Path) -> None:
    for name in ("digits", "wine"):
        shutil.copytree(SAMPLES / name / "model", tmp_path / "work" / name)
    environment = {
        **os.environ,
        "PRE_COMMIT_HOME": str(tmp_path / "cache"),
        "NO_COLOR": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PIP_COMPILE": "0",  # each module, of which few are imported
    }

    def call(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=tmp_path / "work", env=environment, capture_output=True, text=True, check=False
        )  # fmt: skip

    assert call("git", "init", "-q").returncode == 0
    assert call("git", "add", "-A").returncode == 0
    clone = tmp_path / "clone"
    assert call("git", "clone", "-q", str(ROOT), str(clone)).returncode == 0
    commit = call("git", "-C", str(clone), "rev-parse", "HEAD").stdout.strip()
    (tmp_path / "work" / ".pre-commit-config.yaml").write_text(
        yaml.safe_dump(
            {"repos": [{"repo": str(clone), "rev": commit, "hooks": [{"id": HOOK["id"]}]}]}
        )
    )
    pre_commit = (sys.executable, "-m", "pre_commit", "run", "--all-files", "--verbose")
    done = call(*pre_commit)
    assert done.returncode == 0, done.stdout + done.stderr
    # Metadata and model are two files and one thing to check; all are checked in one call.
    assert "2 files: 0 errors, 0 warnings" in done.stdout
    metadata = tmp_path / "work" / "wine" / "explanation_metadata.json"
    metadata.write_text(metadata.read_text("utf-8").replace("alcohol:0", "alcohl:0"))
    done = call(*pre_commit)
    assert done.returncode == 1
    assert "- exit code: 1" in done.stdout
    assert (
        "wine/explanation_metadata.json:4:28: error MD102 unknown-tensor: inputs.alcohol."
        "input_tensor_name: 'serving_default_alcohl:0' is not a tensor of the model; did you mean "
        "'serving_default_alcohol:0'?"
    ) in done.stdout
    # Its environment has no TensorFlow, and needs none.
    assert not list((tmp_path / "cache").rglob("site-packages/tensorflow"))
    assert list((tmp_path / "cache").rglob("site-packages/pellucid*"))
