"""Metrics for Prometheus: an observer, and the page that a scraper reads.

Names follow OpenTelemetry's conventions for RPC servers. If several server processes share an
address, each writes its values into the folder in PROMETHEUS_MULTIPROC_DIR, and any of them
answers for all. The library looks for that variable when it is imported.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from infrastructure.telemetry.observer import EndedCall

FOLDER = "PROMETHEUS_MULTIPROC_DIR"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class MetricsObserver:
    """Counts and times what happens. See Observer for the moments."""

    def __init__(self, registry: CollectorRegistry, restarts: int = 0) -> None:
        """Registers its metrics; a registry takes one observer.

        `restarts` counts the processes that ended without a stop before this one was started.
        """
        self._calls = Histogram(
            "rpc_server_call_duration_seconds",
            "Seconds from the arrival of a call to its answer.",
            ["rpc_method", "rpc_status_code"],
            buckets=_SECONDS,
            registry=registry,
        )
        # Looking a child up by its labels costs more than counting does.
        self._calls_by_outcome: dict[tuple[str, str], Histogram] = {}
        self._waiting = Gauge(
            "workflows_lane_waiting",
            "Calls that still waited in a lane when its last batch was taken.",
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
        self._waits = Histogram(
            "workflows_batch_wait_seconds",
            "Seconds that the first call of a batch waited in its lane.",
            ["lane"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._batches = Histogram(
            "workflows_batch_duration_seconds",
            "Seconds that a lane worked on a batch.",
            ["lane"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._appends = Histogram(
            "workflows_append_duration_seconds",
            "Seconds of an append, its commit included.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._loads = Histogram(
            "workflows_load_duration_seconds",
            "Seconds of a question to the database.",
            buckets=_SECONDS,
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
        self._sessions = Gauge(
            "workflows_sessions_open",
            "Open database connections.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._losses = Counter(
            "workflows_sessions_lost",
            "Database connections that broke or fell silent.",
            registry=registry,
        )
        self._followers = Gauge(
            "workflows_follower_position",
            "The position up to which a follower has handled the feed.",
            ["follower"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self._lags = Gauge(
            "workflows_follower_lag_events",
            "Events that a follower has not handled yet.",
            ["follower"],
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self._failures = Counter(
            "workflows_follower_failures",
            "Times that a follower could not go on.",
            ["follower"],
            registry=registry,
        )
        Gauge(
            "workflows_worker_restarts",
            "Server processes that ended without a stop, and were started again.",
            multiprocess_mode="max",
            registry=registry,
        ).set(restarts)

    def call_ended(self, method: str, code: str, seconds: float, call: EndedCall) -> None:  # noqa: ARG002 - see Observer
        """See Observer."""
        try:
            outcome = self._calls_by_outcome[method, code]
        except KeyError:
            outcome = self._calls_by_outcome[method, code] = self._calls.labels(method, code)
        outcome.observe(seconds)

    def batch_taken(self, lane: str, waiting: int, taken: int, waited: float) -> None:
        """See Observer."""
        self._waiting.labels(lane).set(waiting)
        self._sizes.labels(lane).observe(taken)
        self._waits.labels(lane).observe(waited)

    def batch_finished(self, lane: str, taken: int, seconds: float) -> None:  # noqa: ARG002 - see Observer
        """See Observer."""
        self._batches.labels(lane).observe(seconds)

    def appended(self, events: int, seconds: float) -> None:
        """See Observer."""
        self._events.inc(events)
        self._appends.observe(seconds)

    def loaded(self, seconds: float) -> None:
        """See Observer."""
        self._loads.observe(seconds)

    def conflicted(self, changes: int) -> None:
        """See Observer."""
        self._conflicts.inc(changes)

    def settled(self, *, recorded: bool) -> None:
        """See Observer."""
        self._settled.labels(str(recorded).lower()).inc()

    def session_opened(self) -> None:
        """See Observer."""
        self._sessions.inc()

    def session_closed(self, *, lost: bool) -> None:
        """See Observer."""
        self._sessions.dec()
        if lost:
            self._losses.inc()

    def followed(self, follower: str, position: int, behind: int) -> None:
        """See Observer."""
        self._followers.labels(follower).set(position)
        self._lags.labels(follower).set(behind)

    def follower_failed(self, follower: str) -> None:
        """See Observer."""
        self._failures.labels(follower).inc()


def page(registry: CollectorRegistry) -> tuple[bytes, str]:
    """All metrics as a scraper reads them, those of all processes that share the folder.

    Beside them, their media type.
    """
    folder = os.environ.get(FOLDER)
    if folder is None:
        return generate_latest(registry), CONTENT_TYPE_LATEST
    together = CollectorRegistry()
    MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call] # the library's gap
    return generate_latest(together), CONTENT_TYPE_LATEST


@contextmanager
def counted_together() -> Iterator[None]:
    """Processes that are started in the block count together, and each of them answers for all."""
    with TemporaryDirectory(prefix="workflows-metrics-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]


def forget(pid: int) -> None:
    """Takes what a process that ended had open or waiting off the page; its counts stay."""
    if FOLDER in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call] # the library's gap
