"""The options that only `serve` has, and what they stand for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid_cli.options.records import record

if TYPE_CHECKING:
    from pellucid.notices import Warn
    from pellucid.serve import Limits, ModelEntry

MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Where a server listens, whom it lets in, and what it takes."""

    model_base: Path | None
    model_config: Path | None
    host: str
    port: int
    token_file: Path | None
    insecure: bool
    allowed_host: tuple[str, ...]
    access_log: Path | None
    queue: int
    timeout: float
    max_body: float
    max_instances: int
    reload_every: float
    drain: float
    record: Path | None
    metrics_open: bool
    metrics_port: int | None
    print_deploy: str | None


serve_options = record(
    "serving",
    ServeOptions,
    click.option(
        "--model-base",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Serve models laid out as for TensorFlow Serving, DIR/NAME/1, DIR/NAME/2: the newest "
        "version of each, also where versions come and go while the server runs.",
    ),
    click.option(
        "--model-config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Serve what TensorFlow Serving's model.config names, with its version policies.",
    ),
    click.option("--host", default="127.0.0.1", show_default=True, help="The address to bind."),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=8080,
        show_default=True,
        help="Port; 0 picks a free one.",
    ),
    click.option(
        "--token-file",
        type=click.Path(path_type=Path),
        help="File with the bearer token to require [default: $PELLUCID_SERVE_TOKEN].",
    ),
    click.option("--insecure", is_flag=True, help="Allow other machines without a token."),
    click.option(
        "--allowed-host",
        multiple=True,
        metavar="NAME",
        help="A name clients may ask by, beside localhost and the bound address; *.example.com "
        "for all below one, * for any.",
    ),
    click.option(
        "--access-log",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Append request lines to this file [default: stderr].",
    ),
    click.option(
        "--queue",
        type=click.IntRange(1),
        default=128,
        show_default=True,
        help="Requests that may wait; others get 429 or 503 and Retry-After.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=60.0,
        show_default=True,
        help="Seconds that a request may take before it gets 504.",
    ),
    click.option(
        "--max-body",
        type=click.FloatRange(0, min_open=True),
        default=16.0,
        show_default=True,
        metavar="MIB",
        help="Maximum size of a request.",
    ),
    click.option(
        "--max-instances",
        type=click.IntRange(1),
        default=1024,
        show_default=True,
        help="Maximum number of instances per request.",
    ),
    click.option(
        "--reload-every",
        type=click.FloatRange(0),
        default=2.0,
        show_default=True,
        metavar="SECONDS",
        help="Seconds between checks for changed models; 0: never.",
    ),
    click.option(
        "--drain",
        type=click.FloatRange(1),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="Seconds that SIGTERM waits for pending requests.",
    ),
    click.option(
        "--record",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Keep what is asked and answered as files in DIR, which pellucid parity reads: bodies "
        "alone, no headers, on this machine.",
    ),
    click.option("--metrics-open", is_flag=True, help="Let /metrics be read without the token."),
    click.option(
        "--metrics-port",
        type=click.IntRange(1, 65535),
        help="Answer /metrics at this port, too, without the token.",
    ),
    click.option(
        "--print-deploy",
        type=click.Choice(["docker", "compose", "kubernetes", "kserve", "vertex"]),
        help="Print a file to deploy the server with, and stop.",
    ),
)


def is_based(serving: ServeOptions) -> bool:
    """Whether models are laid out as for TensorFlow Serving."""
    return serving.model_base is not None or serving.model_config is not None


def based_models(serving: ServeOptions, say: Warn) -> list[ModelEntry]:
    """Return the models that are laid out as for TensorFlow Serving. Raises PellucidError."""
    from pellucid.serve import base_entries, config_entries

    found = [] if serving.model_base is None else base_entries(serving.model_base)
    if serving.model_config is not None:
        found += config_entries(serving.model_config, say)
    return found


def limits_of(serving: ServeOptions) -> Limits:
    """Return the limits as the server has them."""
    from pellucid.serve import Limits

    body = round(serving.max_body * MEBIBYTE)
    return Limits(
        queue=serving.queue,
        seconds=serving.timeout,
        instances=serving.max_instances,
        body=body,
        bodies=max(16 * body, 256 * MEBIBYTE),
    )


@contextmanager
def access_log_of(file: Path | None, *, quiet: bool) -> Iterator[Callable[[bytes], object]]:
    """Give what writes a line of the access log: whole lines, whoever else writes there."""
    if file is None:
        yield (lambda line: None) if quiet else (lambda line: os.write(2, line))
        return
    with file.open("ab", buffering=0) as opened:
        yield opened.write
