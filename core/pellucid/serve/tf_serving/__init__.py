"""TensorFlow Serving's layout of models, ``NAME/1``, ``NAME/2``, and its ``model.config``."""

from __future__ import annotations

from pellucid.serve.tf_serving.config import config_entries
from pellucid.serve.tf_serving.folders import base_entries

__all__ = ["base_entries", "config_entries"]
