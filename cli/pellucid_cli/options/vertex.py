"""What Vertex AI tells a custom container by its environment, and what it stands for.

https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from pellucid.errors import meant
from pellucid_cli.local_paths import address_like, maps_here
from pellucid_cli.options.serve import ServeOptions, is_based

if TYPE_CHECKING:
    from pellucid.serve.container import ContainerRoutes

PREFIX = "AIP_"
MODE, PORT, STORAGE = "AIP_MODE", "AIP_HTTP_PORT", "AIP_STORAGE_URI"
HEALTH, PREDICT = "AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE"
ENDPOINT, DEPLOYED = "AIP_ENDPOINT_ID", "AIP_DEPLOYED_MODEL_ID"
TAKEN = (MODE, PORT, STORAGE, HEALTH, PREDICT)
"""One of these, not empty, makes a server a container of Vertex AI."""
_OTHERS = (
    ENDPOINT, DEPLOYED, "AIP_ACCELERATOR_TYPE", "AIP_FRAMEWORK", "AIP_MACHINE_TYPE",
    "AIP_MODE_VERSION", "AIP_MODEL_NAME", "AIP_PROJECT_NUMBER", "AIP_VERSION_NAME",
    # Of training, on whose machines a server may be tried.
    "AIP_MODEL_DIR", "AIP_CHECKPOINT_DIR", "AIP_TENSORBOARD_LOG_DIR", "AIP_DATA_FORMAT",
    "AIP_TRAINING_DATA_URI", "AIP_VALIDATION_DATA_URI", "AIP_TEST_DATA_URI",
)  # fmt: skip
MODEL = "model"
"""What the model in `STORAGE` is called: its bucket is Vertex AI's own, and its name a number."""
_HOST, _ANY = "0.0.0.0", "*"
_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_ROUTE = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What Vertex AI asks for: a port, if it says which, two paths, and a model, if it has one.

    `unknown` are variables that Vertex AI is not known to set.
    """

    port: int | None
    health: str
    predict: str
    storage: str | None
    unknown: tuple[str, ...]

    @property
    def routes(self) -> ContainerRoutes:
        """The paths as the server takes them."""
        from pellucid.serve.container import ContainerRoutes

        return ContainerRoutes(health=self.health, predict=self.predict)

    def models(self, models: tuple[str, ...], *, named: bool) -> tuple[str, ...]:
        """Return the models to serve: what lies in the storage, unless one is typed already.

        `named` says that another option has its name.
        """
        if models or self.storage is None or _typed("model_dir"):
            return models
        return (self.storage if named else f"{MODEL}={self.storage}",)

    def serving(self, serving: ServeOptions) -> ServeOptions:
        """Return how to serve: any address, by any name, and without a token if there is none.

        What is typed goes before. Raises a usage error for models that come and go.
        """
        if is_based(serving):
            what = f"a container of Vertex AI answers for one model, and its {PREFIX}* are set"
            raise click.UsageError(f"{what}; name it as MODEL_DIR")
        found = replace(serving, insecure=True)
        if not _typed("host"):
            found = replace(found, host=_HOST)
        if not _typed("allowed_host"):
            found = replace(found, allowed_host=(_ANY,))
        if self.port is not None and self._chooses_port:
            found = replace(found, port=self.port)
        return found

    def said(self, models: tuple[str, ...], serving: ServeOptions) -> str:
        """Return in one sentence what is done because the environment says so."""
        parts = [f"health at {self.health}", f"predictions at {self.predict}"]
        if self.storage is not None and any(it.endswith(self.storage) for it in models):
            parts.append(f"the model of {self.storage}")
        if self._chooses_port:
            parts.insert(0, f"port {self.port}")
        if (serving.host, serving.allowed_host) == (_HOST, (_ANY,)):
            parts.append("open to every address and name")
        text = f"as a container of Vertex AI ({PREFIX}*): {', '.join(parts)}"
        return f"{text}; {self._ignored()}" if self.unknown else text

    @property
    def _chooses_port(self) -> bool:
        return self.port is not None and not _typed("port") and not _typed("http_port")

    def _ignored(self) -> str:
        known = [*TAKEN, *_OTHERS]
        words = [f"{it} ({hint})" if (hint := meant(it, known)) else it for it in self.unknown]
        return f"unknown and ignored: {', '.join(words)}"


def container_of(environment: Mapping[str, str] | None = None) -> Container | None:
    """Return what Vertex AI asks for, None where it does not. Raises a usage error.

    Empty variables are as good as none: Vertex AI sets `STORAGE` so where a model has no artifacts.
    """
    found = os.environ if environment is None else environment
    given = {key: value for key, value in found.items() if key.startswith(PREFIX) and value}
    if not any(key in given for key in TAKEN):
        return None
    mode = given.get(MODE, "PREDICTION")
    if mode != "PREDICTION":
        _refuse(MODE, f"'{mode}' is no mode of a server; PREDICTION is")
    health, predict = _default_routes(given)
    return Container(
        port=_port(given[PORT]) if PORT in given else None,
        health=_route(HEALTH, given.get(HEALTH, health)),
        predict=_route(PREDICT, given.get(PREDICT, predict)),
        storage=_storage(given[STORAGE]) if STORAGE in given else None,
        unknown=tuple(sorted(set(given) - {*TAKEN, *_OTHERS})),
    )


def _default_routes(given: Mapping[str, str]) -> tuple[str, str]:
    """Return the routes of Vertex AI or, without an endpoint, those of its `LocalEndpoint`."""
    if ENDPOINT in given and DEPLOYED in given:
        whole = f"/v1/endpoints/{given[ENDPOINT]}/deployedModels/{given[DEPLOYED]}"
        return whole, f"{whole}:predict"
    return "/health", "/predict"


def _port(text: str) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        _refuse(PORT, f"'{text}' is no port; choose 1 to 65535")
    return int(text)


def _route(name: str, text: str) -> str:
    if not text.startswith("/"):
        _refuse(name, f"'{text}' is no path; write /{text}")
    if not _ROUTE.fullmatch(text):
        _refuse(name, f"'{text}' is no path; letters, digits and -._~!$&'()*+,;=:@ can be in one")
    return text


def _storage(text: str) -> str:
    """Return where the model is: a path that is there, or an address."""
    from pellucid.remote import mapped

    here = mapped(text, maps_here())
    if not address_like(here) and not Path(here).exists():
        _refuse(STORAGE, f"'{here}' is not there; name the directory of a model, or its address")
    return here


def _typed(name: str) -> bool:
    """Whether an option of the command that runs was typed."""
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def _refuse(name: str, what: str) -> None:
    raise click.UsageError(f"{name}: {what}")
