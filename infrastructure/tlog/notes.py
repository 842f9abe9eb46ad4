"""Signed notes (c2sp.org/signed-note): a text, and who signed it with which key.

A log signs its checkpoints with Ed25519 (type 1). A witness cosigns them with Ed25519 and the time
(type 4, c2sp.org/tlog-cosignature).
"""

from base64 import b64decode, b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE = 0x01
COSIGNATURE = 0x04

MAX_NOTE_BYTES = 64 * 1024
_ID_BYTES = 4
_TIME_BYTES = 8
_MARK = "\u2014 "


class NoteRefused(Exception):
    """A note is malformed, or not signed as it must be. The text explains why."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key under a name; `kind` is SIGNATURE for a log and COSIGNATURE for a witness."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """The verifier in a vkey, `name+id+key`. Raises NoteRefused."""
        name, _, rest = vkey.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            key = b64decode(encoded, validate=True)
        except ValueError as malformed:
            raise NoteRefused(f"{vkey!r} is no verifier key") from malformed
        verifier = cls(name, key[0] if key else 0, key[1:])
        if not name or verifier.kind not in (SIGNATURE, COSIGNATURE) or len(key) != 1 + 32:
            raise NoteRefused(f"{vkey!r} is no verifier key for Ed25519")
        if verifier.key_id.hex() != key_id:
            raise NoteRefused(f"{vkey!r} names the id of another key")
        return verifier

    @property
    def key_id(self) -> bytes:
        """Four bytes by which signature lines name the key. They prove nothing."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return sha256(named).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        """The vkey."""
        key = b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether this key made a signature of a text."""
        signed = text.encode()
        if self.kind == COSIGNATURE:
            moment, signature = signature[:_TIME_BYTES], signature[_TIME_BYTES:]
            signed = _cosigned(text, int.from_bytes(moment, "big"))
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, signed)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key under a name."""

    name: str
    kind: int
    private: Ed25519PrivateKey

    @property
    def verifier(self) -> Verifier:
        """The public half."""
        return Verifier(self.name, self.kind, self.private.public_key().public_bytes_raw())

    def line(self, text: str, now: int = 0) -> str:
        """The signature line of a text; `now`, seconds since 1970, is part of a cosignature."""
        if self.kind == COSIGNATURE:
            signature = now.to_bytes(_TIME_BYTES, "big") + self.private.sign(_cosigned(text, now))
        else:
            signature = self.private.sign(text.encode())
        encoded = b64encode(self.verifier.key_id + signature).decode()
        return f"{_MARK}{self.name} {encoded}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and its signature lines, each with its own newline."""

    text: str
    lines: Sequence[str]

    @classmethod
    def parse(cls, note: str, room: int = MAX_NOTE_BYTES) -> "Note":
        """The note in a text; no signature is verified. Raises NoteRefused."""
        if len(note) > room:
            raise NoteRefused("the note is too long")
        text, gap, rest = note.rpartition("\n\n")
        lines = rest.splitlines(keepends=True)
        if not gap or not lines or not all(_is_signature_line(line) for line in lines):
            raise NoteRefused("the note has no signature lines after an empty line")
        return cls(text + "\n", lines)

    def __str__(self) -> str:
        """The note as it is stored and sent."""
        return f"{self.text}\n{''.join(self.lines)}"

    def signed_by(self, known: Collection[Verifier]) -> frozenset[Verifier]:
        """Those known keys that signed the text.

        Signatures of unknown keys are ignored. Raises NoteRefused if one of a known key is wrong.
        """
        found = set()
        for line in self.lines:
            name, encoded = line[len(_MARK) :].rstrip("\n").split(" ")
            signature = b64decode(encoded)
            for key in known:
                if (key.name, key.key_id) == (name, signature[:_ID_BYTES]):
                    if not key.verifies(self.text, signature[_ID_BYTES:]):
                        raise NoteRefused(f"the signature of {name} does not fit the note")
                    found.add(key)
        return frozenset(found)


def _cosigned(text: str, moment: int) -> bytes:
    return f"cosignature/v1\ntime {moment}\n{text}".encode()


def _is_signature_line(line: str) -> bool:
    if not line.startswith(_MARK) or not line.endswith("\n"):
        return False
    name, _, encoded = line[len(_MARK) : -1].partition(" ")
    try:
        return bool(name) and len(b64decode(encoded, validate=True)) > _ID_BYTES
    except ValueError:
        return False
