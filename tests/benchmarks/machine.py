"""On what the figures were measured: machine, versions and settings, without any name or path."""

import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from tests.benchmarks.workbench import value

_PACKAGES = ("grpcio", "uvloop", "protobuf", "psycopg", "eventsourcing", "orjson")
_DURABLE = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")


def facts(dsn: str) -> Mapping[str, str]:
    """What a reader needs to compare these figures with others."""
    memory = psutil.virtual_memory().total / 2**30
    load, *_ = psutil.getloadavg()
    settings = (f"{name} {value(dsn, f'SHOW {name}')}" for name in _DURABLE)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{_processor()}, {psutil.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before": f"{load:.2f} (one-minute average)",
        "Python": platform.python_version(),
        "packages": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "PostgreSQL": f"{value(dsn, 'SHOW server_version')}; {', '.join(settings)}",
        "h2load": _printed("h2load", "--version").removeprefix("h2load "),
        "Go": _printed("go", "version").removeprefix("go version "),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, model = line.partition(":")
        if name.strip() == "model name":
            return model.strip()
    return platform.machine()


def _printed(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()
