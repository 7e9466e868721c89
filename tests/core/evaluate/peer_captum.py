"""Makes the reference values of infidelity and sensitivity with captum, in a venv of its own:

    python -m venv /tmp/v
    /tmp/v/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
    /tmp/v/bin/pip install captum
    /tmp/v/bin/python tests/core/evaluate/peer_captum.py > tests/core/evaluate/captum.json

The network, the pictures, the maps and the perturbations are those of `tests/core/small_network.py`,
which needs numpy alone. Made with captum 0.9.0 and PyTorch 2.13.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from captum.metrics import infidelity, sensitivity_max

sys.path.insert(0, str(Path(__file__).parents[1]))
from small_network import maps, moves, pictures, removed, weights

first, bias, second = (torch.tensor(it, dtype=torch.float64) for it in weights())


def network(rows):
    hidden = torch.tanh(rows.reshape(len(rows), -1) @ first + bias)
    return torch.softmax(hidden @ second, dim=1)


x = pictures().astype(np.float64)
rankings = maps(pictures())
squares = torch.tensor(removed()[..., None].astype(float))
steps = torch.tensor(moves())


def taken_away(rows):
    """The attributions are of a whole pixel, which is what goes: captum wants the share of it."""
    mask = squares.expand(-1, -1, -1, 3)
    return mask, rows * (1 - mask)


def moved(rows):
    return rows + steps


def gradient_times_input(rows, target):
    (rows,) = rows if isinstance(rows, tuple) else (rows,)
    with torch.enable_grad():
        rows = rows.detach().requires_grad_(True)
        score = network(rows).gather(1, torch.as_tensor(target).reshape(-1, 1).expand(len(rows), 1))
        (slope,) = torch.autograd.grad(score.sum(), rows)
    return ((slope * rows).detach(),)


target = network(torch.tensor(x)).argmax(dim=1).tolist()
found: dict[str, object] = {"target": target}
for name, ranking in rankings.items():
    for kind, scaled in (("infidelity", True), ("infidelity_unscaled", False)):
        found[f"{kind}/{name}"] = [
            float(
                infidelity(
                    network, taken_away, torch.tensor(x[i : i + 1]),
                    torch.tensor(np.repeat(ranking[i : i + 1, ..., None] / 3, 3, axis=-1)),
                    target=target[i], n_perturb_samples=len(squares), normalize=scaled,
                )
            )
            for i in range(len(x))
        ]  # fmt: skip
found["sensitivity"] = [
    float(
        sensitivity_max(
            gradient_times_input, torch.tensor(x[i : i + 1]), perturb_func=moved,
            n_perturb_samples=len(steps), target=target[i],
        )
    )
    for i in range(len(x))
]  # fmt: skip
json.dump(found, sys.stdout, indent=1)
