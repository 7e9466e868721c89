"""Whatever happened to the bytes of a model: a finding or none, for little work and memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from places import SAMPLES

TRIALS = 120

# Runs alone, with 500 MB of addresses and no more: asking for more would end in a traceback.
WORKER = """
import json, random, resource, sys
from pathlib import Path
from counting import calls_of
from pellucid.linter.lint_model import lint

resource.setrlimit(resource.RLIMIT_AS, (500 * 2**20,) * 2)
model, trials, seed = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
path = model / "saved_model.pb"
whole, chance = path.read_bytes(), random.Random(seed)
found = {}


def look():
    for problem in lint(model).problems:
        assert "\\n" not in problem.message, problem
        found[problem.code] = found.get(problem.code, 0) + 1


look()  # imports what it needs
usual = calls_of(look)
most = 0
for trial in range(trials):
    data = bytearray(whole)
    if trial % 3 == 0:
        del data[chance.randrange(len(data)) :]
    for _ in range(chance.randrange(1, 9) if trial % 3 or trial % 2 else 0):
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    if trial % 7 == 6:  # whole parts twice, or in the place of others
        start = chance.randrange(len(data) or 1)
        part = data[start : start + chance.randrange(5000)]
        place = chance.randrange(len(data) or 1)
        data[place : place + chance.choice([0, len(part)])] = part
    path.write_bytes(data)
    most = max(most, calls_of(look))
heavy = sorted({"numpy", "tensorflow"} & set(sys.modules))
print(json.dumps({"found": found, "usual": usual, "most": most, "heavy": heavy}))
"""


@pytest.mark.parametrize("name", ["digits", "code_or_prose", "tf1_embedding", "jpeg_bytes"])
def test_a_damaged_model_is_a_finding_for_little_work_and_memory(name: str, tmp_path: Path) -> None:
    model = shutil.copytree(SAMPLES / name / "model", tmp_path / "model")
    run = subprocess.run(
        [sys.executable, "-c", WORKER, str(model), str(TRIALS), name],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert (run.returncode, run.stderr) == (0, "")
    result = json.loads(run.stdout)
    assert result["found"]["MD100"] > TRIALS / 10
    assert result["most"] < 2 * result["usual"]
    assert result["heavy"] == []
