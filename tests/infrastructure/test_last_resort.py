"""The last resort: a process without one of its threads is no service, and ends."""

from multiprocessing import get_context
from threading import Event, Thread

from infrastructure.process.lastresort import ENDED_BY_FORCE, end_with_any_thread
from tests.support.wire_server import SOON


def lose_a_thread() -> None:
    """A process one of whose threads ends by a fault, as a panic of a native library is."""

    def fail() -> None:
        raise SystemExit("a panic is no Exception")

    end_with_any_thread()
    Thread(target=fail).start()
    Event().wait()  # What the other threads do.


def test_a_thread_that_a_fault_ends_takes_the_process_with_it() -> None:
    process = get_context("spawn").Process(target=lose_a_thread)
    process.start()
    process.join(SOON)
    assert process.exitcode == ENDED_BY_FORCE
