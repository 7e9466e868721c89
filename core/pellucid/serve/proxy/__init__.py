"""A proxy before somebody else's service, which keeps what that is asked and answers."""

from __future__ import annotations

from pellucid.serve.proxy.proxy import Proxy, run_proxy

__all__ = ["Proxy", "run_proxy"]
