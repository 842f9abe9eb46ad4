"""How the service stops: calls in flight finish, new ones are refused in words, then it ends."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event

from infrastructure.rpc.gate import Gate
from infrastructure.rpc.health import Health
from infrastructure.rpc.server import Server
from infrastructure.telemetry.events import Events

LOOK_EVERY = 0.1  # seconds between two looks whether a stop is to hurry
GRACE = 10.0  # seconds that calls in flight have to finish when the service stops
LAST_WORDS = 0.3  # seconds without a call after which a stopping service refuses none any more
WORDS_FOR_ALL = 3.0  # seconds that it goes on refusing calls in words if they do not cease
CUT_OFF = 1.0  # seconds that what is no call of ours has to end, watchers of health among it


@dataclass(frozen=True, slots=True)
class End:
    """Who hears of the service's end, and what cuts the wait for calls in flight short."""

    events: Events
    hurried: Event


def stop(servers: Sequence[Server], gate: Gate, health: Health, end: End) -> None:
    """Tells health, refuses new calls, waits for those in flight, then stops the servers.

    Raises StopFailed if calls do not end even when they are cancelled.
    """
    health.stop()
    gate.close()
    end.events.stopping(gate.inside)
    patient_until = time.monotonic() + GRACE
    while not gate.drained(LOOK_EVERY) and time.monotonic() < patient_until:
        if end.hurried.is_set():
            break
    # The server drops calls that arrived but were not handed out yet: those end as CANCELLED,
    # after which no client tries elsewhere. All get time to come and to hear a refusal first.
    patient_until = time.monotonic() + WORDS_FOR_ALL
    turned_away = -1
    while gate.turned_away > turned_away and time.monotonic() < patient_until:
        turned_away = gate.turned_away
        time.sleep(LAST_WORDS)
    for server in servers:
        server.stop(CUT_OFF)
