"""The supervisor: workers that hang are replaced, and those without a database wait for it."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from infrastructure.process import port, supervisor
from infrastructure.process.supervisor import Supervisor
from infrastructure.settings import Settings
from tests.support.waiting import is_alive, until


class Stop:
    """What signals would ask for."""

    def __init__(self) -> None:
        self.asked = Event()
        self.hurried = Event()


class Told:
    """Keeps the events that are reported, by name."""

    def __init__(self) -> None:
        self.events: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *details: self.events.append((name, details))

    def count(self, name: str) -> int:
        """How often an event was reported."""
        return sum(event == name for event, _ in self.events)


class Running:
    """A supervisor on a thread of its own."""

    def __init__(self, dsn: str, workers: int) -> None:
        self.told = Told()
        self.serving = Event()
        self.supervisor: Supervisor | None = None
        self._stop = Stop()
        self._thread = Thread(target=self._run, args=(dsn, workers))
        self._thread.start()

    def pids(self) -> list[int]:
        """The workers that live."""
        workers = self.supervisor._workers() if self.supervisor else []
        return [worker.process.pid or 0 for worker in workers]

    def end(self) -> None:
        """Asks it to stop, and waits."""
        self._stop.asked.set()
        self._thread.join()

    def _run(self, dsn: str, workers: int) -> None:
        with port.reserved("127.0.0.1:0") as address:
            settings = Settings(listen=address, workers=workers, database_url=SecretStr(dsn))
            stop: Any = self._stop
            events: Any = self.told
            self.supervisor = Supervisor(settings, dsn, events, self.serving.set, stop)
            self.supervisor.run()


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts supervisors, which end with the test."""
    started: list[Running] = []

    def run(dsn: str, workers: int = 1) -> Running:
        started.append(Running(dsn, workers))
        return started[-1]

    yield run
    for running in started:
        running.end()


def test_a_worker_that_hangs_is_replaced(
    start: Callable[..., Running], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start(database)
    until(running.serving.is_set)
    (stuck,) = running.pids()
    monkeypatch.setattr(supervisor, "SILENT_FOR", 5.0)

    os.kill(stuck, signal.SIGSTOP)

    until(lambda: running.told.count("worker_died") == 1)
    assert not is_alive(stuck)
    until(lambda: bool(set(running.pids()) - {stuck}))
    died = next(details for name, details in running.told.events if name == "worker_died")
    assert died[0] == stuck
    assert "did nothing" in died[1]


def test_workers_without_a_database_wait_for_it_and_then_serve(
    start: Callable[..., Running], database: str, tmp_path: Path
) -> None:
    sockets = tmp_path / "s"
    away = make_conninfo(database, host=str(sockets))
    running = start(away, workers=2)
    until(lambda: running.told.count("database_lost") >= 2)

    sockets.symlink_to(str(conninfo_to_dict(database)["host"]))

    until(running.serving.is_set)
    assert running.told.count("worker_died") == 0
    assert running.told.count("database_back") >= 1


def test_a_worker_that_dies_again_and_again_is_started_less_and_less_often(
    start: Callable[..., Running], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE", 0.05)
    running = start(database)
    for deaths in range(1, 4):
        until(lambda: bool(running.pids()))
        for pid in running.pids():
            os.kill(pid, signal.SIGKILL)
        until(lambda deaths=deaths: running.told.count("worker_died") == deaths)  # type: ignore[misc] # the loop's own value
    pauses = [details[2] for name, details in running.told.events if name == "worker_died"]
    assert pauses == sorted(set(pauses))
