"""PostgreSQL's protocol as far as a proxy must read it: which bytes run which statement."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

READY = b"Z\x00\x00\x00\x05I"
"""The server's word that a statement is over and no transaction is open."""

_QUERIES = b"PBDEC"  # Parse, Bind, Describe, Execute, Close: they wait for what ends their group
_SESSION = 3  # the protocol's major version; requests to encrypt or cancel have larger numbers


@dataclass(frozen=True, slots=True)
class Group:
    """What a client sends at once: queries, the message that ends them, and their statements."""

    queries: bytes
    last: bytes
    statements: bytes = b""


def groups(reader: BinaryIO) -> Iterator[Group]:
    """All that a client sends."""
    yield from (Group(b"", opening) for opening in _openings(reader))
    prepared: dict[bytes, bytes] = {}
    queries = statements = b""
    while kind := reader.read(1):
        size = reader.read(4)
        body = reader.read(int.from_bytes(size, "big") - 4)
        statements += _statement(kind, body, prepared)
        if kind in _QUERIES:
            queries += kind + size + body
        else:
            yield Group(queries, kind + size + body, statements)
            queries = statements = b""


def _statement(kind: bytes, body: bytes, prepared: dict[bytes, bytes]) -> bytes:
    """The text of the statement that a message runs; what it prepares is kept in mind."""
    match kind:
        case b"P":
            name, text, _ = body.split(b"\0", 2)
            prepared[name] = text
        case b"B":
            _, name, _ = body.split(b"\0", 2)
            return prepared.get(name, b"")
        case b"Q":
            return body
    return b""


def _openings(reader: BinaryIO) -> Iterator[bytes]:
    """The untyped messages with which a connection begins, the one that opens a session last."""
    while size := reader.read(4):
        body = reader.read(int.from_bytes(size, "big") - 4)
        yield size + body
        if int.from_bytes(body[:2], "big") == _SESSION:
            return
