"""One connection: how long and how large what comes before a body may be, and what comes after."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, TypeAlias

import httptools
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pellucid.inputs.grids import aligned
from pellucid.serve.access_log import AccessLog

# What uvicorn warns of is what clients sent, who could fill a disk so; it is in the access log.
_LOGGER = logging.getLogger("uvicorn.error.connection")
_LOGGER.setLevel(logging.ERROR)

HEAD_BYTES = 2**16
"""The bytes that a request's first line and its headers may have together."""
HEAD_SECONDS = 20.0
"""How long they may take, from the first byte on, and how long a new connection may be silent."""
LEFT_BYTES = 2**20
"""How much of a body that nobody reads any more is passed over before the connection is closed."""
Body: TypeAlias = bytes | memoryview
WHOLE = "pellucid.whole_body"
"""Where a request's scope has `Connection.whole_body`."""


class WholeBody(asyncio.BufferedProtocol):
    """Reads the rest of a body into the place where it stays, `data`.

    `arrived` is told how many bytes have come and answers whether there is room for more; `done` is
    true once the whole is there, false when there is no room, and raises ClientDisconnect.
    """

    def __init__(
        self, owner: Connection, data: memoryview, there: bytes, arrived: Callable[[int], bool]
    ) -> None:
        self._owner, self._cycle, self._arrived = owner, owner.cycle, arrived
        self._data, self._spare = data, memoryview(b"")
        self._filled = len(there)
        self._size = len(data)
        data[: len(there)] = there
        self.done: asyncio.Future[bool] = owner.loop.create_future()
        if not arrived(len(there)):
            self._drop()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where the next bytes go."""
        left = self._size - self._filled
        return self._spare[:left] if self._spare else self._data[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Count what has come; what nobody waits for any more is passed over for a while."""
        self._filled += nbytes
        if self._cycle.response_complete:
            if self._owner.pass_over(nbytes):
                return
        elif not self.done.done() and not self._arrived(nbytes):
            self._drop()
        if self._filled == self._size:
            self._owner.go_on()
            self._end(True)

    def _drop(self) -> None:
        self._spare, self._data = memoryview(bytearray(LEFT_BYTES // 16)), memoryview(b"")
        self._end(False)

    def _end(self, well: bool) -> None:
        if not self.done.done():
            self.done.set_result(well)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits that there is nobody."""
        self._owner.connection_lost(exc)
        if not self.done.done():
            self.done.set_exception(ClientDisconnect())

    def pause_writing(self) -> None:
        """Pass it on."""
        self._owner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._owner.resume_writing()


class Connection(HttpToolsProtocol):
    """Uvicorn's connection, with bounds on what it has none for.

    The parser puts together what comes in pieces, at quadratic cost: what is before the body is
    handed to it only as far as it may be long, and refused with 414 or 431 beyond; what is around
    the chunks of a body has an end, too. Who sends a head slowly is told 408. A body that is still
    coming when the answer has been given is passed over for a while, so that the answer is read,
    and no longer.
    """

    _head: int | None = 0  # the bytes of the head at hand; None once it is complete
    _left = 0
    _around = 0  # the bytes of chunks' sizes and of trailers, so far
    _clock: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _LOGGER

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first request its time."""
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come, as far as it may be long."""
        while data and self._head is not None:
            if self._clock is None:
                self._start_clock()
            taken = data[: HEAD_BYTES - self._head]
            self._head += len(taken)
            super().data_received(taken)
            data = data[len(taken) :]
            if self.transport.is_closing():
                return
            if self._head is not None and self._head >= HEAD_BYTES:
                self._refuse_head()
                return
        if data:
            self._around += len(data)
            super().data_received(data)
            # A chunk of a byte has some six around it; what is far more says nothing.
            if self._around > HEAD_BYTES + 2**18 and not self.transport.is_closing():
                self.transport.close()

    def on_message_begin(self) -> None:
        """Count the head of another request."""
        super().on_message_begin()
        self._head = self._head or 0

    def on_headers_complete(self) -> None:
        """The head has come."""
        self._head, self._left, self._around = None, 0, 0
        self._stop_clock()
        super().on_headers_complete()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope[WHOLE] = partial(self.whole_body, self.cycle)

    def whole_body(
        self, cycle: Any, size: int, head: int, arrived: Callable[[int], bool]
    ) -> tuple[memoryview, asyncio.Future[bool]] | None:
        """Have a body of `size` bytes read into one place, and return that: see `WholeBody`.

        What follows its first `head` bytes is aligned. None where it has come already.
        """
        if cycle is not self.cycle or not cycle.more_body or cycle.disconnected:
            return None
        there, cycle.body = bytes(cycle.body), type(cycle.body)()
        data = aligned(size, head).data
        if cycle.waiting_for_100_continue:
            cycle.waiting_for_100_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        reader = WholeBody(self, data, there, arrived)
        self._read_by(reader)
        return data, reader.done

    def go_on(self) -> None:
        """Read what comes after a body that was read into one place."""
        # Of the body, the parser before has seen the beginning, and waits for the rest.
        self.parser = httptools.HttpRequestParser(self)
        if hasattr(self.parser, "set_dangerous_leniencies"):  # as uvicorn has it
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._read_by(self)
        self._head = 0
        if self.cycle.response_complete:
            self._stop_clock()
            return
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def _read_by(self, protocol: asyncio.BaseProtocol) -> None:
        self.flow.pause_reading()
        self.transport.set_protocol(protocol)
        self.flow.resume_reading()

    def pass_over(self, count: int) -> bool:
        """Whether so many bytes that nobody reads any more are too many, and this is the end."""
        self._left += count
        if self._left > LEFT_BYTES:
            self.transport.close()
        return self._left > LEFT_BYTES

    def on_body(self, body: bytes) -> None:
        """Pass over what nobody reads, for a while."""
        self._around = max(0, self._around - 8 * len(body))
        if self.cycle.response_complete:
            self.pass_over(len(body))
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next request."""
        super().on_message_complete()
        self._head = 0
        if self.cycle.response_complete:
            self._stop_clock()  # the rest of the body has come; uvicorn's own clock goes on

    def on_response_complete(self) -> None:
        """Give a body that is still coming its time."""
        if self.cycle.more_body and not self.transport.is_closing():
            self._start_clock()
        super().on_response_complete()

    def _start_clock(self) -> None:
        self._stop_clock()
        self._clock = self.loop.call_later(HEAD_SECONDS, self._late)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _late(self) -> None:
        self._clock = None
        answered = self.cycle is None or self.cycle.response_complete
        if self.transport.is_closing():
            return
        if not answered:
            # What was asked before is being answered; until then the next one has time.
            if self._head is not None:
                self._start_clock()
        elif self._head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request did not come in time")
        else:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, "what came is not an HTTP request")

    def _refuse_head(self) -> None:
        most = f"{HEAD_BYTES // 1024} KiB"
        if self.headers:
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self._refuse(status, f"the headers of the request have more than {most}")
        else:
            status = HTTPStatus.REQUEST_URI_TOO_LONG
            self._refuse(status, f"the first line of the request has more than {most}")

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        """Answer what never became a request, and close."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.close()  # an answer to the request before is under way
            return
        if isinstance(self.config.app, AccessLog):
            self.config.app.refused(self.client, status, sentence)
        body = json.dumps({"error": sentence}).encode()
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%s" % (status, status.phrase.encode(), len(body), body)
        )
        self.transport.close()
