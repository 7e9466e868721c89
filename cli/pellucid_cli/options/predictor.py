"""The options that say who is asked for predictions, where that is not TensorFlow here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pellucid.predictor import PredictorSettings

PROTOCOLS = ("kserve-v1", "oip-v2", "tf-serving", "vertex")
_OF_KSERVE = {"v1": "kserve-v1", "v2": "oip-v2", "grpc-v2": "grpc-v2"}
"""What KServe calls some of them."""
SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A predictor, as it is typed; see `pellucid.predictor.PredictorSettings`."""

    predictor: str | None = None
    predictor_protocol: str | None = None
    predictor_timeout: float = SECONDS
    predictor_token_file: Path | None = None
    predictor_ca_file: Path | None = None

    def settings(self) -> PredictorSettings:
        """Return it as the library takes it."""
        from pellucid.predictor import PredictorSettings

        return PredictorSettings(
            url=self.predictor,
            protocol=self.predictor_protocol,
            timeout=self.predictor_timeout,
            token_file=self.predictor_token_file,
            ca_file=self.predictor_ca_file,
        )


def _protocol(written: str | None) -> str | None:
    if written == "grpc-v2":
        raise click.BadParameter("grpc-v2: predictors are asked over HTTP; v2 is the same protocol")
    return _OF_KSERVE.get(written or "", written)


def with_predictor(make: Callable[..., object]) -> Callable[..., object]:
    """Return what makes a record of a model's options and of those of its predictor."""

    def made(**given: object) -> object:
        names = [name for name in given if name.startswith("predictor")]
        asked = Asked(**{name: given.pop(name) for name in names})  # type: ignore[arg-type]
        return make(**given, predictor=asked)

    return made


predictor_options = (
    click.option(
        "--predictor",
        metavar="URL",
        help="Ask this server for predictions, as http://host:8080/v2/models/NAME; MODEL_DIR says "
        "what it takes, and may be a JSON file of its metadata, or its URL instead.",
    ),
    click.option(
        "--predictor-protocol",
        "--predictor_protocol",
        type=click.Choice([*PROTOCOLS, *_OF_KSERVE]),
        metavar="[kserve-v1|oip-v2|tf-serving|vertex]",
        callback=lambda _, __, value: _protocol(value),
        help="What the predictor speaks [default: what its path looks like].",
    ),
    click.option(
        "--predictor-timeout",
        type=click.FloatRange(0, min_open=True),
        default=SECONDS,
        show_default=True,
        metavar="SECONDS",
        help="Seconds that the predictor may take for a request.",
    ),
    click.option(
        "--predictor-token-file",
        type=click.Path(path_type=Path),
        help="File with a bearer token for the predictor [default: $PELLUCID_PREDICTOR_TOKEN].",
    ),
    click.option(
        "--predictor-ca-file",
        type=click.Path(path_type=Path),
        help="Certificates to trust instead of the system's.",
    ),
)
