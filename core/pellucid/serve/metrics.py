"""What Prometheus may know of a server, at ``/metrics``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    start_http_server,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

from pellucid.errors import OutputError
from pellucid.notices import Where

__all__ = ["CONTENT_TYPE", "Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The numbers of one server; two servers in one process do not share them."""

    def __init__(self) -> None:
        kept = self._kept = CollectorRegistry()
        ProcessCollector(registry=kept)
        by = ("protocol", "verb", "model", "status")
        self.requests = Counter("pellucid_requests", "Requests answered", by, registry=kept)
        self.seconds = Histogram(
            "pellucid_request_seconds",
            "From the first byte of a request to the last of its answer",
            ("protocol", "verb"),
            buckets=_SECONDS,
            registry=kept,
        )
        self.instances = Counter(
            "pellucid_instances", "Instances that were computed", registry=kept
        )
        self.device_seconds = Counter(
            "pellucid_device_seconds", "Time that blocks took, two of them at once", registry=kept
        )
        self.blocks = Histogram(
            "pellucid_block_instances",
            "Instances that were computed together",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=kept,
        )
        self.receiving = Gauge(
            "pellucid_receiving_requests",
            "Requests whose bodies are still coming",
            registry=kept,
        )
        self.admitted = Gauge(
            "pellucid_admitted_requests", "Requests that are being answered", registry=kept
        )
        self.ready = Gauge("pellucid_model_ready", "Whether it answers", ("model",), registry=kept)
        self.reloads = Counter(
            "pellucid_model_reloads",
            "Models loaded anew after their directory changed",
            ("model", "result"),
            registry=kept,
        )

    def block(self, rows: int, seconds: float) -> None:
        """Count a block of the device."""
        self.instances.inc(rows)
        self.blocks.observe(rows)
        self.device_seconds.inc(seconds)

    def watch(self, model: str, ready: Callable[[], bool]) -> None:
        """Ask whether a model answers whenever somebody wants to know."""
        self.ready.labels(model).set_function(ready)

    def reloaded(self, model: str, well: bool) -> None:
        """Count a model that was loaded anew, or could not be."""
        self.reloads.labels(model, "loaded" if well else "refused").inc()

    @contextmanager
    def listening(self, host: str, port: int | None) -> Iterator[None]:
        """Answer with them at a port of their own, to everybody, until the block ends.

        None is no port. Raises OutputError.
        """
        if port is None:
            yield
            return
        try:
            server, thread = start_http_server(port, host, self._kept)
        except OSError as error:
            what = f"cannot listen there: {error.strerror}"
            raise OutputError(what, where=Where(name=f"{host}:{port}")) from error
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def text(self) -> bytes:
        """Return them all in Prometheus' text format."""
        return generate_latest(self._kept)
