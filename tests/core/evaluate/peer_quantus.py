"""Makes the reference values of ROAD with Quantus, in a venv of its own:

    python -m venv /tmp/v
    /tmp/v/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu
    /tmp/v/bin/pip install quantus
    /tmp/v/bin/python tests/core/evaluate/peer_quantus.py > tests/core/evaluate/quantus.json

Quantus takes ROAD of gray pictures only, so that the network of `tests/core/small_network.py` is
shown gray ones; without noise, which it draws from numpy's global generator. Made with Quantus
0.6.0 and PyTorch 2.13.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import quantus
import torch
from quantus.functions.perturb_func import noisy_linear_imputation

sys.path.insert(0, str(Path(__file__).parents[1]))
from small_network import gray_pictures, maps, pictures, removed, weights

first, bias, second = (torch.tensor(it, dtype=torch.float32) for it in weights())


class Network(torch.nn.Module):
    def forward(self, rows):
        rows = rows.permute(0, 2, 3, 1).expand(-1, -1, -1, 3)
        return torch.tanh(rows.reshape(len(rows), -1) @ first + bias) @ second


gray = gray_pictures()[:, None]
network = Network().eval()
target = network(torch.tensor(gray)).argmax(dim=1).numpy()
found: dict[str, object] = {"target": target.tolist()}
for name, ranking in maps(pictures(20)).items():
    metric = quantus.ROAD(
        percentages=list(range(10, 100, 10)), noise=0.0, disable_warnings=True,
        perturb_func=noisy_linear_imputation, normalise=False, abs=False,
    )  # fmt: skip
    kept = metric(
        model=network, x_batch=gray, y_batch=target, a_batch=ranking[:, None], device="cpu"
    )
    found[f"kept/{name}"] = {str(k): float(v) for k, v in kept.items()}
fill = partial(noisy_linear_imputation, noise=0.0)
colour = pictures()[0].transpose(2, 0, 1).astype(np.float64)
found["filled"] = [
    fill(arr=colour, indices=np.flatnonzero(mask)).transpose(1, 2, 0).tolist()
    for mask in removed()[:3]
]
json.dump(found, sys.stdout)
