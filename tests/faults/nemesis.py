"""What breaks servers and backends while clients work: drawn from a seed, one fault at a time."""

import os
import signal
from collections.abc import Callable, Sequence
from random import Random

from tests.faults.own_server import OwnServer
from tests.support.database import execute, select
from tests.support.service import Service

BACKENDS = "FROM pg_stat_activity WHERE application_name = 'workflows'"
TERMINATE = f"SELECT pg_terminate_backend(pid) {BACKENDS} AND datname = current_database()"
SOME_CALLS = 20

Progress = Callable[[int], None]


class Nemesis:
    """Harms two servers on one database; `progress` waits until so many more calls succeeded."""

    def __init__(
        self, seed: int, database: OwnServer, services: list[Service], progress: Progress
    ) -> None:
        self._random = Random(seed)
        self._database = database
        self._services = services
        self._progress = progress

    @property
    def faults(self) -> Sequence[Callable[[], None]]:
        """Each fault once, in an order of the seed."""
        faults = [
            self.kill_a_service,
            self.freeze_a_service,
            self.kill_a_backend,
            self.end_all_sessions,
            self.crash_the_database,
        ]
        return self._random.sample(faults, len(faults))

    def kill_a_service(self) -> None:
        """SIGKILL; a new process serves at the same address once others have gone on."""
        place = self._random.randrange(len(self._services))
        address = self._services[place].address
        self._services[place].kill()
        self._progress(SOME_CALLS)
        self._services[place].close()
        self._services[place] = serving(self._database.dsn, address)
        assert self._services[place].announced

    def freeze_a_service(self) -> None:
        """SIGSTOP, until others have gone on."""
        pid = self._random.choice(self._services).pid
        os.kill(pid, signal.SIGSTOP)
        try:
            self._progress(SOME_CALLS)
        finally:
            os.kill(pid, signal.SIGCONT)

    def kill_a_backend(self) -> None:
        """SIGKILL of a session's process, at which PostgreSQL ends them all and recovers."""
        backends = select(self._database.dsn, f"SELECT pid {BACKENDS}")
        os.kill(self._random.choice(backends)[0], signal.SIGKILL)
        self._database.start()

    def end_all_sessions(self) -> None:
        """As an administrator does, or a failover."""
        execute(self._database.dsn, TERMINATE)

    def crash_the_database(self) -> None:
        """An immediate stop: sessions end unfinished, and no checkpoint is made."""
        self._database.crash()
        self._database.start()


def serving(dsn: str, address: str = "127.0.0.1:0") -> Service:
    """A process on a database."""
    return Service("--database-url", dsn, "--listen", address)
