"""The block that `workflows serve` prints when it is ready: its addresses, and what to do next."""

import shlex
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from infrastructure.address import DEFAULT_ADDRESS, Address
from infrastructure.cli.printing import console, print_line_of_json, styled
from infrastructure.cli.program import program
from infrastructure.process.service import Serving

_AUTH = {
    "none": "no authentication, this machine only",
    "jwt": "callers show a token",
    "mtls": "callers show a certificate",
    "jwt,mtls": "callers show a token or a certificate",
}
_ANYONE = "no authentication, and anyone who reaches it may do all"


def announce(serving: Serving, seconds: float, *, as_json: bool) -> None:
    """Prints the block, or its facts as one line of JSON."""
    if as_json:
        print_line_of_json(_facts(serving, seconds))
        return
    out = console()
    workers = f" · {serving.workers} workers" if serving.workers > 1 else ""
    ready = f" {_version()}{workers} · ready in {seconds:.1f} s · Ctrl-C stops it"
    out.print(styled("Workflows Service", "bold green").append(ready, "default"))
    for name, value, remark in _rows(serving):
        line = styled(f"  {name:<10} ", "bold").append_text(styled(value))
        out.print(line.append(f"   {remark}", "dim") if remark else line)


def _rows(serving: Serving) -> list[tuple[str, str, str]]:
    shell = ""
    if serving.data_dir:
        elsewhere = serving.data_dir != Path(".data")
        folder = f" --data-dir {shlex.quote(str(serving.data_dir))}" if elsewhere else ""
        shell = f"(shell: {program()} psql{folder})"
    return [
        ("gRPC", serving.address, _auth(serving)),
        *([("internal", serving.internal, "with internal methods")] if serving.internal else []),
        *([("HTTP", serving.http, "the same methods as JSON")] if serving.http else []),
        ("database", serving.database, shell),
        ("log", *_log(serving)),
        ("try", _seed(serving.address), ""),
    ]


def _log(serving: Serving) -> tuple[str, str]:
    if serving.log is None:
        return "none: nothing proves this history", "(name a folder: --log-dir)"
    return str(serving.log), "signed checkpoints"


def _facts(serving: Serving, seconds: float) -> dict[str, Any]:
    return {
        "version": _version(),
        "address": serving.address,
        "internal": serving.internal,
        "http": serving.http,
        "tls": serving.encrypted,
        "database": serving.database,
        "data": str(serving.data_dir.resolve()) if serving.data_dir else "in that database",
        "log": str(serving.log.resolve()) if serving.log else None,
        "auth": _auth(serving),
        "workers": serving.workers,
        "ready_in_seconds": round(seconds, 3),
        "next": _seed(serving.address),
    }


def _auth(serving: Serving) -> str:
    here = Address.parse(serving.address).is_loopback
    admitted = _ANYONE if serving.auth == "none" and not here else _AUTH[serving.auth]
    plain = serving.auth != "none" and not serving.encrypted
    return f"{admitted}; not encrypted" if plain else admitted


def _seed(address: str) -> str:
    there = "" if address == DEFAULT_ADDRESS else f" --target {address}"
    return f"{program()} seed{there}"


def _version() -> str:
    try:
        return version("workflows-service")
    except PackageNotFoundError:  # The service runs from sources that are not installed.
        return "from sources"
