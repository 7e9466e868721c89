"""What is done for a model that was loaded, so that requests do not wait.

It explains something small before it answers, and the garbage collector does not look through it.
"""

from __future__ import annotations

from pellucid.serve.warm_up.sparing import Sparing
from pellucid.serve.warm_up.warming import warm

__all__ = ["Sparing", "warm"]
