"""The address on which the service listens: checked before anything starts, and reserved."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infrastructure.address import Address


class AddressRefused(Exception):
    """The service cannot listen on the address; the text explains why, and what to do."""

    def __init__(self, address: Address, refused: OSError, flag: str = "--listen") -> None:
        elsewhere = f"127.0.0.1:{min(address.port + 1, 65535) if address.port >= 1024 else 50052}"  # noqa: PLR2004 - ports of ordinary users begin there
        serve = f"workflows serve {flag} {elsewhere}"
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


def check(address: str, flag: str = "--listen") -> None:
    """Raises AddressRefused if one server cannot listen there now; `flag` chooses the address."""
    wanted = Address.parse(address)
    try:
        if wanted.path:
            _check_socket(Path(wanted.path))
            return
        for family, where in _resolved(wanted):
            _bound(family, where, socket.SO_REUSEADDR).close()
    except OSError as refused:
        raise AddressRefused(wanted, refused, flag) from refused


@contextmanager
def reserved(address: str, flag: str = "--listen") -> Iterator[str]:
    """The address with its final port, reserved while workers start and end.

    Raises AddressRefused.
    """
    check(address, flag)
    wanted = Address.parse(address)
    try:
        keeper = _kept(wanted)
    except OSError as refused:
        raise AddressRefused(wanted, refused, flag) from refused
    with keeper:
        yield str(wanted.at(keeper.getsockname()[1]))


def _check_socket(path: Path) -> None:
    """A socket whose server has ended is no obstacle: it is made anew. Raises OSError."""
    if path.exists() and not path.is_socket():
        raise OSError(errno.EEXIST, "a file is there that is no socket")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        return
    raise OSError(errno.EADDRINUSE, "in use")


def _kept(wanted: Address) -> socket.socket:
    """A socket that is bound but not listening: it takes no connection, and keeps the port.

    Raises OSError.
    """
    if wanted.path:
        raise OSError(errno.EOPNOTSUPP, "several workers cannot share a socket")
    family, where = _resolved(wanted)[0]
    try:
        return _bound(family, where, socket.SO_REUSEPORT)
    except OSError:
        # Connections of a server that ran alone may linger there for a minute.
        return _bound(family, where, socket.SO_REUSEPORT, socket.SO_REUSEADDR)


def _resolved(address: Address) -> list[tuple[int, tuple[str, int]]]:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    return [(family, (str(where[0]), int(where[1]))) for family, _, _, _, where in found]


def _bound(family: int, where: tuple[str, int], *options: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            bound.setsockopt(socket.SOL_SOCKET, option, 1)
        bound.bind(where)
    except OSError:
        bound.close()
        raise
    return bound
