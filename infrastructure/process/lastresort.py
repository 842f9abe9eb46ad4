"""Ends a process that cannot go on: at once, with an exit code of its own."""

import os
import threading

import structlog

ENDED_BY_FORCE = 70  # exit code
_log = structlog.get_logger()


def end_now(why: str) -> None:
    """Ends this process without waiting for its threads. An embedded database keeps running."""
    _log.critical("the process ends by force", why=why)
    os._exit(ENDED_BY_FORCE)


def end_with_any_thread() -> None:
    """From now on, if an exception ends any thread, the process ends, too.

    Otherwise callers would wait for ever for the work of that thread; another process can serve
    them.
    """

    def ended(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread else "unknown"
        _log.critical("thread ended", thread=name, exc_info=args.exc_value)
        end_now(f"its thread {name!r} ended")

    threading.excepthook = ended
