"""The data directory of the embedded PostgreSQL: what lies in it, whose it is, how it is made.

postgres/ is PostgreSQL's own. It belongs to the user that the server runs as: the user who starts
the service or, if that is root, a user id without an account. Everything else belongs to the owner
of the data directory, and only that user can read it.
"""

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from infrastructure.postgres.owners import (
    Owner,
    check_rights,
    give_all,
    maker_for,
    server_owner,
)
from infrastructure.postgres.programs import (
    HERE,
    Programs,
    copy_programs,
    installed,
    major_version,
    open_to_all,
)
from infrastructure.postgres.shelter import public_folder
from infrastructure.postgres.unusable import (
    DatabaseUnusable,
    data_dir_unusable,
    name_of,
    refused_by_the_system,
)

USER = "postgres"

_NEW = "postgres.new-"  # prefix of folders that an interrupted start leaves behind
_LOCALE = (
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--lc-ctype=C.UTF-8",  # Under the locale C, trigrams ignore letters that are not ASCII.
)


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A data directory, by its absolute path."""

    path: Path
    keeper: Owner

    @classmethod
    def opened(cls, path: Path) -> "DataDirectory":
        """The data directory, made with mode 0700 if it is missing. Raises DatabaseUnusable."""
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            resolved = path.resolve()
            facts = resolved.stat()
            if facts.st_mode & 0o002:
                raise data_dir_unusable(
                    path, "every user may write there", f"Run: chmod o-w '{path}'"
                )
            found = cls(resolved, Owner(facts.st_uid, facts.st_gid))
            if found.lock("in-use").exists() and facts.st_mode & 0o077:
                resolved.chmod(0o700)
        except OSError as refused:
            raise refused_by_the_system(path, refused) from refused
        return found

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.path / "postgres"

    @property
    def log(self) -> Path:
        """What the server logs."""
        return self.path / "postgres.log"

    @property
    def passfile(self) -> Path:
        """The password of USER, as libpq's password file."""
        return self.path / "passfile"

    @property
    def socket(self) -> Path:
        """The link to the folder of the socket."""
        return self.path / "socket"

    @property
    def copied_programs(self) -> Path:
        """The link to the copy of the programs, if there is one."""
        return self.path / "programs"

    def lock(self, name: str) -> Path:
        """A file that processes lock."""
        return self.path / f"{name}.lock"

    def open(self, path: Path, flags: int) -> int:
        """Opens a file of the directory, made if it is missing, for the directory's owner alone."""
        descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        if os.fstat(descriptor).st_uid != self.keeper.uid and os.geteuid() == 0:
            os.fchown(descriptor, *self.keeper)
        return descriptor

    def programs(self, lock: int) -> Programs:
        """The programs, to be run as the user that the server runs as.

        Makes the cluster if there is none; initdb holds the lock as long as it runs, however this
        process ends. Only one process may do this at a time.
        Raises DatabaseUnusable, or OSError.
        """
        root = installed()
        for left_over in self.path.glob(f"{_NEW}*"):
            shutil.rmtree(left_over, ignore_errors=True)
        if os.geteuid() == 0 and not open_to_all(root):
            root = copy_programs(root, public_folder(self.copied_programs))
        if not self.cluster.exists():
            self._make(root, lock)
        facts = self.cluster.lstat()
        owner = Owner(facts.st_uid, facts.st_gid)
        self._check(facts.st_uid, major_version(root))
        check_rights(owner)
        return Programs(root, owner)

    def _check(self, uid: int, programs: str) -> None:
        if uid == 0 or os.geteuid() not in (0, uid):
            raise data_dir_unusable(
                self.path,
                f"{self.cluster.name} in it belongs to {name_of(uid)}, and PostgreSQL runs as the"
                " owner of its data only, and never as root",
                "Start as the user who made it",
            )
        version = self.cluster / "PG_VERSION"
        made_by = version.read_text().strip() if version.exists() else "unknown"
        if made_by != programs:
            raise data_dir_unusable(
                self.path,
                f"its data is of PostgreSQL {made_by}, and the programs are of {programs}",
                f"Move the data by pg_dump of PostgreSQL {made_by}",
            )
        if not self.passfile.exists():
            raise data_dir_unusable(
                self.path,
                f"{self.passfile.name} is missing, without which nobody is let in",
                "Put it back",
            )

    def _make(self, root: Path, lock: int) -> None:
        """Makes the cluster in a temporary folder, and renames the folder when it is complete."""
        new = Path(mkdtemp(prefix=_NEW, dir=self.path))
        try:
            owner = server_owner(self.keeper)
            maker = maker_for(owner)
            check_rights(owner, maker)
            os.chown(new, *maker)
            _initialize(Programs(root, maker), new, self.path, self._password(), lock)
            if maker != owner:
                give_all(new, owner)
            new.rename(self.cluster)
            _sync(self.path)
        except OSError as refused:
            raise refused_by_the_system(self.path, refused) from refused
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _password(self) -> str:
        password = secrets.token_urlsafe(32)
        with os.fdopen(self.open(self.passfile, os.O_WRONLY | os.O_TRUNC), "w") as passfile:
            passfile.write(f"*:*:*:{USER}:{password}\n")
            passfile.flush()
            os.fsync(passfile.fileno())
        return password


def _initialize(programs: Programs, folder: Path, data_dir: Path, password: str, lock: int) -> None:
    """Runs initdb. Raises DatabaseUnusable with what it said."""
    secret, said = os.memfd_create("password"), os.memfd_create("output")
    try:
        os.write(secret, password.encode())
        failed = programs.run(
            "initdb",
            *("-D", HERE, "-U", USER, *_LOCALE),
            *("--auth=scram-sha-256", f"--pwfile=/proc/self/fd/{secret}"),
            folder=folder,
            output=said,
            keeps=[secret, lock],
        )
        if failed:
            raise _not_made(data_dir, os.pread(said, 100_000, 0).decode(errors="replace"))
    finally:
        os.close(secret)
        os.close(said)


def _not_made(data_dir: Path, output: str) -> DatabaseUnusable:
    if "No space left on device" in output:
        return data_dir_unusable(data_dir, "its disk is full", "Make room there")
    complaints = [line for line in output.splitlines() if "rror:" in line or "FATAL" in line]
    reason = "; ".join(complaints) or " ".join(output.split())[-300:] or "it said nothing"
    return data_dir_unusable(data_dir, f"initdb failed: {reason}")


def _sync(folder: Path) -> None:
    """Makes a rename in the folder durable: it survives a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
