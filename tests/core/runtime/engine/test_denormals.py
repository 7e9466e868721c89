"""A thread that flushes takes the smallest numbers for 0, and no other thread does."""

from __future__ import annotations

import platform
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pellucid.runtime.engine.denormals import flush_denormals

KNOWN = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")


def product() -> float:
    """10⁻⁴⁰, which float32 has only below its normal range."""
    return float((np.full(64, 1e-38, np.float32) * np.float32(0.01))[0])


@pytest.mark.skipif(not KNOWN, reason="how threads flush is known for Linux on x86-64 and Arm")
def test_only_a_thread_that_flushes_takes_them_for_zero() -> None:
    with ThreadPoolExecutor(1, initializer=flush_denormals) as lane, ThreadPoolExecutor(1) as other:
        assert lane.submit(product).result() == 0
        assert lane.submit(flush_denormals).result()
        assert other.submit(product).result() == pytest.approx(1e-40, rel=1e-3)
    assert product() > 0


def test_where_it_is_not_known_how_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert not flush_denormals()
