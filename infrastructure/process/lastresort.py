"""The end of a process that cannot go on: at once, and with a code that says so."""

import os
import threading

import structlog

ENDED_BY_FORCE = 70  # exit code
_log = structlog.get_logger()


def end_now(why: str) -> None:
    """Ends this process without waiting for its threads. An embedded database outlives it."""
    _log.critical("the process ends by force", why=why)
    os._exit(ENDED_BY_FORCE)


def end_with_any_thread() -> None:
    """From now on a thread that an exception ends takes the process with it.

    Callers would wait for ever for what such a thread was to do; another process does better.
    """

    def ended(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread else "unknown"
        _log.critical("thread ended", thread=name, exc_info=args.exc_value)
        end_now(f"its thread {name!r} ended")

    threading.excepthook = ended
