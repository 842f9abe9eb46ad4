"""Large payloads are checked in a process of its own, whose interpreter holds nobody up.

To read a MiB of JSON takes some ten milliseconds, in which the interpreter serves nobody else: the
library that reads holds its lock.
"""

import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock

import structlog

from domain.catalogue import Catalogue, Kind
from infrastructure.catalogue.examining import receive, send
from infrastructure.catalogue.loading import Source, parse

ELSEWHERE = 64 * 1024
"""A payload of at least so many characters is checked in the other process."""
PATIENCE = 10.0  # seconds for one payload, or for a start: a check takes a fraction of one
_COMMAND = (sys.executable, "-P", "-m", "infrastructure.catalogue.examining")
_log = structlog.get_logger()


class ExaminerLost(Exception):
    """The process ended, or was silent, while it checked a payload."""


@dataclass(frozen=True, slots=True)
class _Process:
    """A process that checks, and the line to it."""

    process: subprocess.Popen[bytes]
    line: socket.socket

    @property
    def has_ended(self) -> bool:
        """Whether it has ended, though nobody asked it to."""
        return self.process.poll() is not None

    def close(self) -> None:
        """Ends it: at once, for nothing in it is worth waiting for."""
        self.line.close()
        self.process.kill()
        self.process.wait()


class Examiner:
    """Checks payloads one at a time in a process that is started when it is first needed.

    Safe on any threads. It must be closed.
    """

    def __init__(self, source: Source) -> None:
        """`source` is that of a catalogue that can be used."""
        self._source = source
        self._here = parse(*source)
        self._using = Lock()
        self._process: _Process | None = None

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue, whose checks of large payloads happen in the other process."""

        def elsewhere(name: str, kind: Kind) -> Kind:
            return replace(kind, check=partial(self._check, kind.check, name))

        here = self._here
        kinds = {name: elsewhere(name, kind) for name, kind in here.kinds.items()}
        # A kind of an empty name is none: only the form is checked.
        return replace(here, kinds=kinds, form=partial(self._check, here.form, ""))

    def close(self) -> None:
        """Ends the process."""
        with self._using:
            self._end()

    def _check(self, here: Callable[[str], str | None], kind: str, payload: str) -> str | None:
        """What is wrong with a payload, and what is accepted. Raises ExaminerLost."""
        if len(payload) < ELSEWHERE:
            return here(payload)
        with self._using:
            if self._process is not None and self._process.has_ended:
                self._end()
            process = self._process or self._start()
            if process is None:
                return here(payload)
            try:
                send(process.line, kind, payload)
                return receive(process.line) or None
            except (OSError, EOFError) as lost:
                # Not checked here instead: this payload may be what ended the process.
                self._end()
                raise ExaminerLost("a large payload could not be checked") from lost

    def _start(self) -> _Process | None:
        """Starts the process; None if the system refuses."""
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)
        try:
            with theirs:
                process = subprocess.Popen(  # noqa: S603 - our own module
                    _COMMAND,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
        except OSError as refused:
            ours.close()
            _log.warning("large payloads are checked here", reason=str(refused))
            return None
        self._process = _Process(process, ours)
        send(ours, *self._source)
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
