"""Certificates of tests: an authority, and what it signs."""

import datetime as dt
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)
LOCAL = (x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")))


class Authority:
    """An authority whose files stand in a folder."""

    def __init__(self, folder: Path) -> None:
        """Makes it."""
        self._folder = folder
        self._key = generate_private_key(SECP256R1())
        self.file = folder / "authority.pem"
        certificate = self._certificate("authority", self._key.public_key(), (), authority=True)
        self.file.write_bytes(certificate)

    def sign(self, name: str, names: Sequence[x509.GeneralName], common: str = "") -> Path:
        """Writes NAME.pem and NAME.key for these alternative names; returns NAME.pem."""
        key = generate_private_key(SECP256R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificate = self._certificate(common or name, key.public_key(), names, authority=False)
        file = self._folder / f"{name}.pem"
        # A reader may come in between: it must meet either pair, or notice that they do not fit.
        file.with_suffix(".key").write_bytes(private)
        file.write_bytes(certificate)
        return file

    def _certificate(
        self, common: str, key: object, names: Sequence[x509.GeneralName], *, authority: bool
    ) -> bytes:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common))
            .issuer_name(_name("authority"))
            .public_key(key)  # type: ignore[arg-type] # a public key of any kind
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
