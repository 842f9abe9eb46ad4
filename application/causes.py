"""The cause of each event: a call, or a rule of the service that acts without a call."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from application.ledger import idempotency_key
from application.ports import NewEvent, Origin
from domain.commands import Command
from domain.events import FAILURE_THRESHOLD, Terminated, WorkflowEvent

THRESHOLD_POLICY = "failure-threshold"


def new_events(
    events: Sequence[WorkflowEvent], command: Command, origin: Origin, base_version: int
) -> Iterator[NewEvent]:
    """The events that follow from a command, each with its cause.

    `base_version` is the version of the stream before them.
    """
    key = idempotency_key(command)
    for preceding_version, event in enumerate(events, base_version):
        if isinstance(event, Terminated) and event.reason == FAILURE_THRESHOLD:
            rule = replace(origin, actor=f"policy:{THRESHOLD_POLICY}", acted_for="")
            yield NewEvent(event, rule, key, THRESHOLD_POLICY, preceding_version)
        else:
            yield NewEvent(event, origin, key)
