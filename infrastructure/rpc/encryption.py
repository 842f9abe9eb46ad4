"""TLS of a gRPC server, whose certificate may change while it serves."""

from typing import Any

import grpc

from infrastructure.identity.tls import Pem, TlsFiles


def credentials(files: TlsFiles, *, requires_client: bool) -> grpc.ServerCredentials:
    """Credentials that look at the files before each new connection.

    With `requires_client`, a connection needs a certificate of one of the client authorities.
    """
    used = files.current()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal used
        current = files.current()
        if current is used:
            return None
        used = current
        return _configuration(current)

    fetcher: Any = changed  # None means no change, which the library's types leave out.
    return grpc.dynamic_ssl_server_credentials(
        _configuration(used), fetcher, require_client_authentication=requires_client
    )


def _configuration(pem: Pem) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(pem.key, pem.certificate)], pem.client_authorities
    )
