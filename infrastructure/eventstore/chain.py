"""The chain of a workflow's events: what proves that none was changed, removed or moved."""

from collections.abc import Iterable, Iterator

from application.ports import RecordedEvent, StoredDataDamaged


def verified(events: Iterable[RecordedEvent]) -> Iterator[RecordedEvent]:
    """All events of one workflow, oldest first, unchanged; each is verified before it is passed on.

    Reading an event has already computed its digest from its bytes. This checks that each event
    follows the one before it: versions are 1, 2, 3 and so on, positions grow, and `previous` is the
    digest of the event before. It cannot notice that the last events were cut off. Events whose
    content was erased verify like others. Raises StoredDataDamaged at the first event that does not
    follow.
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
