"""Attacks on a service with the wire `direct`."""

from tests.abuse.under_attack import (
    test_an_attack_leaves_nothing_behind_and_neighbours_are_served,
    test_the_service_stops_in_the_middle_of_attacks,
)

__all__ = [
    "test_an_attack_leaves_nothing_behind_and_neighbours_are_served",
    "test_the_service_stops_in_the_middle_of_attacks",
]
WIRE = "direct"
