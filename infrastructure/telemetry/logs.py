"""Logs on stderr: sentences on a terminal, one JSON object a line elsewhere.

Logging never raises into the thread that logs, and never waits for the reader of stderr.
"""

import atexit
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from typing import Any

import structlog

from infrastructure import printable
from infrastructure.telemetry.lines import Lines

_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m"}
_PLAIN = "\x1b[0m"
_STDERR = 2


def configure_logs() -> Lines:
    """Sets logging up for this process. Returns the queue of its lines, for callers that wait."""
    lines = Lines(_STDERR)
    atexit.register(lines.flush)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,  # The text of a traceback holds no locals.
            *(_for_people() if sys.stderr.isatty() else _for_machines()),
        ],
        wrapper_class=_logger_that_never_raises(lines),
        logger_factory=lambda *_: _Writer(lines),
        cache_logger_on_first_use=True,
    )
    return lines


class _Writer:
    """Takes finished lines under every level's name, as structlog wants it."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def msg(self, line: str) -> None:
        """Writes a line."""
        self._lines.put(line)

    debug = info = warning = error = critical = exception = msg


def _logger_that_never_raises(lines: Lines) -> type[Any]:
    base: Any = structlog.make_filtering_bound_logger(0)

    class SafeLogger(base):  # type: ignore[misc] # structlog makes this class at run time
        def _proxy_to_logger(
            self, method_name: str, event: Any = None, *args: Any, **kw: Any
        ) -> None:
            try:
                super()._proxy_to_logger(method_name, event, *args, **kw)
            except Exception:  # noqa: BLE001 - a log line is worth less than the thread that writes it
                lines.lost += 1

    return SafeLogger


def _for_machines() -> list[Callable[..., Any]]:
    return [structlog.processors.TimeStamper(fmt="iso", utc=True), _without_sentence, _as_json]


def _for_people() -> list[Callable[..., Any]]:
    colours = not os.environ.get("NO_COLOR")
    return [lambda _, __, entry: _as_line(entry, colours=colours)]


def _without_sentence(_: Any, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    entry.pop("sentence", None)  # The sentence repeats the other fields in words.
    return entry


def _as_json(_: Any, __: str, entry: Mapping[str, Any]) -> str:
    return printable.as_json(entry, default=repr)


def _as_line(entry: MutableMapping[str, Any], *, colours: bool) -> str:
    """The moment and the sentence, or the event with its fields; then a traceback, if any."""
    level, traceback = entry.pop("level", ""), entry.pop("exception", "")
    event, sentence = entry.pop("event", ""), entry.pop("sentence", "")
    fields = " ".join(f"{name}={value}" for name, value in entry.items())
    said = printable.line(str(sentence or f"{event}  {fields}".rstrip()))
    colour = _COLOURS.get(level, "") if colours else ""
    said = f"{datetime.now():%H:%M:%S}  {colour}{said}{_PLAIN if colour else ''}"  # noqa: DTZ005 - the clock on the reader's wall
    return f"{said}\n{printable.text(traceback.rstrip())}" if traceback else said
