"""Where a model computes: the words of ``--device``, and what TensorFlow sees then."""

from __future__ import annotations

import os

import click


def device_of(value: str) -> str:
    """Return the name of a device as it is. Raises BadParameter for a word that is none."""
    kind, _, number = value.partition(":")
    if kind not in ("auto", "cpu", "gpu") or (number and (kind != "gpu" or not number.isdigit())):
        raise click.BadParameter(f"'{value}' is not a device; choose auto, cpu, gpu or gpu:N")
    return value


def choose_device(device: str) -> str:
    """Let TensorFlow see only the device that was asked for; it looks when it is imported.

    Returns what the device is called then: of the GPUs it sees one, which is the first.
    """
    kind, _, number = device.partition(":")
    if kind == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    elif number:
        # The number counts the GPUs that this process may use.
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        allowed = visible.split(",") if visible else []
        place = int(number)
        os.environ["CUDA_VISIBLE_DEVICES"] = allowed[place] if place < len(allowed) else number
    return kind
