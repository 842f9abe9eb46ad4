"""The service's own certificate and key, and whose client certificates count; files that change.

A new certificate counts from the next connection on, without a restart.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic

import structlog

from infrastructure.identity.keys import stamp

LOOK_EVERY = 1.0  # seconds between two looks whether the files changed

_log = structlog.get_logger()


class TlsUnusable(Exception):
    """The files cannot be read, or do not belong together."""


@dataclass(frozen=True, slots=True)
class Pem:
    """The content of the files; `client_authorities` is None if no client shows a certificate."""

    certificate: bytes
    key: bytes
    client_authorities: bytes | None


class TlsFiles:
    """The files of one service. A change that cannot be used is logged, and what was read stays."""

    def __init__(self, certificate: Path, key: Path, client_authorities: Path | None) -> None:
        """Reads the files, which are PEM. Raises TlsUnusable."""
        self.certificate = certificate
        self.key = key
        self.client_authorities = client_authorities
        self._reading = Lock()
        self._seen = self._stamps()
        self._look_at = 0.0
        self._pem = self._read()

    def current(self) -> Pem:
        """The content when the files were last looked at: the same object if it is unchanged."""
        now = monotonic()
        if now >= self._look_at:
            with self._reading:
                self._look_at = now + LOOK_EVERY
                stamps = self._stamps()
                if stamps != self._seen:
                    self._read_again(stamps)
        return self._pem

    def context(self) -> ssl.SSLContext:
        """A context of the files as they are, for servers. Raises TlsUnusable."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.client_authorities is not None:
                context.load_verify_locations(self.client_authorities)
        except OSError as refused:
            reason = refused.reason if isinstance(refused, ssl.SSLError) else refused.strerror
            raise TlsUnusable(
                f"{self.certificate} and {self.key} cannot be used for TLS: {reason}."
                " Give PEM files of a certificate with its chain and of its key"
            ) from refused
        return context

    def _read_again(self, stamps: tuple[tuple[int, ...], ...]) -> None:
        try:
            self._pem = self._read()
        except TlsUnusable as refused:
            _log.error("certificate unusable, the one before stays", reason=str(refused))
        else:
            _log.info("certificate read again", file=str(self.certificate))
        self._seen = stamps

    def _read(self) -> Pem:
        self.context()
        authorities = self.client_authorities
        return Pem(
            self.certificate.read_bytes(),
            self.key.read_bytes(),
            None if authorities is None else authorities.read_bytes(),
        )

    def _stamps(self) -> tuple[tuple[int, ...], ...]:
        files = (self.certificate, self.key, self.client_authorities)
        return tuple(stamp(file) for file in files if file is not None)
