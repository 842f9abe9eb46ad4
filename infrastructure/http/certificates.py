"""TLS of the HTTP door: its certificate may change, and clients may show theirs."""

import ssl

from infrastructure.identity.tls import TlsFiles


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
