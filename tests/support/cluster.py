"""PostgreSQL servers of a test's own, by the embedded programs: restarted, copied, promoted."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo

from infrastructure.postgres.owners import Owner
from infrastructure.postgres.programs import HERE, Programs, installed
from tests.environments.users import nobody
from tests.support.database import answers, value
from tests.support.waiting import until

USER = "postgres"
_LOCALE = (
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--lc-ctype=C.UTF-8",
)


class Cluster:
    """One server and its folder. Only sockets lead to it; it runs as a user who is not root."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """`settings` are those of postgresql.conf, for each start of this server."""
        self.folder = folder
        self.data = folder / "data"
        self.settings = settings
        self._programs = Programs(installed(), Owner(*nobody()))
        self._process: subprocess.Popen[bytes] | None = None
        for path in (folder, self.data, folder / "socket"):
            path.mkdir(exist_ok=True)
            os.chown(path, *nobody())
        self.data.chmod(0o700)

    @property
    def socket(self) -> str:
        """The folder of its socket."""
        return str(self.folder / "socket")

    @property
    def dsn(self) -> str:
        """The DSN of its superuser."""
        return f"host={self.socket} user={USER} dbname=postgres"

    def make(self) -> None:
        """Makes its data, and starts it."""
        trust = ("--auth=trust", "--no-sync")
        self.run("initdb", "-D", HERE, "-U", USER, *_LOCALE, *trust, folder=self.data)
        self.start()

    def start(self) -> None:
        """Starts it, and waits until it takes connections."""
        self.begin_to_start()
        until(lambda: answers(self.dsn))

    def begin_to_start(self) -> None:
        """Starts it, and does not wait."""
        given = {
            "listen_addresses": "",
            "unix_socket_directories": self.socket,
            "unix_socket_permissions": "0777",
            **self.settings,
        }
        flags = [part for name, text in given.items() for part in ("-c", f"{name}={text}")]
        with (self.folder / "log").open("ab") as log:
            self._process = self._programs.start(
                "postgres", "-D", HERE, *flags, folder=self.data, output=log.fileno()
            )

    def stop(self, by: int) -> None:
        """Ends it by a signal, and waits: SIGINT ends sessions first, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(by)
            self._process.wait(60)
            self._process = None

    def promote(self) -> None:
        """Makes the primary of a standby."""
        assert value(self.dsn, "SELECT pg_promote(true, 60)") is True

    def copy_to(self, other: "Cluster", *flags: str) -> None:
        """Makes a base backup of this running server in the folder of another."""
        backup = ("pg_basebackup", "-D", HERE, "-d", self.dsn, "--checkpoint=fast", "--no-sync")
        self.run(*backup, *flags, folder=other.data)

    def run(self, name: str, *arguments: str, folder: Path | None = None) -> None:
        """Runs one of PostgreSQL's programs; it must succeed."""
        with (self.folder / "log").open("ab") as log:
            status = self._programs.run(
                name, *arguments, folder=folder or self.folder, output=log.fileno()
            )
        assert status == 0, f"{name}: {self.log()}"

    def log(self) -> str:
        """What its programs said."""
        return (self.folder / "log").read_text(errors="replace")


@contextmanager
def folder_for_clusters() -> Iterator[Path]:
    """A folder in which any user may reach what it knows by name."""
    made = Path(tempfile.mkdtemp(prefix="clusters-"))
    made.chmod(0o711)
    try:
        yield made
    finally:
        shutil.rmtree(made)


def first_that_writes(*clusters: Cluster) -> str:
    """A DSN that names several servers: whichever takes writes is used."""
    hosts = ",".join(cluster.socket for cluster in clusters)
    return make_conninfo(clusters[0].dsn, host=hosts, target_session_attrs="read-write")
