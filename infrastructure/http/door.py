"""Opens the HTTP door on its address, and closes it."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from google.protobuf.descriptor import ServiceDescriptor

from infrastructure.address import Address
from infrastructure.http.server import Checks, HttpServer, application
from infrastructure.wire.calls import Method

_BACKLOG = 1024  # connections that wait to be accepted
_CUT_OFF = 1.0  # seconds that requests in flight have to finish when the door closes


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
    services: Sequence[ServiceDescriptor],
    methods: Mapping[str, Method],
    checks: Checks,
    *,
    shares_port: bool,
) -> Iterator[HttpServer]:
    """Serves the methods, which are by full name, over HTTP until the block ends.

    With `shares_port`, several processes may serve one port. Raises DoorAddressInUse.
    """
    family = socket.AF_INET6 if address.is_ipv6 else socket.AF_INET
    try:
        listening = socket.create_server(
            (address.host, address.port),
            family=family,
            backlog=_BACKLOG,
            reuse_port=shares_port,
        )
    except OSError as refused:
        raise DoorAddressInUse(address, refused) from refused
    server = HttpServer(application(services, methods, checks), listening)
    try:
        yield server
    finally:
        server.close(_CUT_OFF)
