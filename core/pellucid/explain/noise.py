"""How large SmoothGrad's noise is, in the units of each input, and what is said of it.

A standard deviation of 0.1 is a tenth of the range of pixels of 0..1, and nothing at all to pixels
of 0..255: where nobody wrote one, it is a tenth of the range, whatever that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from pellucid.metadata import BaseMethod, Domain, InputSpec, Modality, Noise, range_text
from pellucid.notices import Hint, Notice

Chosen = TypeVar("Chosen", bound=BaseMethod)

LEAST_SHARE = 0.01
"""Of an input's range, what is too little to smooth anything."""


def with_noise_in_units(method: Chosen, specs: Sequence[InputSpec]) -> Chosen:
    """Return the method with a standard deviation for each feature, where nobody wrote one."""
    noise = method.smooth_grad
    if noise is None or noise.written:
        return method
    return method.noised({spec.name: _usual(noise, spec) for spec in specs})


def noise_chosen(method: BaseMethod, specs: Sequence[InputSpec]) -> Notice | None:
    """Return what is said of noise that nobody wrote; None where there is none."""
    noise = method.smooth_grad
    if noise is None or noise.written:
        return None
    said = []
    for spec in specs:
        span, sigma = _range(spec), _usual(noise, spec)
        why = f"a tenth of its range, {range_text(*span)}" if span else "its range is not known"
        said.append(f"{sigma:g} for '{spec.name}' ({why})")
    what = f"SmoothGrad's noise has the standard deviation {', '.join(said)}"
    return Notice(what, hint=Hint("set another with {noise_sigma}"))


def noise_warnings(method: BaseMethod, specs: Sequence[InputSpec]) -> Iterator[Notice]:
    """Yield what is said of noise that was written, and is nothing in the units of an input."""
    noise = method.smooth_grad
    if noise is None or not noise.written:
        return
    for spec in specs:
        span, sigma = _range(spec), noise.sigma(spec.name)
        if span is not None and 0 < sigma < LEAST_SHARE * (span[1] - span[0]):
            yield Notice(
                f"SmoothGrad's noise of {sigma:g} is less than {LEAST_SHARE:.0%} of the range of "
                f"'{spec.name}', {range_text(*span)}, and smooths nothing",
                hint=Hint("a tenth is usual: {noise_sigma:{sigma}}", sigma=_usual(noise, spec)),
            )


def _usual(noise: Noise, spec: InputSpec) -> float:
    low, high = _range(spec) or (0.0, 1.0)
    return noise.share * (high - low)


def _range(spec: InputSpec) -> tuple[float, float] | None:
    """Return the range of what is explained, where it is known: not behind an encoder."""
    if spec.encoded_tensor_name is not None:
        return None
    if spec.modality is Modality.IMAGE:
        return (spec.domain or Domain()).range
    return None if spec.domain is None else spec.domain.range
