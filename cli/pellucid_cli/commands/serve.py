"""``pellucid serve``: the explain endpoint, for clients of KServe, AI Platform and Vertex."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pellucid_cli.options.serve import WHOLE, access_log_of, limits_of, serve_options
from pellucid_cli.options.shared import (
    Console,
    load,
    method_options,
    model_options,
    verbosity_options,
)


@click.command(short_help="Answer explain and predict requests over HTTP.")
@click.argument("models", nargs=-1, required=True, metavar="[NAME=]MODEL_DIR...")
@serve_options
@model_options
@method_options
@verbosity_options
def serve(
    models: tuple[str, ...],
    host: str,
    port: int,
    token_file: Path | None,
    insecure: bool,
    access_log: Path | None,
    reload_every: float,
    drain: float,
    verbose: int,
    quiet: int,
    **options: Any,
) -> None:
    """Answer explain and predict requests over HTTP, as KServe, AI Platform and Vertex did.

    A model is called after its directory, or NAME; NAME/VERSION=MODEL_DIR gives it versions, and so
    does a directory of model directories. Prints its address on stdout, one line of JSON for each
    request on stderr, and stops at SIGTERM when what was asked is answered.
    """
    from pellucid.errors import DependencyError, SpecError

    try:
        from pellucid.serve import Guard, is_loopback, model_entries, read_token, server
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "uvloop", "prometheus_client"):
            raise
        raise DependencyError(
            f"{error.name} is not installed, and serve needs it",
            hint="pip install 'pellucid[serve]'",
        ) from error

    console = Console(verbose, quiet)
    token = read_token(token_file)
    if token is None and not insecure and not is_loopback(host):
        raise click.UsageError(
            f"{host} can be reached by others: give --token-file, or --insecure to do without"
        )
    limits = limits_of(options)
    entries = model_entries(models, console.warn)
    several = [f"--{name}" for name in WHOLE if options[name] is not None and len(entries) > 1]
    if several:
        hint = "serve the others by a server of their own"
        raise SpecError(f"{several[0]} is for one model", hint=hint)
    settings = server.ServerSettings(
        limits=limits, guard=Guard(token), poll=reload_every, drain=drain
    )
    listening = server.listen(host, port)
    url = server.address(listening)
    click.echo(url)
    with access_log_of(access_log, quiet=bool(quiet)) as write_log:
        interrupted = server.run(
            entries,
            # What a single explanation warns of is no news for whoever runs the server.
            lambda path: replace(load(console, path, dict(options)), warn=lambda sentence: None),
            listening,
            settings,
            say=console.warn,
            write_log=write_log,
            on_ready=lambda: console.note(f"ready: {', '.join(m.name for m in entries)} at {url}"),
        )
    if interrupted:
        raise click.exceptions.Exit(130)
