"""Under attack: the process lives, neighbours are served, and nothing is kept of the attackers.

`make test` attacks in each way for a moment, and stops a service that is attacked in every way at
once. `make abuse` attacks for longer, stops a service in the middle of each attack, judges speed as
well, and prints what it saw. The modules whose names begin with `test_` do this on a wire each.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from time import monotonic

import pytest

from tests.abuse.attackers import ATTACKS, Attackers
from tests.abuse.neighbour import Held, Neighbour, Peak, Served
from tests.abuse.report import Line
from tests.support.service import Service
from tests.support.waiting import until

SECONDS = float(os.environ.get("ABUSE_SECONDS", "0.3"))  # each of two rounds
JUDGES_SPEED = "ABUSE_SECONDS" in os.environ
MIB = 1024 * 1024
PEAK = 256 * MIB  # above rest
KEPT = 32 * MIB
OF_THE_CORE = 16  # threads that gRPC's core starts under load, and keeps for a while
PATIENCE = "3"  # seconds: what silent and deaf clients hold is let go after it
GET_P99 = 0.05  # seconds
CREATE_P99 = 0.25
HEALTH = 1.0
STOP = 3.0


class Attacked:
    """A service that is attacked in every way, one after the other; what it holds at rest."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.attackers = Attackers(service.address)
        self.neighbour = Neighbour(service)

    def round(self, attack: str) -> tuple[Served, int]:
        """What a neighbour met during an attack, and the most memory that the service held."""
        with Peak(self.service.pid) as peak:
            self.attackers.begin(attack)
            try:
                served = self.neighbour.live(SECONDS)
            finally:
                self.attackers.end()
        return served, peak.memory

    def rests(self, rest: Held, kept: int) -> Held:
        """What is held once an attack has left nothing behind but so many bytes."""

        def is_back() -> bool:
            held = Held(self.service.pid)
            return (
                held.memory <= rest.memory + kept
                and held.threads <= rest.threads + OF_THE_CORE
                and held.descriptors <= rest.descriptors + 2
            )

        with suppress(TimeoutError):
            until(is_back, within=30)
        held = Held(self.service.pid)
        assert is_back(), f"at rest: {rest}, after it: {held}"
        return held


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_leaves_nothing_behind_and_neighbours_are_served(
    attacked: Attacked, attack: str, report: list[Line], beyond: Mapping[str, str]
) -> None:
    if attack in beyond:
        pytest.skip(beyond[attack])
    rest = Held(attacked.service.pid)
    first, peak = attacked.round(attack)
    after = attacked.rests(rest, KEPT)
    second, again = attacked.round(attack)
    last = attacked.rests(after, KEPT // 2)
    served, peak = first + second, max(peak, again)
    line = Line(attack, served, peak - rest.memory, last.memory - rest.memory, last.threads)
    report.append(line)
    assert peak < rest.memory + PEAK
    if JUDGES_SPEED:
        assert line.get_p99 < GET_P99
        assert line.create_p99 < CREATE_P99
        assert line.health < HEALTH


@pytest.mark.parametrize("attack", ATTACKS if JUDGES_SPEED else [None])
def test_the_service_stops_in_the_middle_of_attacks(
    serve: Callable[[], AbstractContextManager[Service]],
    attack: str | None,
    report: list[Line],
    beyond: Mapping[str, str],
) -> None:
    """In the middle of one attack, or of all of them at once."""
    attacks = [attack] if attack else [name for name in ATTACKS if name not in beyond]
    with serve() as service, Attackers(service.address) as attackers:
        service.client.created("neighbour")
        attackers.begin(*attacks)
        begun = monotonic()
        assert service.stop() == 0
        took = monotonic() - begun
    for line in report:
        if line.attack == attack:
            line.stop = took
    if JUDGES_SPEED:
        assert took < STOP
