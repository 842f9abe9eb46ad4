"""A PostgreSQL server of a test's own, which may crash and come back."""

import os
import shutil
import signal
import tempfile
from pathlib import Path

from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.migrate import migrate
from tests.support.database import answers
from tests.support.waiting import until


class OwnServer:
    """Runs from the first moment on, on a migrated database."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="workflows-"))
        self.data = self._directory / "postgres"
        self._embedded = EmbeddedPostgres(self._directory)
        self.dsn = self._embedded.dsn
        migrate(self.dsn)

    def crash(self) -> None:
        """Ends at once: sessions end unfinished, and no checkpoint is made."""
        pid_file = self.data / "postmaster.pid"
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)

    def start(self) -> None:
        """Waits until it was started again, and has recovered if it crashed."""
        until(lambda: answers(self.dsn))

    def close(self) -> None:
        """Stops the server, if it runs, and removes it."""
        self._embedded.stop()
        shutil.rmtree(self._directory)
