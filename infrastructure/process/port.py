"""The address on which the service listens: checked before anything starts, and reserved."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from infrastructure.address import Address


class AddressRefused(Exception):
    """The service cannot listen on the address; the text explains why, and what to do."""

    def __init__(self, address: Address, refused: OSError) -> None:
        elsewhere = f"127.0.0.1:{min(address.port + 1, 65535) if address.port >= 1024 else 50052}"  # noqa: PLR2004 - ports of ordinary users begin there
        serve = f"workflows serve --listen {elsewhere}"
        match refused.errno:
            case errno.EADDRINUSE:
                reason = f"is in use. Stop what listens there, or serve elsewhere: {serve}"
            case errno.EACCES | errno.EPERM:
                reason = f"is not allowed: low ports are for root. Serve on a higher one: {serve}"
            case errno.EAFNOSUPPORT | errno.EADDRNOTAVAIL if address.is_ipv6:
                reason = f"cannot be had: this machine has no IPv6. Use IPv4: {serve}"
            case errno.EADDRNOTAVAIL:
                reason = f"cannot be had: this machine has no such address. Use another: {serve}"
            case _:
                reason = f"cannot be had ({refused.strerror or refused}). Use another: {serve}"
        super().__init__(f"{address} {reason}")


def check(address: str) -> None:
    """Raises AddressRefused if one server cannot listen there now."""
    for family, where in _resolved(Address.parse(address)):
        with _bound(Address.parse(address), family, where, socket.SO_REUSEADDR):
            pass


@contextmanager
def reserved(address: str) -> Iterator[str]:
    """The address with its final port, reserved while workers start and end.

    Raises AddressRefused.
    """
    check(address)
    wanted = Address.parse(address)
    family, where = _resolved(wanted)[0]
    # Bound but not listening: takes no connection, and no other user can bind the port.
    try:
        keeper = _bound(wanted, family, where, socket.SO_REUSEPORT)
    except AddressRefused:
        # Connections of a server that ran alone may linger there for a minute.
        keeper = _bound(wanted, family, where, socket.SO_REUSEPORT, socket.SO_REUSEADDR)
    with keeper:
        yield str(Address(wanted.host, keeper.getsockname()[1]))


def _resolved(address: Address) -> list[tuple[int, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as unknown:
        raise AddressRefused(address, unknown) from unknown
    return [(family, (str(where[0]), int(where[1]))) for family, _, _, _, where in found]


def _bound(address: Address, family: int, where: tuple[str, int], *options: int) -> socket.socket:
    try:
        bound = socket.socket(family, socket.SOCK_STREAM)
    except OSError as refused:
        raise AddressRefused(address, refused) from refused
    try:
        for option in options:
            bound.setsockopt(socket.SOL_SOCKET, option, 1)
        bound.bind(where)
    except OSError as refused:
        bound.close()
        raise AddressRefused(address, refused) from refused
    return bound
