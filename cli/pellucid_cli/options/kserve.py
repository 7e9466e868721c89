"""The arguments that KServe gives the container of an explainer, and what they stand for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click

from pellucid_cli.options.predictor import SECONDS, Asked
from pellucid_cli.options.records import record

MODELS = Path("/mnt/models")
"""Where KServe's storage initializer puts a model."""
_VERSIONS = {"kserve-v1": "v1", "tf-serving": "v1", "oip-v2": "v2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KServeOptions:
    """What KServe says of the model and of its predictor."""

    model_name: str | None
    model_dir: Path
    predictor_host: str | None
    predictor_use_ssl: bool
    predictor_request_timeout_seconds: float | None
    http_port: int | None


kserve_options = record(
    "kserve",
    KServeOptions,
    click.option("--model_name", metavar="NAME", help="KServe: the model's name."),
    click.option(
        "--model_dir",
        type=click.Path(path_type=Path),
        default=MODELS,
        show_default=True,
        help="KServe: the model, if it is there.",
    ),
    click.option(
        "--predictor_host",
        metavar="HOST[:PORT]",
        help="KServe: the predictor of the model, asked as --predictor is.",
    ),
    click.option(
        "--predictor_use_ssl",
        type=click.BOOL,
        default=False,
        show_default=True,
        help="KServe: whether that is by TLS.",
    ),
    click.option(
        "--predictor_request_timeout_seconds",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        help="KServe: the same as --predictor-timeout.",
    ),
    click.option("--http_port", type=click.IntRange(0, 65535), help="KServe: the same as --port."),
)


def models_and_predictor(
    models: tuple[str, ...], kserve: KServeOptions, asked: Asked
) -> tuple[tuple[str, ...], Asked]:
    """Return the models to serve and whom to ask, with what KServe said of both.

    Raises a usage error for what does not go together, or says too little.
    """
    name, seconds = kserve.model_name, kserve.predictor_request_timeout_seconds
    if seconds is not None:
        if asked.predictor_timeout != SECONDS:
            raise click.UsageError("the predictor's timeout is given twice")
        asked = replace(asked, predictor_timeout=seconds)
    if kserve.predictor_host is not None:
        if asked.predictor is not None:
            raise click.UsageError("--predictor and --predictor_host are the same: choose one")
        if name is None:
            raise click.UsageError("--predictor_host needs --model_name, which the path names")
        asked = replace(asked, predictor=_url(name, kserve, asked.predictor_protocol))
    if models:
        if name is not None:
            if len(models) > 1 or "=" in models[0]:
                raise click.UsageError("--model_name is for one MODEL_DIR without a name")
            models = (f"{name}={models[0]}",)
        return models, asked
    if name is None:
        raise click.UsageError("no model: name a MODEL_DIR, or --model_name as KServe does")
    if kserve.model_dir.exists() or asked.predictor is None:
        return (f"{name}={kserve.model_dir}",), asked
    # Then the predictor itself has to say what it takes.
    return (f"{name}={asked.predictor}",), replace(asked, predictor=None)


def _url(name: str, kserve: KServeOptions, protocol: str | None) -> str:
    scheme = "https" if kserve.predictor_use_ssl else "http"
    if protocol == "vertex":
        raise click.UsageError("--predictor_host is of KServe; give --predictor to Vertex")
    api = _VERSIONS[protocol or "kserve-v1"]
    return f"{scheme}://{kserve.predictor_host}/{api}/models/{name}"
