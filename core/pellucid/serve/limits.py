"""What one request may ask for, so that no request can take the memory or the time of others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from PIL import Image

from pellucid.inputs import Instance, pixels_of
from pellucid.metadata import Examples, ExplanationParameters
from pellucid.model import Array
from pellucid.serve.http_errors import HttpError

MEBIBYTE = 2**20
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF87a", b"GIF89a")
TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of a server.

    `queue` counts the requests that are admitted and not yet answered, `body` the bytes of one
    request and `bodies` of all that are admitted; `evaluations` what one instance may cost, in
    runs of the model, `neighbors` how many it may have, and `values` the numbers of its
    explanation; `seconds` is the deadline of a request,
    and `body_seconds` that of its body.
    """

    queue: int = 128
    body_seconds: float = 30.0
    body: int = 16 * MEBIBYTE
    bodies: int = 256 * MEBIBYTE
    instances: int = 1024
    pixels: int = 50_000_000
    evaluations: int = 100_000
    neighbors: int = 10_000
    values: int = 2**25
    seconds: float = 60.0

    def check(
        self,
        instances: Sequence[Instance],
        wanted: ExplanationParameters,
        own: ExplanationParameters,
        outputs: int,
        baselines: int = 1,
        own_baselines: int = 1,
    ) -> int:
        """Return how many instances may be computed together; refuse what a request may not ask.

        `wanted` are its parameters, `own` those of the server, which are never too much; `outputs`
        is the number of the model's outputs, `baselines` that of the baselines, for each of which
        the method is run, and `own_baselines` that of the server's.
        """
        for instance in instances:
            for value in instance.tensors.values():
                for data in _bytes_in(value):
                    self.check_picture(data, instance.place)
        method = wanted.method
        if isinstance(method, Examples) and method.neighbor_count > self.neighbors:
            raise HttpError(
                TOO_LARGE,
                f"the parameters ask for {method.neighbor_count:,} neighbours of each instance; at "
                f"most {self.neighbors:,} are given here",
            )
        words = method.text_parts is not None
        elements = max(sum(_elements(v, words) for v in i.tensors.values()) for i in instances)
        cost = baselines * _evaluations(wanted, elements, outputs)
        if cost > max(self.evaluations, own_baselines * _evaluations(own, elements, outputs)):
            raise HttpError(
                TOO_LARGE,
                f"the parameters ask for {cost:,} evaluations of the model for each instance; at "
                f"most {self.evaluations:,} are done here: lower the number of steps, paths, "
                "samples, baselines or outputs",
            )
        values = elements * _outputs(wanted, outputs)
        if values > max(self.values, elements * _outputs(own, outputs)):
            raise HttpError(
                TOO_LARGE,
                f"the explanation of an instance has {values:,} numbers; at most {self.values:,} "
                "are given here: ask for fewer outputs",
            )
        return max(1, self.values // values)

    def check_count(self, instances: int) -> None:
        """Refuse a request of too many instances."""
        if instances > self.instances:
            raise HttpError(
                TOO_LARGE,
                f"the request has {instances:,} instances; send at most {self.instances:,} at a "
                "time",
            )

    def check_picture(self, data: bytes, where: str) -> None:
        """Refuse a picture that is small as a file and huge in memory; other bytes pass."""
        try:
            pixels = pixels_of(data, self.pixels)
        except Image.DecompressionBombError:
            pixels = self.pixels + 1
        if pixels is None:
            if data.startswith(_PICTURES):
                # What cannot be measured is not passed on to decoders that may take it.
                raise HttpError(HTTPStatus.BAD_REQUEST, f"{where}: the picture is damaged")
            return
        if pixels > self.pixels:
            raise HttpError(
                TOO_LARGE,
                f"{where}: the picture has more than {self.pixels:,} pixels; make it smaller first",
            )


def _bytes_in(value: Array) -> Iterator[bytes]:
    if value.dtype == object:
        yield from (item for item in value.ravel() if isinstance(item, bytes) and len(item) > 16)


def _elements(value: Array, words: bool) -> int:
    """Return how many elements an input has; of strings, about as many as they have words."""
    if not words or value.dtype != object:
        return value.size
    return sum(max(1, len(it.split())) for it in value.ravel())


def _outputs(parameters: ExplanationParameters, outputs: int) -> int:
    """Return how many outputs are explained."""
    if parameters.output_indices is not None:
        return len(parameters.output_indices)
    if parameters.top_k == -1:
        return outputs
    return min(parameters.top_k or 1, outputs)


def _evaluations(parameters: ExplanationParameters, elements: int, outputs: int) -> int:
    """Return how often the model is run for one instance of so many elements, about."""
    return parameters.method.cost(elements, _outputs(parameters, outputs))
