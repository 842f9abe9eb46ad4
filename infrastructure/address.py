"""Addresses written as host:port or unix:path, and which of them only this machine can reach."""

import ipaddress
from dataclasses import dataclass

DEFAULT_ADDRESS = "127.0.0.1:50052"
"""The default address of the service, for the server and for clients."""

UNIX = "unix:"
_LAST_PORT = 65535
_LONGEST_PATH = 107  # bytes, as the kernel has it


class NoAddress(ValueError):
    """A text is neither host:port nor unix:path."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text!r} is no host:port such as {DEFAULT_ADDRESS}, and no unix:/path of a socket"
        )


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port, or the path of a Unix socket.

    The host of an IPv6 address stands without its brackets; a socket has neither host nor port.
    """

    host: str
    port: int
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Reads host:port, [host]:port for IPv6, or unix:path. Port 0 is accepted.

        Raises NoAddress.
        """
        if text.startswith(UNIX):
            return cls._of_socket(text)
        host, _, port = text.rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        is_host = bool(bare) and not set("/[] ") & set(bare) and (bare != host or ":" not in host)
        # gRPC takes a port above 65535 modulo 65536.
        if not is_host or not (port.isascii() and port.isdecimal()) or int(port) > _LAST_PORT:
            raise NoAddress(text)
        return cls(bare, int(port))

    @classmethod
    def _of_socket(cls, text: str) -> "Address":
        path = text.removeprefix(UNIX)
        path = path.removeprefix("//") if path.startswith("///") else path
        if not path or "\0" in path or len(path.encode()) > _LONGEST_PATH:
            raise NoAddress(text)
        return cls("", 0, path)

    @property
    def is_ipv6(self) -> bool:
        """Whether the host is a numeric IPv6 address."""
        return ":" in self.host

    @property
    def is_loopback(self) -> bool:
        """Whether only processes on this machine can reach it."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def at(self, port: int) -> "Address":
        """The same address with another port; a socket has none and stays as it is."""
        return self if self.path else Address(self.host, port)

    def __str__(self) -> str:
        if self.path:
            return f"{UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if self.is_ipv6 else f"{self.host}:{self.port}"
