"""Folders for the embedded database, and the servers that were left on them."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.environments.users import IS_ROOT, nobody
from tests.support.waiting import until


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the user who runs the tests; no other user may enter it."""
    made = Path(tempfile.mkdtemp(prefix="environment-"))
    yield made
    for pid in postmasters(made):
        os.kill(pid, signal.SIGQUIT)
    until(lambda: not postmasters(made))
    shutil.rmtree(made)


@pytest.fixture
def folder_of_nobody(folder: Path) -> Path:
    """A folder of a user who is not root, which no one else may enter."""
    if IS_ROOT:
        os.chown(folder, *nobody())
    return folder


def postmasters(folder: Path) -> list[int]:
    """The PostgreSQL processes whose data lies in a folder."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            name = (process / "stat").read_text().partition("(")[2].partition(")")[0]
            if name == "postgres" and (process / "cwd").readlink().is_relative_to(folder):
                found.append(int(process.name))
    return found
