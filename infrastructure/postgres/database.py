"""The database that a service uses: the embedded one, or any PostgreSQL by DSN."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import current_thread, main_thread

from infrastructure.postgres.embedded import EmbeddedPostgres
from infrastructure.postgres.inspection import Inspected, inspect
from infrastructure.postgres.unusable import DatabaseUnusable
from infrastructure.settings import Settings
from infrastructure.telemetry.events import Events

__all__ = ["Database", "DatabaseUnusable", "database"]

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_SPARE = 20  # connections beside the service's, for migrations, backups and people


@dataclass(frozen=True, slots=True)
class Database:
    """A database that answers."""

    dsn: str
    description: str
    data_dir: Path | None
    inspected: Inspected


@contextmanager
def database(
    settings: Settings, events: Events | None = None, *, connections: int = 0
) -> Iterator[Database]:
    """The database of the settings; an embedded one runs until the block ends.

    `connections` is how many the service opens at most: an embedded server is started for them,
    any other is asked whether it allows them.
    Raises DatabaseUnusable.
    """
    if settings.database_url is not None:
        dsn = settings.database_url.get_secret_value()
        found = inspect(dsn, connections)
        yield Database(dsn, f"PostgreSQL {found.version}, {found.place}", None, found)
        return
    _forget_the_shell()
    with _unwound_by_signals():
        embedded = EmbeddedPostgres(
            settings.data_dir, connections=connections + _SPARE, events=events
        )
        try:
            found = inspect(embedded.dsn, connections)
            description = f"embedded PostgreSQL {found.version} in {settings.data_dir}"
            yield Database(embedded.dsn, description, settings.data_dir, found)
        finally:
            embedded.stop()


@contextmanager
def _unwound_by_signals() -> Iterator[None]:
    """Lets a signal that would end the process at once unwind it, so that the server is stopped.

    Signals that already have a handler keep it.
    """

    def unwind(number: int, _: object) -> None:
        raise SystemExit(128 + number)  # As shells report an end by a signal.

    ours = [n for n in _ENDING if signal.getsignal(n) is signal.SIG_DFL] if _is_main() else []
    for number in ours:
        signal.signal(number, unwind)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _is_main() -> bool:
    return current_thread() is main_thread()


def _forget_the_shell() -> None:
    """Removes libpq's variables from this process: some of them cannot be set in a DSN."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
