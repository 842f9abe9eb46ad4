"""The chain of a workflow's events: what proves that none was altered, removed or put elsewhere."""

from collections.abc import Iterable, Iterator

from application.ports import RecordedEvent, StoredDataDamaged


def verified(events: Iterable[RecordedEvent]) -> Iterator[RecordedEvent]:
    """All events of one workflow, oldest first, as they are, each after it was verified.

    Reading an event hashed its bytes anew. What remains is that each follows the one before it:
    versions count from 1 without a gap, positions grow, `previous` is the digest before.
    A tail that was cut off cannot be seen from what remains. Events whose content was forgotten
    verify like others. Raises StoredDataDamaged at the first event that does not follow.
    """
    version, position, digest = 0, 0, b""
    for event in events:
        follows = event.version == version + 1 and event.position > position
        if not follows or event.previous != digest:
            raise StoredDataDamaged(
                f"event {event.version} of workflow {event.workflow_id} does not follow the"
                f" one before it, event {version}"
            )
        version, position, digest = event.version, event.position, event.digest
        yield event
