"""`make audit`: pip-audit over the lock files, with advisories from the network or from a file.

A file is an export of osv.dev (PyPI/all.zip), or one JSON list of records in OSV's form. pip-audit
asks services only, so the file is served to it on loopback.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCKS = tuple(f"requirements{purpose}.lock" for purpose in ("", "-build", "-dev", "-generator"))

Record = Mapping[str, Any]


def records(database: Path) -> Iterator[Record]:
    """Every advisory in a file."""
    if zipfile.is_zipfile(database):
        with zipfile.ZipFile(database) as archive:
            for name in archive.namelist():
                if name.endswith(".json"):
                    yield json.loads(archive.read(name))
    else:
        yield from json.loads(database.read_text())


def concerns(record: Record, name: str, version: str) -> bool:
    """Whether an advisory affects this version of a distribution."""
    return any(
        affected["package"]["ecosystem"] == "PyPI"
        and canonicalize_name(affected["package"]["name"]) == canonicalize_name(name)
        and (version in affected.get("versions", ()) or _in_ranges(affected, Version(version)))
        for affected in record.get("affected", ())
    )


def _in_ranges(affected: Mapping[str, Any], version: Version) -> bool:
    return any(
        _in_range(found["events"], version)
        for found in affected.get("ranges", ())
        if found["type"] == "ECOSYSTEM"
    )


def _in_range(events: Sequence[Mapping[str, str]], version: Version) -> bool:
    """Follows a range's events, which OSV lists in the order of versions."""
    inside = False
    for event in events:
        ((kind, at),) = event.items()
        if kind == "introduced":
            inside = inside or at == "0" or version >= Version(at)
        elif kind == "fixed":
            inside = inside and version < Version(at)
        elif kind == "last_affected":
            inside = inside and version <= Version(at)
    return inside


@contextmanager
def served(advisories: Sequence[Record]) -> Iterator[str]:
    """The address of a service that answers OSV's query for one version of one package."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name, version = asked["package"]["name"], asked["version"]
            found = [record for record in advisories if concerns(record, name, version)]
            body = json.dumps({"vulns": found} if found else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing: pip-audit does."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        server.shutdown()


def audit(database: Path | None, locks: Sequence[Path]) -> int:
    """Runs pip-audit over lock files; its exit code is 1 if an advisory concerns one of them."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes"]
    for lock in locks:
        command += ["-r", str(lock)]
    if database is None:
        return subprocess.run(command, check=False).returncode
    with served(list(records(database))) as url:
        return subprocess.run([*command, "-s", "osv", "--osv-url", url], check=False).returncode


if __name__ == "__main__":
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    sys.exit(audit(file, [ROOT / name for name in LOCKS]))
