"""Attacks on a service with the wire `handled`."""

from tests.abuse.under_attack import (
    test_an_attack_leaves_nothing_behind_and_neighbours_are_served,
    test_the_service_stops_in_the_middle_of_attacks,
)

__all__ = [
    "test_an_attack_leaves_nothing_behind_and_neighbours_are_served",
    "test_the_service_stops_in_the_middle_of_attacks",
]
WIRE = "handled"
BEYOND = ("many_calls",)
"""The core keeps so many calls for the slower wire, and cancels some of those beyond."""
