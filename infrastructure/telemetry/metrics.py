"""Metrics for Prometheus: an observer, and the page that a scraper reads.

Names follow OpenTelemetry's conventions for RPC servers. If several server processes share an
address, each writes its values into the folder in PROMETHEUS_MULTIPROC_DIR, and any of them
answers for all.
"""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

MEDIA_TYPE = CONTENT_TYPE_LATEST
FOLDER = "PROMETHEUS_MULTIPROC_DIR"

_CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class MetricsObserver:
    """Counts and times what happens. See Observer for the moments."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Registers its metrics; a registry takes one observer."""
        self._calls = Histogram(
            "rpc_server_call_duration_seconds",
            "Seconds from the arrival of a call to its answer.",
            ["rpc_method", "rpc_status_code"],
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self._waiting = Gauge(
            "workflows_lane_waiting",
            "Calls that waited in a lane when its last batch was taken.",
            ["lane"],
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._sizes = Histogram(
            "workflows_batch_size",
            "Calls of a batch.",
            ["lane"],
            buckets=_COUNTS,
            registry=registry,
        )
        self._batches = Histogram(
            "workflows_batch_duration_seconds",
            "Seconds that a lane worked on a batch.",
            ["lane"],
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self._appends = Histogram(
            "workflows_append_duration_seconds",
            "Seconds of an append, its commit included.",
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self._events = Counter(
            "workflows_events_recorded", "Events that were recorded.", registry=registry
        )
        self._conflicts = Counter(
            "workflows_conflicts",
            "Changes that were left out because another process was faster.",
            registry=registry,
        )
        self._settled = Counter(
            "workflows_appends_settled",
            "Appends whose lost acknowledgement was looked up.",
            ["recorded"],
            registry=registry,
        )
        self._losses = Counter(
            "workflows_sessions_lost",
            "Database connections that broke or fell silent.",
            registry=registry,
        )

    def call_ended(self, method: str, code: str, seconds: float) -> None:
        """See Observer."""
        self._calls.labels(method, code).observe(seconds)

    def batch_taken(self, lane: str, waiting: int, taken: int) -> None:
        """See Observer."""
        self._waiting.labels(lane).set(waiting)
        self._sizes.labels(lane).observe(taken)

    def batch_finished(self, lane: str, taken: int, seconds: float) -> None:  # noqa: ARG002 - see Observer
        """See Observer."""
        self._batches.labels(lane).observe(seconds)

    def appended(self, events: int, seconds: float) -> None:
        """See Observer."""
        self._events.inc(events)
        self._appends.observe(seconds)

    def conflicted(self, changes: int) -> None:
        """See Observer."""
        self._conflicts.inc(changes)

    def settled(self, *, recorded: bool) -> None:
        """See Observer."""
        self._settled.labels(str(recorded).lower()).inc()

    def session_lost(self) -> None:
        """See Observer."""
        self._losses.inc()


def page(registry: CollectorRegistry) -> bytes:
    """All metrics as a scraper reads them, those of all processes that share the folder."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return generate_latest(registry)
    together = CollectorRegistry()
    MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call] # the library's gap
    return generate_latest(together)
