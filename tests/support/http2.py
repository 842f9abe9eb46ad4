"""HTTP/2 by hand: frames as a client that behaves badly sends them."""

import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from hpack import Decoder, Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SOON = 30.0  # seconds: patience with a slow machine, not an expectation


class Http2:
    """A connection on which a test sends what it wants, frame by frame."""

    def __init__(self, address: str, settings: dict[int, int] | None = None) -> None:
        """Connects, and sends the preface and settings."""
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=SOON)
        self._encoder = Encoder()
        self._decoder = Decoder()
        self._read = b""
        self._streams = -1
        self._endings: dict[int, dict[str, str]] = {}
        opening = SettingsFrame(0)
        opening.settings = settings or {}
        self.socket.sendall(PREFACE + opening.serialize())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, *frames: Frame) -> None:
        """Sends frames. Raises OSError if the server has closed the connection."""
        self.socket.sendall(b"".join(frame.serialize() for frame in frames))

    def headers(
        self, path: str, extra: Sequence[tuple[str, str]] = (), *, ends: bool = False
    ) -> HeadersFrame:
        """The frame that opens the next stream with a call of a method."""
        self._streams += 2
        frame = HeadersFrame(self._streams)
        frame.flags.add("END_HEADERS")
        if ends:
            frame.flags.add("END_STREAM")
        frame.data = self._encoder.encode(
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", path),
                (":authority", "localhost"),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                *extra,
            ]
        )
        return frame

    def call(self, path: str, message: bytes) -> list[Frame]:
        """The frames of a whole call."""
        headers = self.headers(path)
        return [headers, data(headers.stream_id, message)]

    def frames(self) -> Iterator[Frame]:
        """What the server sends, until it closes the connection; acknowledges its settings.

        Raises TimeoutError if nothing comes for SOON seconds.
        """
        while True:
            header = self._exactly(9)
            if header is None:
                return
            frame, length = Frame.parse_frame_header(memoryview(header))
            body = self._exactly(length)
            if body is None:
                return
            frame.parse_body(memoryview(body))
            if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
                acknowledged = SettingsFrame(0)
                acknowledged.flags.add("ACK")
                self.send(acknowledged)
            yield frame

    def ending_of(self, stream: int) -> dict[str, str]:
        """How a call ends: its last headers, or a word for the ending if there are none."""
        if stream not in self._endings:
            for frame in self.frames():
                self._note(frame)
                if stream in self._endings or isinstance(frame, GoAwayFrame):
                    break
        return self._endings.get(stream, {"connection": "closed"})

    def _note(self, frame: Frame) -> None:
        if isinstance(frame, HeadersFrame):
            headers = {str(k): str(v) for k, v in self._decoder.decode(frame.data)}
            if "END_STREAM" in frame.flags:
                self._endings[frame.stream_id] = headers
        if isinstance(frame, RstStreamFrame):
            self._endings.setdefault(frame.stream_id, {"reset": str(frame.error_code)})

    def drain(self, within: float = 0.2) -> None:
        """Reads what the server sends, until it is silent for so many seconds or closes."""
        self.socket.settimeout(within)
        with suppress(TimeoutError):
            while self.socket.recv(65536):
                pass

    def is_answered(self) -> bool:
        """Whether the connection lives: whether a ping comes back."""
        try:
            self.send(ping(b"answer??"))
            return any(
                isinstance(f, PingFrame) and f.opaque_data == b"answer??" for f in self.frames()
            )
        except OSError:
            return False

    def _exactly(self, count: int) -> bytes | None:
        while len(self._read) < count:
            more = self.socket.recv(65536)
            if not more:
                return None
            self._read += more
        found, self._read = self._read[:count], self._read[count:]
        return found


def data(stream: int, message: bytes, *, ends: bool = True) -> DataFrame:
    """The frame that carries a whole message of gRPC."""
    frame = DataFrame(stream)
    frame.data = struct.pack(">BI", 0, len(message)) + message
    if ends:
        frame.flags.add("END_STREAM")
    return frame


def ping(content: bytes = b"attacked") -> PingFrame:
    """A ping; the server must send it back."""
    frame = PingFrame(0)
    frame.opaque_data = content
    return frame


def reset(stream: int) -> RstStreamFrame:
    """The frame by which a client cancels a call."""
    frame = RstStreamFrame(stream)
    frame.error_code = 8
    return frame


def window(stream: int, increment: int) -> WindowUpdateFrame:
    """The frame that lets the server send more."""
    frame = WindowUpdateFrame(stream)
    frame.window_increment = increment
    return frame
