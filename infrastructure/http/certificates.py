"""TLS of the HTTP door: its certificate may change, and clients may show theirs."""

import asyncio
import ssl
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from infrastructure.identity.tls import TlsFiles

NAMES = "workflows.names"
"""The key of a request's scope that holds the names in the client's verified certificate."""

_KINDS = ("URI", "DNS")


class PeerNames(HttpToolsProtocol):
    """The library's protocol; requests also know the names in the client's certificate."""

    _names: list[str]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the library has it
        """Reads the certificate of a new connection."""
        super().connection_made(transport)
        certificate: dict[str, Any] = transport.get_extra_info("peercert") or {}
        names = certificate.get("subjectAltName", ())
        self._names = [name for kind, name in names if kind in _KINDS]

    def on_message_begin(self) -> None:
        """Begins a request."""
        super().on_message_begin()
        self.scope["state"][NAMES] = self._names


def context(files: TlsFiles) -> ssl.SSLContext:
    """A context that looks at the files before each new connection.

    Clients may show a certificate of the client authorities, if there are any.
    """
    first = files.context()
    used, current = files.current(), first
    if files.client_authorities is not None:
        first.verify_mode = ssl.CERT_OPTIONAL

    def greeted(connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        nonlocal used, current
        if files.current() is not used:
            used, current = files.current(), files.context()
        connection.context = current

    first.sni_callback = greeted
    return first
