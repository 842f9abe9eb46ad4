"""The public keys that tokens are verified with: a PEM or JWKS file, read again when it changes."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey, import_key

LEAST_RSA_BITS = 2048
_RSA = ("RSA", None)
_KINDS: Mapping[tuple[Any, Any], Sequence[str]] = {
    _RSA: ("RS256",),
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("Ed25519", "EdDSA"),
}
"""The algorithms of each kind of key (kty and crv) that is accepted."""

Key = RSAKey | ECKey | OKPKey
_log = structlog.get_logger()


class KeysUnusable(Exception):
    """The file of keys cannot be read, or holds no key that may verify a token."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of a file; `generation` grows each time that the file is read again."""

    keys: Sequence[tuple[str, Key]]
    generation: int

    def candidates(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """The keys that may have signed a token: of this id if it names one, of its algorithm."""
        return [
            key
            for known, key in self.keys
            if (kid is None or known in ("", kid)) and algorithm in algorithms_of(key)
        ]


class KeyFile:
    """A file of public keys. A change that cannot be used is logged, and the old keys stay."""

    def __init__(self, path: Path, look_every: float = 1.0) -> None:
        """Reads the file, and looks every so many seconds if it changed. Raises KeysUnusable."""
        self._path = path
        self._look_every = look_every
        self._look_at = monotonic() + look_every
        self._reading = Lock()
        self._seen = stamp(path)
        self._set = KeySet(read_keys(path), 1)

    def current(self) -> KeySet:
        """The keys of the file as it was when it was last looked at."""
        now = monotonic()
        if now < self._look_at:
            return self._set
        self._look_at = now + self._look_every
        seen = stamp(self._path)
        if seen != self._seen:
            with self._reading:
                self._read_again(seen)
        return self._set

    def _read_again(self, seen: tuple[int, ...]) -> None:
        if seen == self._seen:
            return  # Another thread has read it meanwhile.
        try:
            self._set = KeySet(read_keys(self._path), self._set.generation + 1)
        except KeysUnusable as refused:
            _log.error("keys unusable, the ones before stay", reason=str(refused))
        else:
            _log.info("keys read again", keys=len(self._set.keys))
        self._seen = seen


def algorithms_of(key: Key) -> Sequence[str]:
    """The signature algorithms that a key may be used with."""
    if isinstance(key, RSAKey):
        return _KINDS[_RSA]
    return _KINDS["EC", "P-256"] if isinstance(key, ECKey) else _KINDS["OKP", "Ed25519"]


def read_keys(path: Path) -> Sequence[tuple[str, Key]]:
    """The usable keys of a PEM or JWKS file, each with its id (empty in PEM).

    A key of a JWKS that is of an unknown kind is skipped, with a log line. Raises KeysUnusable.
    """
    try:
        text = path.read_bytes()
    except OSError as unreadable:
        raise KeysUnusable(f"{path} cannot be read: {unreadable.strerror}") from unreadable
    found = [("", _pem(path, text))] if b"-----BEGIN" in text else _jwks(path, text)
    if not found:
        raise KeysUnusable(f"{path} holds no Ed25519, P-256 or RSA key of {LEAST_RSA_BITS} bits")
    return found


def _pem(path: Path, text: bytes) -> Key:
    try:
        public = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm) as unreadable:
        raise KeysUnusable(
            f"{path} is no PEM of a public key; give one that begins with BEGIN PUBLIC KEY"
        ) from unreadable
    if isinstance(public, Ed25519PublicKey):
        return OKPKey.import_key(text)
    if isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP256R1):
        return ECKey.import_key(text)
    if isinstance(public, RSAPublicKey) and public.key_size >= LEAST_RSA_BITS:
        return RSAKey.import_key(text)
    raise KeysUnusable(
        f"{path} holds a key of another kind; Ed25519, P-256 or RSA of {LEAST_RSA_BITS} bits"
        " or more is accepted"
    )


def _jwks(path: Path, text: bytes) -> Sequence[tuple[str, Key]]:
    try:
        listed = json.loads(text)["keys"]
        return [pair for data in listed if (pair := _jwk(data)) is not None]
    except (ValueError, KeyError, TypeError, AttributeError) as unreadable:
        raise KeysUnusable(f'{path} is neither PEM nor a JWKS such as {{"keys": []}}') from (
            unreadable
        )


def _jwk(data: Mapping[str, Any]) -> tuple[str, Key] | None:
    """A key of a JWKS with its id, or None if it cannot verify tokens of ours."""
    kid = str(data.get("kid", ""))
    try:
        reason = _unusable(data)
        if not reason:
            key = import_key(_public(data))
            if isinstance(key, RSAKey | ECKey | OKPKey):
                return kid, key
    except (JoseError, ValueError) as refused:
        reason = type(refused).__name__
    _log.warning("key skipped", kid=kid, reason=reason)
    return None


def _unusable(data: Mapping[str, Any]) -> str:
    """Why a JWK is skipped before it is read; empty if it is not."""
    kind = (data.get("kty"), data.get("crv"))
    algorithms = _KINDS.get(kind)
    if algorithms is None:
        return f"unknown kind {kind[0]} {kind[1] or ''}".strip()
    if data.get("alg", algorithms[0]) not in algorithms:
        return f"for the algorithm {data['alg']}"
    if data.get("use", "sig") != "sig" or "verify" not in data.get("key_ops", ["verify"]):
        return "not for signatures"
    if kind == _RSA and _bits(str(data.get("n", ""))) < LEAST_RSA_BITS:
        return f"RSA below {LEAST_RSA_BITS} bits"
    return ""


def _bits(number: str) -> int:
    """The bits of a number in base64, without zeros in front. Raises ValueError."""
    padded = number + "=" * (-len(number) % 4)
    return int.from_bytes(urlsafe_b64decode(padded), "big").bit_length()


def _public(data: Mapping[str, Any]) -> dict[str, Any]:
    """The public part of a JWK."""
    return {name: data[name] for name in ("kty", "crv", "x", "y", "n", "e", "kid") if name in data}


def stamp(path: Path) -> tuple[int, ...]:
    """A value that changes when the file changes; all zero if the file cannot be read."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
