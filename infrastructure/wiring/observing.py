"""Who observes the service: the log of calls, metrics and traces, as the settings say."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from prometheus_client import CollectorRegistry

from infrastructure.settings import Settings
from infrastructure.telemetry import calls, metrics
from infrastructure.telemetry.lines import Lines
from infrastructure.telemetry.observer import Observer, SeveralObservers

_STDERR = 2


class TracesRefused(Exception):
    """Traces are asked for, and what makes them is not installed."""


@dataclass(frozen=True, slots=True)
class Observing:
    """The observer of a process, and the page of its metrics."""

    observer: Observer
    page: Callable[[], tuple[bytes, str]]


def check(settings: Settings) -> None:
    """Raises TracesRefused if the settings ask for traces, and these cannot be made."""
    if settings.traces is not None and find_spec("opentelemetry.sdk") is None:
        raise TracesRefused(
            "WORKFLOWS_TRACES names a collector, and OpenTelemetry is not installed. Install it:"
            " pip install 'workflows-service[traces]'; or leave the setting out"
        )


@contextmanager
def observed(settings: Settings, restarts: int = 0) -> Iterator[Observing]:
    """The observers of this process; what they hold back is written when the block ends.

    `restarts` counts the processes that ended before this one took a place of theirs.
    """
    registry = CollectorRegistry()
    observers: list[Observer] = [metrics.MetricsObserver(registry, restarts)]
    with ExitStack() as stack:
        if settings.log_calls != "none":
            observers.append(_call_log(settings, stack))
        if settings.traces is not None:
            observers.append(_traces(settings.traces, stack))
        observer = observers[0] if len(observers) == 1 else SeveralObservers(observers)
        yield Observing(observer, lambda: metrics.page(registry))


def _call_log(settings: Settings, stack: ExitStack) -> Observer:
    lines = Lines(_STDERR)
    stack.callback(lines.flush)
    form = calls.as_sentence if sys.stderr.isatty() else calls.as_json
    log = calls.CallLog(lines, form, all_calls=settings.log_calls == "all")
    stack.callback(log.close)
    return log


def _traces(collector: str, stack: ExitStack) -> Observer:
    from infrastructure.telemetry.traces import (  # noqa: PLC0415 - an extra
        TracingObserver,
        exporting_to,
    )

    provider = exporting_to(collector)
    stack.callback(provider.shutdown)
    return TracingObserver(provider.get_tracer("workflows"))
