"""Coefficients of the `lime` package for some texts, written once into lime_package.json.

    pip install lime && python tests/core/methods/texts/lime_package.py

The tests compare ours with them; they need neither the package nor this to be run.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).with_suffix(".json")
GOOD = {"good": 2.0, "fine": 1.0, "very": 0.5, "film": 0.25, "bad": -2.0}
TEXTS = [
    "A very good film - a very, very good film!",
    "bad",
    'He said: "bad, bad film" and left; the others stayed.',
    "Un été très bon, 3 or 4 good days in a row, the rest was fine, fine, fine",
    "The quick brown fox jumps over the lazy dog. " * 9 + "It was good.",
]
SEEDS = (0, 7)
SAMPLES = (60,)
BAGS = (True, False)


def scores(texts: Sequence[str]) -> Any:
    """Return the probabilities of three classes: words, their order, spaces and signs count."""
    found = []
    for text in texts:
        words = text.lower().replace(",", " ").replace("!", " ").replace(".", " ").split()
        score = sum(
            GOOD.get(word, 0.1 * len(word) - 0.3) * (1.5 if i and words[i - 1] == "very" else 1.0)
            for i, word in enumerate(words)
        ) / (3 + len(words))
        signs = np.array([score, 0.05 * text.count(" ") - score, 0.1 * text.count(",")])
        powers = np.exp(signs)
        found.append(powers / powers.sum())
    return np.array(found)


def main() -> None:
    """Ask the package, with a new random state for each text, and write what it says."""
    from lime.lime_text import LimeTextExplainer

    found = []
    for text in TEXTS:
        for seed in SEEDS:
            for samples in SAMPLES:
                for bag in BAGS:
                    explainer = LimeTextExplainer(
                        random_state=seed, bow=bag, feature_selection="none"
                    )
                    said = explainer.explain_instance(
                        text, scores, labels=(0, 1, 2), num_samples=samples, num_features=10**6
                    )
                    words = said.domain_mapper.indexed_string
                    found.append(
                        {
                            "text": text,
                            "seed": seed,
                            "samples": samples,
                            "bag": bag,
                            "words": [str(words.word(i)) for i in range(words.num_words())],
                            "coefficients": [
                                [
                                    float(dict(said.local_exp[k])[i])
                                    for i in range(words.num_words())
                                ]
                                for k in range(3)
                            ],
                            "intercepts": [float(said.intercept[k]) for k in range(3)],
                        }
                    )
    FILE.write_text(
        "[" + ",\n".join(json.dumps(it, ensure_ascii=False) for it in found) + "]\n", "utf-8"
    )


if __name__ == "__main__":
    main()
