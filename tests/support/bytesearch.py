"""A search through the bytes of all files, for what must be left in none of them."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from tests.support.database import execute

UNREAD = "pg_wal"
"""The folder that is not searched: the write-ahead log forgets by its own retention."""

_SCRUB = (files("infrastructure.postgres") / "scrub.sql").read_text(encoding="utf-8")


def scrub(dsn: str) -> None:
    """Runs scrub.sql as psql would: a statement at a time."""
    lines = [line for line in _SCRUB.splitlines() if not line.startswith("--")]
    for statement in "\n".join(lines).split(";\n"):
        execute(dsn, statement)


def found(words: Mapping[str, str], root: Path, log: str) -> dict[str, list[str]]:
    """Where each word is found, in any case: the files below a folder, and a service's log."""
    wanted = {what: word.lower() for what, word in words.items()}
    places: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and UNREAD not in path.parts:
            content = path.read_bytes().lower()
            for what, word in wanted.items():
                if word.encode() in content:
                    places.setdefault(what, []).append(str(path.relative_to(root)))
    for what, word in wanted.items():
        if word in log.lower():
            places.setdefault(what, []).append("the log of the service")
    return places
