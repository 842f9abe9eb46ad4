"""The key that signs checkpoints, receipts and packs: a file that only its owner may read.

It holds one line as Go's golang.org/x/mod/sumdb/note writes a signer key:
PRIVATE+KEY+name+id+key. The name is the name of the installation; the log of each epoch has a name
of its own, this one and the epoch.
"""

import os
import secrets
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from infrastructure.settings import Settings
from infrastructure.tlog.notes import SIGNATURE, Note, Signer, Verifier

_FILE = "log.key"
_PREFIX = "PRIVATE+KEY+"
_SEED_BYTES = 32


class KeyUnusable(Exception):
    """A key file cannot be used. The text explains why, and what to do."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the name of its installation or witness."""

    name: str
    private: Ed25519PrivateKey

    @classmethod
    def made(cls, name: str) -> "SigningKey":
        """A new key."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> "SigningKey":
        """The key in the line of a key file. Raises KeyUnusable."""
        try:
            name, key_id, encoded = text.strip().removeprefix(_PREFIX).split("+", 2)
            key = b64decode(encoded, validate=True)
        except ValueError as malformed:
            raise KeyUnusable("holds no signer key (PRIVATE+KEY+name+id+key)") from malformed
        if not text.startswith(_PREFIX) or len(key) != 1 + _SEED_BYTES or key[0] != SIGNATURE:
            raise KeyUnusable("holds no signer key for Ed25519 (PRIVATE+KEY+name+id+key)")
        found = cls(name, Ed25519PrivateKey.from_private_bytes(key[1:]))
        if found.signer(name).verifier.key_id.hex() != key_id:
            raise KeyUnusable("names the id of another key")
        return found

    def __str__(self) -> str:
        """The line of the key file."""
        key = b64encode(bytes([SIGNATURE]) + self.private.private_bytes_raw()).decode()
        return f"{_PREFIX}{self.name}+{self.signer(self.name).verifier.key_id.hex()}+{key}\n"

    def signer(self, name: str, kind: int = SIGNATURE) -> Signer:
        """The key under a name."""
        return Signer(name, kind, self.private)

    @property
    def verifier(self) -> Verifier:
        """The public half, under the name of the installation."""
        return self.signer(self.name).verifier

    def log_signer(self, epoch: int) -> Signer:
        """The key of the log of an epoch."""
        return self.signer(log_name(self.name, epoch))

    @property
    def receipts_signer(self) -> Signer:
        """The key of the log of receipts, which goes on through all epochs."""
        return self.signer(f"{self.name}/erasures")

    def sign(self, text: str) -> Note:
        """A note that says a text, signed under the name of the installation.

        The text must end in a newline, and its first line must name its kind, such as
        `workflows.receipt.v1`: so it can never be taken for a checkpoint.
        """
        if not text.startswith("workflows.") or not text.endswith("\n"):
            raise ValueError("a signed text begins with its kind and ends in a newline")
        return Note(text, [self.signer(self.name).line(text)])


def log_name(installation: str, epoch: int) -> str:
    """The name of the log of an epoch: its origin."""
    return f"{installation}/{epoch}"


def signing_key(settings: Settings) -> SigningKey:
    """The signing key of an installation; it is made at first use. Raises KeyUnusable."""
    return read_or_make(settings.log_key or settings.data_dir / _FILE, settings.log_name)


def read_or_make(path: Path, name: str | None = None) -> SigningKey:
    """The key in a file; a new one, readable by its owner only, if there is no such file.

    `name` is that of a new key; one at random if None. Any number of processes may do this at
    once: one key is made. Raises KeyUnusable.
    """
    try:
        return read(path)
    except FileNotFoundError:
        _make(path, SigningKey.made(name or f"workflows.internal/{secrets.token_hex(6)}"))
        return read(path)
    except OSError as refused:
        raise KeyUnusable(f"The key {path} cannot be read: {refused.strerror}") from refused


def read(path: Path) -> SigningKey:
    """The key in a file. Raises FileNotFoundError, OSError or KeyUnusable."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.stat().st_mode & 0o077:
        raise KeyUnusable(f"Others may read the key {path}. Run: chmod 600 {path}")
    try:
        return SigningKey.parse(text)
    except KeyUnusable as unusable:
        raise KeyUnusable(f"The key file {path} {unusable}") from unusable


def _make(path: Path, key: SigningKey) -> None:
    """Writes a key file under its name, unless another process has done so meanwhile."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(str(key))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(beside, path)
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    except OSError as refused:
        raise KeyUnusable(f"The key {path} cannot be written: {refused.strerror}") from refused
