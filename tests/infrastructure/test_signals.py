"""Signals ask for a stop, hurry it, and end the process; the code that they interrupt is safe."""

import signal
import subprocess
import sys

import pytest

ENDS_WITHIN = 60.0  # seconds: patience with a slow machine, not an expectation

PROGRAM = """
import os, signal, sys, time
from infrastructure.process import signals
signals.ONE_WISH = float(os.environ.get("ONE_WISH", "0"))
signals.LAST_RESORT = float(os.environ.get("LAST_RESORT", "60"))
me = os.getpid()
with signals.StopSignals() as stop:
    {body}
    print("over")
"""


def run(body: str, **environment: str) -> tuple[int, str]:
    """The exit code and the output of a program that runs this under its signals."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body.strip().replace("\n", "\n    "))],
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN,
        env=environment,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_first_signal_asks_the_second_hurries_and_the_third_ends_the_process() -> None:
    code, said = run(
        """
os.kill(me, signal.SIGTERM); stop.asked.wait(); print(stop.hurried.is_set(), flush=True)
os.kill(me, signal.SIGINT); stop.hurried.wait(); print("hurried", flush=True)
os.kill(me, signal.SIGHUP); time.sleep(50)
"""
    )
    assert (code, said.split()) == (128 + signal.SIGHUP, ["False", "hurried"])


def test_signals_of_one_moment_are_one_wish() -> None:
    code, said = run(
        """
for _ in range(1000): os.kill(me, signal.SIGTERM)
stop.asked.wait(); print(stop.hurried.wait(0.2))
""",
        ONE_WISH="50",
    )
    assert (code, said.split()) == (0, ["False", "over"])


def test_a_signal_during_the_start_ends_it_and_the_next_one_does_not_disturb_its_end() -> None:
    code, said = run(
        """
try:
    stop.interrupt_start()
    os.kill(me, signal.SIGTERM)
    time.sleep(50)
except signals.Stopped:
    os.kill(me, signal.SIGTERM)
    print("stopped", stop.asked.wait(5))
"""
    )
    assert (code, said.split()) == (0, ["stopped", "True", "over"])


def test_a_signal_that_came_before_the_start_was_over_ends_it() -> None:
    code, said = run(
        """
os.kill(me, signal.SIGTERM); stop.asked.wait()
try:
    stop.start_is_over()
except signals.Stopped:
    print("stopped")
"""
    )
    assert (code, said.split()) == (0, ["stopped", "over"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_that_hangs_ends_the_process_with_a_failure(number: signal.Signals) -> None:
    code, said = run(
        f"os.kill(me, {int(number)}); stop.asked.wait(); time.sleep(50)", LAST_RESORT="0.1"
    )
    assert code == 70
    assert "over" not in said
