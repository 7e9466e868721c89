"""Models that somebody else runs, and whom this process asks for predictions."""

from __future__ import annotations

from pellucid.api.predicting.remote import (
    AnyCompiler,
    fingerprint_of,
    remote_compiler,
    saved_model_of,
)

__all__ = ["AnyCompiler", "fingerprint_of", "remote_compiler", "saved_model_of"]
