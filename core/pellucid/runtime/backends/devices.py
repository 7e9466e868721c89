"""The device that a model is computed on."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from pellucid.errors import ModelError
from pellucid.notices import Hint, Where
from pellucid.runtime.engine.tensorflow import RewriterConfig, tf


def device_scope(device: str) -> AbstractContextManager[Any]:
    """Return the device scope for ``auto``, ``cpu``, ``gpu`` or ``gpu:n``."""
    names = {"auto": None, "cpu": "/device:CPU:0", "gpu": "/device:GPU:0"}
    name = names[device] if device in names else f"/device:{device.upper()}"
    return tf.device(name)  # type: ignore[no-any-return]


def check_device(device: str) -> None:
    """Raise ModelError for a device that is none, or a GPU that TensorFlow does not see.

    TensorFlow itself would compute on the CPU then, without a word.
    """
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "gpu") or (number and (kind != "gpu" or not number.isdigit())):
        raise ModelError(f"'{device}' is not a device", hint="choose auto, cpu, gpu or gpu:N")
    if kind == "gpu":
        count = len(tf.config.list_physical_devices("GPU"))
        if int(number or 0) >= count:
            seen = f"only {count}" if count else "no GPU"
            raise ModelError(
                f"TensorFlow sees {seen}",
                where=Where(name=f"device '{device}'"),
                hint=Hint(
                    "it needs NVIDIA's driver and pip install 'pellucid[gpu]', or choose "
                    "{device:cpu}"
                ),
            )


def session_config(device: str, threads: int = 0) -> Any:
    """Return the configuration of a session: grow memory, place what a GPU lacks on the CPU.

    `threads` share an operation, by default as many as TensorFlow chooses. The first session of a
    process decides that for all of them. A graph is optimized once, and not for the memory of a
    GPU that is too small: a second time finds nothing in what is frozen already, and both take
    longer than all else before the first answer (measured; no bit and no pass differs).
    """
    config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
    config.intra_op_parallelism_threads = threads
    config.gpu_options.allow_growth = True
    rewrite = config.graph_options.rewrite_options
    rewrite.meta_optimizer_iterations = RewriterConfig.ONE
    rewrite.memory_optimization = RewriterConfig.NO_MEM_OPT
    if device == "cpu":
        config.device_count["GPU"] = 0
    return config
