"""What server and clients must agree on beside the messages: the service, its doors, its keys."""

from typing import Final

from workflows import admin_pb2, history_pb2
from workflows import workflows_pb2 as pb

SERVICE: Final = pb.DESCRIPTOR.services_by_name["WorkflowsService"]
"""The service as its contract describes it: its methods, and its name in SERVICE.full_name."""
ADMIN_SERVICE: Final = admin_pb2.DESCRIPTOR.services_by_name["WorkflowAdminService"]
"""The service of administrators."""
HISTORY_SERVICE: Final = history_pb2.DESCRIPTOR.services_by_name["WorkflowHistoryService"]
"""The service of histories, as its contract describes it."""

DETAILS_KEY: Final = "grpc-status-details-bin"
"""Trailing metadata of a refusal: a google.rpc.Status, which carries the details."""
VERSION_KEY: Final = "x-workflow-version"
"""Trailing metadata: the stream version that a reply about one workflow reflects."""
POSITION_KEY: Final = "x-event-position"
"""Trailing metadata of a change: the feed position up to which its effect is contained."""
FEED_KEY: Final = "x-event-feed"
"""Trailing metadata of a change: the feed of its position, written "number/epoch"."""
REPLAYED_KEY: Final = "x-replayed"
"""Trailing metadata, "true" if the reply of an earlier call with the same key was repeated."""
RESUME_KEY: Final = "x-resume-cursor"
"""Trailing metadata of a watch that the service ended: the cursor that resumes it."""
UNREADABLE_KEY: Final = "x-unreadable-workflows"
"""Trailing metadata of a list: ids of workflows that it lacks because their stored data is damaged;
separated by commas, at most UNREADABLE_SHOWN of them."""
UNREADABLE_SHOWN: Final = 50
