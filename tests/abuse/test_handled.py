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
BEYOND = {
    "many_calls": "the core keeps so many calls for this wire, and cancels some of those beyond",
    "calls_without_a_message": "some 50 MiB stay after the first round, and 2 after each later one",
}
"""What this wire does not withstand, and why."""
