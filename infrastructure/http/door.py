"""Opens the HTTP door on its address, and closes it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.types import ASGIApp

from infrastructure.address import Address
from infrastructure.http.bounds import Bounds
from infrastructure.http.server import HttpServer
from infrastructure.identity.tls import TlsFiles

_BACKLOG = 1024  # connections that wait to be accepted
_CUT_OFF = 4.0  # seconds that requests in flight have to finish: the database answers within 3.5


class DoorAddressInUse(Exception):
    """Something else listens on the address of the HTTP door."""

    def __init__(self, address: Address, refused: OSError) -> None:
        super().__init__(
            f"HTTP cannot be served on {address}: {refused.strerror}. Serve it elsewhere:"
            " workflows serve --http-listen 127.0.0.1:50081"
        )


@contextmanager
def opened(
    address: Address,
    app: ASGIApp,
    bounds: Bounds,
    tls: TlsFiles | None,
    *,
    shares_port: bool,
) -> Iterator[HttpServer]:
    """Serves the door's application until the block ends, encrypted if there is `tls`.

    With `shares_port`, several processes may serve one port. Raises DoorAddressInUse.
    """
    try:
        listening = _listening(address, shares_port=shares_port)
    except OSError as refused:
        raise DoorAddressInUse(address, refused) from refused
    server = HttpServer(app, listening, bounds, tls)
    try:
        yield server
    finally:
        server.close(_CUT_OFF)


def _listening(address: Address, *, shares_port: bool) -> socket.socket:
    """Raises OSError."""
    if address.path:
        if Path(address.path).is_socket():
            Path(address.path).unlink()  # Of a server that has ended: the start has looked.
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(address.path)
        listening.listen(_BACKLOG)
        return listening
    family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
    return socket.create_server(
        (address.host, address.port), family=family, backlog=_BACKLOG, reuse_port=shares_port
    )
