"""The bounds of clients, as they are set: of the wire, of the HTTP door, and of each caller."""

from infrastructure.http.bounds import LONGEST_IDLE, Bounds
from infrastructure.rpc.allowance import Allowance, AtOnce, Rate
from infrastructure.settings import Settings
from infrastructure.wire.limits import Limits


def wire_limits(settings: Settings) -> Limits:
    """The bounds of the wire, as they are set."""
    return Limits(
        calls=settings.calls,
        calls_per_connection=settings.calls_per_connection,
        request_bytes=settings.request_bytes,
        metadata_bytes=settings.metadata_bytes,
        window_bytes=settings.window_bytes,
        unread_bytes=settings.unread_bytes,
        unread_bytes_of_all=settings.unread_bytes_of_all,
        patience=settings.patience,
        handshake=settings.handshake,
        ping_every=settings.ping_every,
        connection_age=settings.connection_age,
        connection_grace=settings.connection_grace,
        connection_idle=settings.connection_idle,
    )


def allowances(settings: Settings) -> tuple[Allowance | None, Allowance | None]:
    """What each caller may take by calls, and by streams, as it is set; None without a bound."""
    rate = Rate(settings.rate, settings.rate_seconds) if settings.rate else None
    calls = AtOnce(settings.calls_per_caller) if settings.calls_per_caller else None
    streams = AtOnce(settings.streams_per_caller) if settings.streams_per_caller else None
    return (
        Allowance(calls, rate) if calls or rate else None,
        Allowance(streams, rate) if streams or rate else None,
    )


def http_bounds(settings: Settings) -> Bounds:
    """The bounds of the HTTP door."""
    return Bounds(
        request_bytes=settings.request_bytes,
        metadata_bytes=settings.metadata_bytes,
        connections=settings.calls,
        handshake=settings.handshake,
        patience=settings.patience,
        longest_wait=settings.longest_wait,
        age=settings.connection_age,
        idle=min(settings.connection_idle or LONGEST_IDLE, LONGEST_IDLE),
    )
