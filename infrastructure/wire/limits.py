"""How much of the wire one client may take."""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
_NEVER = 2**31 - 1  # milliseconds; what gRPC takes for never


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the wire: bytes, counts, and seconds. Each has a default that suits the service."""

    calls_per_connection: int = 1000
    """How many calls one connection may have under way; a client waits with further ones.

    A client that is at the bound all the time is refused now and then by the core (REFUSED_STREAM),
    which counts a call a little longer than its client does.
    """
    calls: int = 8192
    """How many calls may be under way on all connections; further ones are refused."""
    request_bytes: int = MIB + 64 * KIB
    """The largest message that is read: the largest payload and its envelope."""
    metadata_bytes: int = 16 * KIB
    """The most bytes of metadata of one request."""
    unread_bytes: int = 8 * MIB
    """How much of large answers may wait for one connection to read them."""
    unread_bytes_of_all: int = 64 * MIB
    """The same on all connections; a connection may always have one answer unread."""
    patience: float = 10.0
    """How long a call waits for its client: for the message, and for the answer to be read."""
    handshake: float = 10.0
    """How long a new connection may take to speak HTTP/2."""
    ping_every: float = 5.0
    """How often a client may send a keepalive ping, also without calls."""
    connection_age: float = 3600.0
    """After how long a connection takes no new calls; gRPC varies it by 10 %. 0: never."""
    connection_grace: float = 330.0
    """How long the calls of such a connection have to end."""
    connection_idle: float = 1800.0
    """After how long without a call a connection is closed. 0: never."""
    window_bytes: int = 256 * KIB
    """How much of a message a client may send before it is read: the window of a stream."""

    def options(self, *, shares_port: bool, pending: int) -> list[tuple[str, int]]:
        """The options of a gRPC server. With `shares_port`, several processes may serve a port.

        `pending` is how many calls the core may keep that its server has not asked for yet: see
        Body. The core cancels some of those beyond.
        """
        return [
            ("grpc.so_reuseport", int(shares_port)),
            ("grpc.max_concurrent_streams", self.calls_per_connection),
            ("grpc.max_receive_message_length", self.request_bytes),
            ("grpc.max_metadata_size", self.metadata_bytes),
            ("grpc.absolute_max_metadata_size", 2 * self.metadata_bytes),
            ("grpc.http2.lookahead_bytes", self.window_bytes),
            ("grpc.http2.bdp_probe", 0),  # It would let windows grow to 4 MiB.
            ("grpc.server_handshake_timeout_ms", round(self.handshake * 1000)),
            ("grpc.http2.min_ping_interval_without_data_ms", round(self.ping_every * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.max_connection_age_ms", _milliseconds(self.connection_age)),
            ("grpc.max_connection_age_grace_ms", _milliseconds(self.connection_grace)),
            ("grpc.max_connection_idle_ms", _milliseconds(self.connection_idle)),
            # If a client vanished without closing its connection, this is noticed within 80 s.
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.server.max_pending_requests", pending),
            ("grpc.server.max_pending_requests_hard_limit", pending),
        ]


def _milliseconds(seconds: float) -> int:
    """As an option of gRPC; 0 is never."""
    return round(seconds * 1000) or _NEVER
