"""The GitHub action that compares two models: its second step is run as a runner would run it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from forked import Forks
from places import ROOT, SAMPLES

ACTION = ROOT / ".github" / "actions" / "diff" / "action.yml"
MANIFEST = yaml.safe_load(ACTION.read_text("utf-8"))
INSTALL, COMPARE = MANIFEST["runs"]["steps"]


def compared(forks: Forks, work: Path, **inputs: str) -> tuple[int, str, str]:
    """Return the exit code, what is printed, and the job's summary."""
    program = work / "bin" / "pellucid"
    program.parent.mkdir(exist_ok=True)
    if not program.exists():
        program.symlink_to(forks.command)
    summary = work / "summary.md"
    summary.write_text("")
    given = {name: str(it.get("default", "")) for name, it in MANIFEST["inputs"].items()} | inputs
    environment = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda it: given[it[1]], value)
        for name, value in COMPARE["env"].items()
    }
    environment |= {
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": os.environ["HOME"], "GITHUB_STEP_SUMMARY": str(summary),
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", COMPARE["run"]],
        cwd=work, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr, summary.read_text("utf-8")


def test_the_manifest_is_one_that_github_takes_and_puts_no_input_into_a_script() -> None:
    subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions",
         str(ACTION)],
        check=True, capture_output=True,
    )  # fmt: skip
    assert all("${{" not in step["run"] for step in (INSTALL, COMPARE))
    used = set(re.findall(r"\$\{\{ inputs\.([\w-]+) \}\}", ACTION.read_text("utf-8")))
    assert used == set(MANIFEST["inputs"])


@pytest.mark.slow
def test_a_job_has_its_table_its_report_and_its_exit_code(forks: Forks, tmp_path: Path) -> None:
    wine = SAMPLES / "wine"
    shutil.copy(wine / "examples.csv", tmp_path / "a b.csv")
    models = {"before": str(wine / "model"), "after": str(wine / "model")}
    code, out, summary = compared(
        forks, tmp_path, **models, inputs=f"a b.csv\n{wine / 'instances.json'}\n",
        report="changes", junit="diff.xml", **{"fail-over": "share=0.1"},
    )  # fmt: skip
    assert code == 0, out
    assert "The models are the same on 127 instances" in summary
    assert (tmp_path / "changes" / "index.html").exists()
    suite = ElementTree.parse(tmp_path / "diff.xml").getroot()
    assert [suite.get(it) for it in ("tests", "failures")] == ["1", "0"]
    code, out, summary = compared(forks, tmp_path, **models, inputs="$(touch spoiled)")
    assert (code, summary) == (1, "") and "no such file" in out
    assert not (tmp_path / "spoiled").exists()
