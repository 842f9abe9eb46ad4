"""How much of the HTTP door one client may take; the same settings bound the wire of gRPC."""

from dataclasses import dataclass

LONGEST_IDLE = 75.0  # seconds: browsers and proxies keep connections for about as long
ESCAPED = 4  # JSON with escapes may have so many times the bytes of the message


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes, counts, and seconds."""

    request_bytes: int = 1_114_112
    """The largest message."""
    metadata_bytes: int = 16_384
    """The most bytes of a request's headers."""
    connections: int = 8192
    """How many connections may be open; each has one call under way at most."""
    handshake: float = 10.0
    """How long a new connection may take to encrypt, and then to send its first request."""
    patience: float = 10.0
    """How long a request may take to arrive, and an answer to be read."""
    longest_wait: float = 300.0
    """After how long a call is no longer waited for."""
    age: float = 3600.0
    """After how long a connection is closed behind an answer, 10 % more or less. 0: never."""
    idle: float = LONGEST_IDLE
    """After how long without a request a connection is closed."""
