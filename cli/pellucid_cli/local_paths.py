"""Paths are local: an address in the place of one is refused before anything is done with it.

Every command imports this, at start-up, so that it knows neither metadata nor models.
"""

from __future__ import annotations

import re

import click

from pellucid.errors import OutputError, PellucidError, refuse_remote

# As `pellucid.predictor` takes it for one.
_PREDICTOR = re.compile(r"(?i)https?:/+[^/]+/(.*/)?(v[12]/models|endpoints)/")
MODELS = ("model_dir", "names", "models")
"""The arguments whose first word, or each of which, is a model."""


def keep_local(parameter: click.Parameter, *, asks: bool = False) -> None:
    """Let a parameter that takes paths refuse addresses, ``gs://bucket/model``, when it is read.

    ``NAME=MODEL_DIR`` is a path, too. Options that take anything else are left alone. A command
    that `asks` predictors takes the address of one in the place of a model.
    """
    takes_text = isinstance(parameter, click.Argument) and parameter.type is click.STRING
    file_or_names = str(getattr(parameter, "metavar", None)).startswith("FILE|")
    if not (isinstance(parameter.type, click.Path) or takes_text or file_or_names):
        return
    writes = parameter.name in ("out", "raw", "access_log")
    error = OutputError if writes else PellucidError
    inner = parameter.callback

    def read(context: click.Context, here: click.Parameter, value: object) -> object:
        for place, item in enumerate(value if isinstance(value, tuple | list) else [value]):
            text = "" if item is None else str(item)
            model = parameter.name in MODELS and (place == 0 or parameter.name == "models")
            for written in (text, text.partition("=")[2]):
                if not (asks and model and _PREDICTOR.match(written)):
                    refuse_remote(written, error)
        return value if inner is None else inner(context, here, value)

    parameter.callback = read
