"""Which predictor is asked, and how: its address, taken apart, and its protocol."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from pellucid.errors import SpecError, meant
from pellucid.files import read_text
from pellucid.notices import Where

TOKEN_VARIABLE = "PELLUCID_PREDICTOR_TOKEN"
"""The environment's variable with a bearer token for the predictor."""

_MODEL = re.compile(
    r"(?P<prefix>.*?)/(?P<api>v1|v2)/models/(?P<model>[^/:]+)"
    r"(?:/versions/(?P<version>[^/:]+))?(?P<verb>:[a-z]+|/infer|/ready|/metadata)?/?"
)
_OF_MODEL = re.compile(r"(?i)https?:/+[^/]+/(.*/)?(v[12]/models|endpoints)/")
_ADDRESS = re.compile(r"(?i)(https?):/+(.*)", re.DOTALL)


class PredictorProtocol(Enum):
    """What a predictor speaks; the values are what people write."""

    KSERVE_V1 = "kserve-v1"
    OIP_V2 = "oip-v2"
    TF_SERVING = "tf-serving"
    VERTEX = "vertex"


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """A predictor of somebody else's: where it is, and how it is asked.

    `base` is the address up to the path of the protocol, `model` and `version` what that path
    names, `route` the whole path of a predictor that is asked at one address, as Vertex's are.
    `timeout` is in seconds, for one request; at most `connections` are under way at a time, of
    about `request_bytes` each. A bearer token is read from `token_file`, or from the environment's
    ``PELLUCID_PREDICTOR_TOKEN``, each time one is needed: it is kept nowhere. `ca_file` has the
    certificates to trust instead of the system's.
    """

    protocol: PredictorProtocol
    base: str
    model: str = ""
    version: str | None = None
    route: str = ""
    timeout: float = 60.0
    connections: int = 4
    request_bytes: int = 15 * 2**20
    token_file: Path | None = None
    ca_file: Path | None = None

    @classmethod
    def of(
        cls,
        url: str,
        protocol: str | PredictorProtocol | None = None,
        *,
        timeout: float = 60.0,
        token_file: str | Path | None = None,
        ca_file: str | Path | None = None,
    ) -> Predictor:
        """Return the predictor at an address, such as ``http://host:8080/v2/models/NAME``.

        Its path names the model, and says the protocol where none is given: ``/v2/`` is the Open
        Inference Protocol, ``/v1/models/`` KServe's V1, ``/endpoints/`` Vertex AI's. Raises
        SpecError.
        """
        chosen = None if protocol is None else _protocol(protocol)
        host, path = _parts(url)
        named = _MODEL.fullmatch(path)
        chosen = chosen or _protocol_of(path, named)
        found = cls._at(url, host, path, chosen, named)
        return replace(
            found,
            timeout=timeout,
            token_file=None if token_file is None else Path(token_file),
            ca_file=None if ca_file is None else Path(ca_file),
        )

    @classmethod
    def _at(
        cls,
        url: str,
        host: str,
        path: str,
        protocol: PredictorProtocol | None,
        named: re.Match[str] | None,
    ) -> Predictor:
        if protocol is PredictorProtocol.VERTEX:
            route = path or "/"
            if re.search(r"/endpoints/[^/:]+/?$", route):
                route = f"{route.rstrip('/')}:predict"
            # What Vertex takes at most in one request is 1.5 MB.
            return cls(protocol=protocol, base=host, route=route, request_bytes=1_400_000)
        if protocol is None or named is None:
            raise SpecError(
                f"'{url}' names no model",
                where=Where(path="predictor"),
                hint="write one as http://host:8080/v1/models/NAME, or with /v2/",
            )
        return cls(
            protocol=protocol,
            base=host + named["prefix"],
            model=named["model"],
            version=named["version"],
        )

    @property
    def name(self) -> str:
        """What people call it: its address."""
        if self.route:
            return f"{self.base}{self.route}"
        api = "v2" if self.protocol is PredictorProtocol.OIP_V2 else "v1"
        return f"{self.base}/{api}/models/{self.model}{self.version_path}"

    @property
    def version_path(self) -> str:
        """The part of a path that names the version, if one is named."""
        return "" if self.version is None else f"/versions/{self.version}"

    @property
    def where(self) -> Where:
        """The place of a fault that is the predictor's."""
        return Where(file=f"predictor {self.name}")

    def token(self) -> str | None:
        """Return the bearer token, if there is one. Raises SpecError and OSError."""
        if self.token_file is None:
            return os.environ.get(TOKEN_VARIABLE) or None
        lines = read_text(self.token_file).split()
        if len(lines) != 1 or not lines[0].isascii() or not lines[0].isprintable():
            raise SpecError("is no file with one token", where=Where(file=str(self.token_file)))
        return lines[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorSettings:
    """How a predictor is to be asked, as people say it; see `Predictor`.

    Where `url` is None, the address may stand in the place of the model's directory.
    """

    url: str | None = None
    protocol: str | None = None
    timeout: float = 60.0
    token_file: Path | None = None
    ca_file: Path | None = None

    def of(self, model: object, *, logits: bool = False) -> Predictor | None:
        """Return the predictor of a model, None if there is none. Raises SpecError.

        No predictor gives `logits`, what is before a softmax, that are not its output.
        """
        where = Where(path="predictor")
        if self.url is None and not is_address(model):
            if self != PredictorSettings(timeout=self.timeout):
                raise SpecError("no predictor is named that this is said of", where=where)
            return None
        if logits:
            raise SpecError(
                "a predictor gives its output, and not what is before a softmax", where=where
            )
        if self.url is not None and is_address(model):
            raise SpecError(
                "the model is an address already",
                where=where,
                hint="name a directory or a file of metadata as the model, or leave one out",
            )
        return Predictor.of(
            self.url or str(model),
            self.protocol,
            timeout=self.timeout,
            token_file=self.token_file,
            ca_file=self.ca_file,
        )


def restored(address: object) -> str:
    """Return an address as it was written: a `Path` of it has one of its two slashes."""
    found = _ADDRESS.match(str(address))
    return str(address) if found is None else f"{found[1].lower()}://{found[2]}"


def is_address(written: object) -> bool:
    """Whether what stands in the place of a model's directory is the address of a predictor.

    Its path says so; any other is that of a file, which is not read from elsewhere.
    """
    return isinstance(written, str | Path) and _OF_MODEL.match(str(written)) is not None


def _parts(url: str) -> tuple[str, str]:
    """Return the scheme with the host, and the path of an address. Raises SpecError."""
    where = Where(path="predictor")
    parts = urlsplit(restored(url))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        hint = "write one as http://host:8080/v1/models/NAME"
        raise SpecError(f"'{url}' is no address of a predictor", where=where, hint=hint)
    if parts.username is not None or parts.query or parts.fragment:
        raise SpecError(
            "an address of a predictor has no user, password, query or fragment",
            where=where,
            hint=f"a token is read from a file, or from {TOKEN_VARIABLE}",
        )
    try:
        _ = parts.port
    except ValueError:
        raise SpecError(f"'{parts.netloc}' has no port that is one", where=where) from None
    return f"{parts.scheme}://{parts.netloc}", parts.path


def _protocol(written: str | PredictorProtocol) -> PredictorProtocol:
    names = [it.value for it in PredictorProtocol]
    try:
        return PredictorProtocol(written)
    except ValueError:
        hint = meant(str(written), names) or f"there are {', '.join(names)}"
        where = Where(path="predictor_protocol")
        raise SpecError(f"'{written}' is no protocol", where=where, hint=hint) from None


def _protocol_of(path: str, named: re.Match[str] | None) -> PredictorProtocol | None:
    if named is not None:
        v2 = named["api"] == "v2"
        return PredictorProtocol.OIP_V2 if v2 else PredictorProtocol.KSERVE_V1
    return PredictorProtocol.VERTEX if "/endpoints/" in path else None
