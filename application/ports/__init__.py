"""The ports of the application: the event store, its feed and record, views of workflows."""

from application.ports.events import (
    FORGOTTEN,
    NO_FEED,
    EventMetadata,
    Feed,
    Forgotten,
    NewEvent,
    Origin,
    RecordedEvent,
)
from application.ports.feed import EventFeed, FeedBatch, FeedEnd, StoredEvent
from application.ports.history import (
    Candidate,
    Place,
    Record,
    Records,
    Span,
    Version,
)
from application.ports.store import (
    Change,
    EventStore,
    LedgerEntry,
    LedgerKey,
    Loaded,
    Stream,
)
from application.ports.troubles import (
    AppendRefused,
    OutcomeUnknown,
    SearchTooBroad,
    StoredDataDamaged,
    StoreUnavailable,
)
from application.ports.views import (
    OTHER_BYTES,
    UNREAD,
    ListedWorkflow,
    Slice,
    Unread,
    View,
    WorkflowViews,
)

__all__ = [
    "FORGOTTEN",
    "NO_FEED",
    "OTHER_BYTES",
    "UNREAD",
    "AppendRefused",
    "Candidate",
    "Change",
    "EventFeed",
    "EventMetadata",
    "EventStore",
    "Feed",
    "FeedBatch",
    "FeedEnd",
    "Forgotten",
    "LedgerEntry",
    "LedgerKey",
    "ListedWorkflow",
    "Loaded",
    "NewEvent",
    "Origin",
    "OutcomeUnknown",
    "Place",
    "Record",
    "RecordedEvent",
    "Records",
    "SearchTooBroad",
    "Slice",
    "Span",
    "StoreUnavailable",
    "StoredDataDamaged",
    "StoredEvent",
    "Stream",
    "Unread",
    "Version",
    "View",
    "WorkflowViews",
]
