"""``pellucid serve``: the explain endpoint, for clients of KServe, AI Platform and Vertex."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pellucid.notices import Where
from pellucid_cli.options.kserve import KServeOptions, kserve_options, models_and_predictor
from pellucid_cli.options.serve import (
    ServeOptions,
    access_log_of,
    based_models,
    is_based,
    limits_of,
    serve_options,
)
from pellucid_cli.options.shared import (
    Console,
    ModelOptions,
    asking_options,
    load,
    load_options,
    method_options,
    verbosity_options,
)
from pellucid_cli.options.vertex import PREFIX, Container, container_of
from pellucid_cli.streams import put, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pellucid import LoadedModel
    from pellucid.api import LoadOptions
    from pellucid.metadata import ExplainOptions
    from pellucid.serve import Guard, ModelEntry, server


@click.command(short_help="Answer explain and predict requests over HTTP.")
@click.argument("models", nargs=-1, metavar="[NAME=]MODEL_DIR...")
@serve_options
@kserve_options
@asking_options
@method_options
@verbosity_options
def serve(
    models: tuple[str, ...],
    serving: ServeOptions,
    kserve: KServeOptions,
    model: ModelOptions,
    method: ExplainOptions,
    console: Console,
) -> None:
    """Answer explain and predict requests over HTTP, as KServe, AI Platform and Vertex did.

    A model is named after its directory, or NAME; NAME/VERSION=MODEL_DIR gives it versions, and so
    does a directory of model directories; --model-base takes models as TensorFlow Serving does.
    Prints its address on stdout, one line of JSON for each request on stderr, and stops at SIGTERM
    when what was asked is answered. In a custom container of Vertex AI, the variables AIP_* say
    where it listens, and what it serves.
    """
    if serving.print_deploy is not None:
        return _print_deploy(serving.print_deploy)
    container = container_of()
    if container is not None:
        models = container.models(models, named=kserve.model_name is not None)
        serving = container.serving(serving)
        console.say(container.said(models, serving))
    if models or not is_based(serving):
        models, asked = models_and_predictor(models, kserve, model.predictor)
        model = replace(model, predictor=asked)
    _check_installed()
    from pellucid.serve import model_entries, server

    settings = _settings(serving, container)
    entries = [*model_entries(models, console.warn), *based_models(serving, console.warn)]
    _check_several(entries, model, container)
    options = load_options(console, model, method)
    port = serving.port if kserve.http_port is None else kserve.http_port
    listening = server.listen(serving.host, port)
    url = server.address(listening)
    put(url)
    with access_log_of(serving.access_log, quiet=bool(console.quiet)) as write_log:
        interrupted = server.run(
            entries,
            lambda directory: _loaded(console, directory, options),
            listening,
            settings,
            say=console.warn,
            write_log=write_log,
            on_ready=lambda: console.note(f"ready: {', '.join(m.name for m in entries)} at {url}"),
        )
    if interrupted:
        raise click.exceptions.Exit(130)


def _print_deploy(kind: str) -> None:
    from pellucid.serve import deployment

    write(deployment(kind))


def _loaded(console: Console, directory: Path, options: LoadOptions) -> LoadedModel:
    """Return a model that warns of no single explanation, which is no news for a server.

    What its pictures are taken for is, once, and of which model.
    """
    model = load(console, directory, options)
    _refuse_mean(model)
    pixels = model.pixels.heard_by(console.say, console.warn, Where(file=str(directory)))
    return replace(model, warn=lambda message: None, pixels=pixels)


def _settings(serving: ServeOptions, container: Container | None) -> server.ServerSettings:
    """Return how the server runs. Raises a usage error."""
    from pellucid.serve import server

    return server.ServerSettings(
        limits=limits_of(serving),
        guard=_guard(serving),
        poll=serving.reload_every,
        drain=serving.drain,
        record=serving.record,
        metrics_port=serving.metrics_port,
        container=None if container is None else container.routes,
    )


def _guard(serving: ServeOptions) -> Guard:
    """Return who asks for the token. Raises a usage error where others need none to get in."""
    from pellucid.serve import Guard, is_loopback, read_token

    token = read_token(serving.token_file)
    if token is None and not serving.insecure and not is_loopback(serving.host):
        raise click.UsageError(
            f"{serving.host} can be reached by others: give --token-file, or --insecure to do "
            "without"
        )
    return Guard(token, serving.host, serving.allowed_host, open_metrics=serving.metrics_open)


def _check_several(
    entries: Sequence[ModelEntry], model: ModelOptions, container: Container | None
) -> None:
    """Raise SpecError for what can be said of a single model only, and for two of one name."""
    if len(entries) < 2:
        return
    from pellucid.errors import SpecError

    if container is not None:
        what = f"a container of Vertex AI answers for one model, and its {PREFIX}* are set"
        raise SpecError(what, hint="name one model, or unset them")
    for k, entry in enumerate(entries):
        if entry.name in [it.name for it in entries[:k]]:
            raise SpecError(f"two models are called '{entry.name}'")
    for name in ("metadata", "signature", "output"):
        if getattr(model, name) is not None:
            hint = "serve the others by a server of their own"
            raise SpecError(f"--{name} is for one model", hint=hint)
    if model.predictor.predictor is not None:
        raise SpecError("a predictor is of one model", hint="serve the others by their own")


def _refuse_mean(model: LoadedModel) -> None:
    """Raise SpecError for a baseline that would be that of other people's requests, too."""
    if model.takes_mean:
        from pellucid.errors import SpecError

        raise SpecError(
            "--baseline mean is that of the instances of one call, and a server computes those of "
            "several requests together",
            hint="save the mean of some as mean.npy, and name that file",
        )


def _check_installed() -> None:
    """Raise DependencyError that says what to type, unless all that serve needs is there."""
    try:
        from pellucid.serve import server  # noqa: F401
    except ModuleNotFoundError as error:
        from pellucid.errors import DependencyError

        if error.name not in ("starlette", "uvicorn", "uvloop", "prometheus_client"):
            raise
        raise DependencyError(
            f"{error.name} is not installed, and serve needs it",
            hint="pip install 'pellucid[serve]'",
        ) from error
