"""How a server spends its processor time: by thread as the kernel counts it, then by stack.

A thread that waits looks to a sampler like one that works in C, so only stacks of threads that
hold the interpreter's lock are taken. They divide the time that the kernel counted for their
thread; threads that were never seen with the lock are gRPC's own.
"""

import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

DOMAIN = "domain and application"
STORE = "store and psycopg"
MESSAGES = "messages and their conversion"
GROUP_COMMIT = "group commit"
WIRE = "gRPC and servicer"
CORE = "gRPC's own threads"
OTHER = "other"

PER_SECOND = 200  # samples

_ROOT = str(Path(__file__).parents[2])
_PARTS = (
    (DOMAIN, f"{_ROOT}/domain/", f"{_ROOT}/application/"),
    (MESSAGES, "/rpc/workflows/convert.py", "_pb2", "/google/protobuf/"),
    (GROUP_COMMIT, "/lanes/"),
    (STORE, "/infrastructure/eventstore/", "/infrastructure/readmodel/"),
    (STORE, "/infrastructure/postgres/", "/psycopg"),
    (WIRE, f"{_ROOT}/infrastructure/", "/grpc/"),
)
_STACK = re.compile(r"^thread \((\d+)\)[^;]*;(.*) (\d+)$", re.MULTILINE)


class SamplingRefused(Exception):
    """This machine does not let one process look into another."""


def shares(
    process: psutil.Process, seconds: int, load: Callable[[], object]
) -> Mapping[str, float]:
    """The share of each part of a process in its processor time during a load; 1 is all.

    Raises SamplingRefused.
    """
    with ThreadPoolExecutor(1) as threads:
        loading = threads.submit(load)
        before = _seconds(process)
        stacks = _sampled(process.pid, seconds)
        after = _seconds(process)
        loading.result()
    seen: dict[int, Counter[str]] = {}
    for thread, stack, count in _STACK.findall(stacks):
        seen.setdefault(int(thread), Counter())[part_of(stack)] += int(count)
    spent: dict[str, float] = defaultdict(float)
    for thread, until in after.items():
        parts = seen.get(thread, Counter({CORE: 1}))
        for part, count in parts.items():
            spent[part] += (until - before.get(thread, 0.0)) * count / parts.total()
    whole = sum(spent.values())
    if not seen or not whole:
        raise SamplingRefused("py-spy saw nothing run")
    return {part: time / whole for part, time in sorted(spent.items(), key=lambda item: -item[1])}


def part_of(stack: str) -> str:
    """The part whose code is innermost in a stack, its outermost frame first."""
    for frame in reversed(stack.split(";")):
        for part, *places in _PARTS:
            if any(place in frame for place in places):
                return part
    return OTHER


def _sampled(pid: int, seconds: int) -> str:
    program = Path(sys.executable).with_name("py-spy")
    try:
        done = subprocess.run(
            [
                *(str(program), "record", "--pid", str(pid), "--duration", str(seconds)),
                *("--rate", str(PER_SECOND), "--gil", "--threads"),
                *("--format", "raw", "--full-filenames", "--output", "/dev/stdout"),
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + 60,
        )
    except (OSError, subprocess.SubprocessError) as refused:
        raise SamplingRefused(f"py-spy: {refused}") from refused
    return done.stdout


def _seconds(process: psutil.Process) -> Mapping[int, float]:
    """Processor time of each thread so far."""
    return {thread.id: thread.user_time + thread.system_time for thread in process.threads()}
