"""Addresses written as host:port, and which of them only this machine can reach."""

import ipaddress
from dataclasses import dataclass

DEFAULT_ADDRESS = "127.0.0.1:50052"
"""The default address of the service, for the server and for clients."""

_LAST_PORT = 65535


class NoAddress(ValueError):
    """A text is not host:port."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is no host:port such as {DEFAULT_ADDRESS}")


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port. The host of an IPv6 address stands without its brackets."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Reads host:port, or [host]:port for IPv6. Port 0 is accepted. Raises NoAddress."""
        host, _, port = text.rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        is_host = bool(bare) and not set("/[] ") & set(bare) and (bare != host or ":" not in host)
        # gRPC takes a port above 65535 modulo 65536.
        if not is_host or not (port.isascii() and port.isdecimal()) or int(port) > _LAST_PORT:
            raise NoAddress(text)
        return cls(bare, int(port))

    @property
    def is_ipv6(self) -> bool:
        """Whether the host is a numeric IPv6 address."""
        return ":" in self.host

    @property
    def is_loopback(self) -> bool:
        """Whether only processes on this machine can reach the host."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_ipv6 else f"{self.host}:{self.port}"
