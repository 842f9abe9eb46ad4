"""Files of a log: read from a folder or over HTTP; written whole, so that nobody reads half."""

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

MAX_FILE_BYTES = 32 * 1024 * 1024
"""More than any file of a log can hold: 256 leaves of 64 KiB each, with room to spare."""
_ANSWER_WITHIN = 30.0  # seconds


class FileMissing(Exception):
    """The log has no file of this name."""

    def __init__(self, path: str) -> None:
        super().__init__(f"the log has no file {path}")


class SourceUnavailable(Exception):
    """The files of the log cannot be reached."""


class Source(Protocol):
    """Where the files of a log are read."""

    def read(self, path: str) -> bytes:
        """The content of a file. Raises FileMissing or SourceUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A log in a folder of this machine."""

    folder: Path

    def read(self, path: str) -> bytes:
        """See Source.read."""
        try:
            return (self.folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError) as missing:
            raise FileMissing(path) from missing
        except OSError as unreadable:
            raise SourceUnavailable(f"{self.folder / path}: {unreadable.strerror}") from unreadable


@dataclass(frozen=True, slots=True)
class HttpSource:
    """A log under an address that a web server serves."""

    address: str

    def read(self, path: str) -> bytes:
        """See Source.read."""
        place = f"{self.address.rstrip('/')}/{quote(path)}"
        try:
            with urlopen(Request(place), timeout=_ANSWER_WITHIN) as answer:  # noqa: S310 - source_of admits http only
                return bytes(answer.read(MAX_FILE_BYTES))
        except HTTPError as refused:
            if refused.code in (404, 410):
                raise FileMissing(path) from refused
            raise SourceUnavailable(f"{place}: {refused.code} {refused.reason}") from refused
        except (URLError, OSError) as unreachable:
            raise SourceUnavailable(f"{place}: {unreachable}") from unreachable


def source_of(place: str) -> Source:
    """The source that a person names: an http or https address, or a folder."""
    if urlsplit(place).scheme in ("http", "https"):
        return HttpSource(place)
    return FolderSource(Path(place))


def replace_file(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Writes a file whole: flushed under another name, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def sync_folders(folders: Iterable[Path]) -> None:
    """Makes the names in these folders last: a file's content is flushed on its own."""
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Holds the lock of a log's folder: two processes may believe for a moment to write it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_folders(folders: Iterable[Path]) -> None:
    """Removes folders with all that is in them; missing ones are passed over."""
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
