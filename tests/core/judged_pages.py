"""Evaluations to make pages of: pictures, a table, a text; with names that want to be markup."""

from __future__ import annotations

import numpy as np

from pellucid.evaluate import (
    Evaluation,
    Instance,
    Judged,
    LeftOut,
    Metric,
    Provenance,
    Shown,
)

EVIL = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "\" onerror='alert(1)' x=\"",
    "line\nbreak",
    "evil\u202egpj.exe",
    "caf\udce9.png",
    "{{script}} {{style}}",
    "</style></text></svg><img src=x onerror=alert(1)>",
    "\u2028 & &amp;",
)
METRICS = (
    Metric(name="deletion", title="deletion", better="lower", means="It falls.", cannot="Far off."),
    Metric(name="insertion", title="insertion", better="higher", means="It rises.", cannot="Far."),
    Metric(name="road", title="ROAD", better="lower", means="Filled in.", cannot="Outlines."),
)
N = 30


def made(*, kind="picture", text="x", n=N, own=("ig", "xrai"), shown=2, size=(140, 160), seed=0):
    """Return an evaluation in which every name that others choose is, or begins with, `text`."""
    draw = np.random.default_rng(seed)
    names = [f"{text} {it}" for it in own] if text != "x" else list(own)
    controls = ["random", "edges"]
    steps = np.linspace(0, 1, 21)
    curves: dict[str, dict[str, np.ndarray]] = {"deletion": {}, "insertion": {}}
    for i, name in enumerate([*names, *controls]):
        power = 0.3 + 0.35 * i
        noise = draw.normal(0, 0.05, (n, 1)) * np.sin(np.pi * steps)
        curves["insertion"][name] = steps**power + noise
        curves["deletion"][name] = 1 - steps**power + noise
    values = {
        metric: {name: it.mean(axis=1) for name, it in found.items()}
        for metric, found in curves.items()
    }
    failing = {0: f"cannot be explained: {text}"}
    values["insertion"][names[-1]][0] = np.nan
    curves["insertion"][names[-1]][0] = np.nan
    return Evaluation(
        kind=kind,
        candidates=(
            *(
                Judged(
                    name=it, said=it, caption=f"{text}, 50 steps", settings={text: [text]},
                    warnings=[text], failed=failing if it == names[-1] else {},
                )
                for it in names
            ),
            *(Judged(name=it, said=it, control=True) for it in controls),
        ),
        metrics=METRICS,
        instances=tuple(
            Instance(number=i, name=f"{text} {i}", output=(0,), label=text, score=1,
                     baseline_score=0.1)
            for i in range(n)
        ),
        values=values,
        curves=curves,
        left_out=(
            LeftOut(metric="road", candidate="", count=n, reason=f"it is for pictures {text}"),
            LeftOut(metric="", candidate=text, count=n, reason=text),
        ),
        shown=tuple(_shown(kind, i, names, controls, text, size, draw) for i in range(shown)),
        notes=(text,),
        provenance=Provenance(
            program="0.1", tensorflow="2.21", model=text, fingerprint="b33b", output=text,
            baseline=text, seed=7,
        ),
    )  # fmt: skip


def _shown(kind, number, names, controls, text, size, draw):
    shape = size if kind == "picture" else (14,)
    there = [*names, *controls] if number else [*names[:-1], *controls]  # the last failed on 0
    maps = {it: draw.normal(size=shape).astype(np.float32) for it in there}
    picture = draw.integers(0, 255, (*size, 3), dtype=np.uint8) if kind == "picture" else None
    elements = [] if kind == "picture" else [f"{text} {i}" for i in range(14)]
    return Shown(number=number, spread=0.5, maps=maps, picture=picture, elements=elements)
