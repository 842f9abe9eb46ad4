"""All rows are made anew while clients write as fast as they can; the rebuild is killed once."""

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Lock
from time import perf_counter, sleep

import psycopg

from tests.scale.stage import Figure, Stage
from tests.support.client import Client
from tests.support.database import select, value
from tests.support.service import COMMAND
from tests.support.waiting import until

WITHIN = 1800.0  # seconds
_FILLED = "SELECT filled_events FROM row_rebuild"
_THERE = "SELECT count(*) FROM workflows WHERE id = ANY (%s::uuid[])"


@dataclass
class Load:
    """Clients that create workflows and read each back, and what became of it."""

    stage: Stage
    ids: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    ended: Event = field(default_factory=Event)
    _changing: Lock = field(default_factory=Lock)

    def run(self, number: int) -> None:
        """One client, until the end."""
        client = Client(self.stage.service.address)
        user = f"writer-{number}"
        try:
            while not self.ended.is_set():
                self._once(client, user)
        finally:
            client.close()

    def _once(self, client: Client, user: str) -> None:
        try:
            workflow_id = client.created(user)
            shown = client.get(workflow_id, user).message.name
        except Exception as fault:  # noqa: BLE001 - any fault is a finding
            self.faults.append(repr(fault))
            return
        with self._changing:
            self.ids.append(workflow_id)
        if shown != "nightly":
            self.faults.append(f"{workflow_id} was read as {shown!r}")

    @contextmanager
    def running(self) -> Iterator[None]:
        """The clients, as long as the block lasts."""
        with ThreadPoolExecutor(self.stage.sizes.clients) as threads:
            clients = [threads.submit(self.run, n) for n in range(self.stage.sizes.clients)]
            try:
                yield
            finally:
                self.ended.set()
        for client in clients:
            client.result()

    def rate(self, seconds: float) -> float:
        """Creates a second, over some time."""
        before, began = len(self.ids), perf_counter()
        sleep(seconds)
        return (len(self.ids) - before) / (perf_counter() - began)


def rebuilding(stage: Stage) -> list[Figure]:
    """A rebuild under load, killed in the middle and continued: nothing is lost or stale."""
    load = Load(stage)
    moment = 5.0 if stage.sizes.events > 100_000 else 0.2  # seconds
    with load.running():
        alone = load.rate(moment)
        stage.say("rebuilding, to be killed in the middle")
        filled = killed(stage)
        stage.say(f"killed after {filled:,} events; going on")
        began, before = perf_counter(), len(load.ids)
        rebuilt = json.loads(_rebuild(stage).communicate(timeout=WITHIN)[0])
        took = perf_counter() - began
        during = (len(load.ids) - before) / took
        load.rate(moment)
    assert rebuilt["differences"] == {}, rebuilt
    assert load.faults == [], load.faults[:5]
    assert value(stage.dsn, _THERE, load.ids) == len(load.ids)
    assert value(stage.dsn, "SELECT step FROM row_rebuild") == "kept"
    events = stage.events
    return [
        Figure(f"creates, each read back, by {stage.sizes.clients} clients", alone, "calls/s"),
        Figure("the same while rows are rebuilt: no fault, none lost or stale", during, "calls/s"),
        Figure(f"rebuild of {events:,} events, killed after {filled:,}, the rest", took, "s"),
    ]


def killed(stage: Stage) -> int:
    """Starts a rebuild, kills it when about half is filled, and returns how many events were."""
    process = _rebuild(stage)
    half = stage.sizes.events // 2

    def filled() -> int:
        with suppress(psycopg.Error):
            return sum(row[0] for row in select(stage.dsn, _FILLED))
        return 0

    until(lambda: filled() >= half or process.poll() is not None, WITHIN)
    process.kill()
    process.communicate()
    if value(stage.dsn, "SELECT bool_or(step = 'kept') FROM row_rebuild"):
        _rebuild(stage, "--drop-old").communicate()  # It was done before it could be killed.
    return filled()


def _rebuild(stage: Stage, *flags: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [COMMAND, "rebuild", *flags, "--database-url", stage.dsn, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
