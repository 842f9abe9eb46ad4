"""The example workflows of `workflows seed`: who owns them, and what happened to them, in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EDITION = 1
"""Part of every idempotency key. A key belongs to one request: raise this when a story changes."""


@dataclass(frozen=True, slots=True)
class Build:
    """The build reached a status."""

    status: str


@dataclass(frozen=True, slots=True)
class Fail:
    """One more job failed."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The failure count was set back."""


@dataclass(frozen=True, slots=True)
class Change:
    """The owner updated the workflow; a field that is None did not change."""

    name: str | None = None
    payload: Mapping[str, Any] | None = None
    every: int | None = None


@dataclass(frozen=True, slots=True)
class Terminate:
    """The owner ended the workflow."""


@dataclass(frozen=True, slots=True)
class Delete:
    """The owner removed the workflow."""


Step = Build | Fail | Reset | Change | Terminate | Delete


@dataclass(frozen=True, slots=True)
class Story:
    """A workflow as it was created, and its steps since.

    Each step records exactly one event, and only the last may record a second (the termination at
    the maximum), so the version of a workflow tells how many steps were recorded.
    """

    user: str
    name: str
    kind: str
    payload: Mapping[str, Any]
    every: int  # minutes
    allowed: int  # consecutive failures
    steps: Sequence[Step] = ()

    @property
    def key(self) -> str:
        """The idempotency key of its creation."""
        return f"seed-{EDITION}/{self.name}"


BUILT = (Build("building"), Build("success"))
BROKEN = (Build("building"), Build("failed"))


def http(url: str, **more: Any) -> Mapping[str, Any]:
    """The payload of an http workflow."""
    return {"url": url, "method": "GET", "timeout": 10} | more


def docker(image: str, *command: str) -> Mapping[str, Any]:
    """The payload of a docker workflow."""
    return {"image": image, "command": list(command)}


def script(*lines: str) -> Mapping[str, Any]:
    """The payload of a script workflow."""
    return {"language": "sh", "source": "\n".join(lines)}


def stories() -> Sequence[Story]:
    """Every story, oldest first."""
    return (
        Story("ada", "Homepage check", "http",
              http("https://shop.example/"), 5, 3,
              (*BUILT, Fail(), Reset())),
        Story("ada", "Nightly backup", "docker",
              docker("postgres:18", "pg_dump", "--format=custom", "shop"), 1440, 5,
              (*BUILT, Fail(), Fail(), Reset(), Fail())),
        Story("ada", "Exchange rates", "http",
              http("https://rates.example/v1/latest"), 60, 4,
              (*BUILT, Fail(), Change(payload=http("https://rates.example/v2/latest")), *BUILT)),
        Story("ada", "Weekly newsletter", "script",
              script("python -m newsletter send"), 10080, 2,
              (*BUILT, Terminate())),
        Story("ada", "Legacy FTP sync", "docker",
              docker("ftp-sync:1.4", "pull", "/outbox"), 30, 3,
              (*BUILT, Fail(), Fail(), Fail())),  # the third one reached its maximum
        Story("ada", "Old invoice export", "script",
              script("./export-invoices --year 2019"), 43200, 1,
              (*BUILT, Delete())),
        Story("ada", "Warehouse report", "docker",
              docker("reports:latest", "warehouse"), 720, 3,
              (*BROKEN, Change(payload=docker("reports:2.1", "warehouse")), *BUILT)),
        Story("grace", "Compiler nightly", "docker",
              docker("gcc:15", "make", "check"), 1440, 10,
              (*BROKEN, Build("building"), Build("success"), Fail(), Fail(), Fail())),
        Story("grace", "Bug tracker digest", "http",
              http("https://bugs.example/digest", method="POST"), 1440, 3,
              (*BUILT, Change(name="Bug digest", every=720), *BROKEN)),
        Story("grace", "Certificate expiry", "script",
              script("for host in $(cat hosts); do", "  ./check-certificate $host", "done"), 360, 2,
              BUILT),
        Story("grace", "Moth removal", "script",
              script("./inspect relay-70 --panel F"), 15, 1,
              (*BUILT, Fail())),  # no failure is allowed
        Story("grace", "Status page", "http",
              http("https://status.example/api/ping", method="HEAD"), 1, 100,
              (*BUILT, *(Fail(),) * 7)),
        Story("grace", "Tape archive", "docker",
              docker("archive:9", "write", "--verify"), 525600, 2,
              (Build("building"), Build("canceled"))),
        Story("grace", "Load test", "docker",
              docker("k6:latest", "run", "checkout.js"), 10080, 3,
              (*BUILT, Fail(), Terminate(), Delete())),
        Story("linus", "Mirror kernel tree", "script",
              script("git -C /srv/linux.git remote update"), 10, 20,
              (*BUILT, Fail(), Reset(), Fail(), Fail())),
        Story("linus", "Patch queue length", "http",
              http("https://patchwork.example/api/patches?state=new"), 30, 5,
              (*BUILT, Change(every=60), Change(every=15))),
        Story("linus", "Boot every board", "docker",
              docker("labgrid:24", "boot", "--all"), 180, 4,
              (Build("building"),)),
        Story("linus", "Mail archive", "script",
              script("./public-inbox-fetch"), 20, 8),
        Story("linus", "Release candidate", "docker",
              docker("release:rc", "tag", "--sign"), 10080, 1,
              (*BUILT, Change(payload=docker("release:rc", "tag", "--sign", "--push")))),
        Story("linus", "Dive log upload", "http",
              http("https://dives.example/upload", method="PUT"), 1440, 3,
              (*BUILT, *(Fail(),) * 2, Change(name="Dive log"), Fail())),
        Story("linus", "Bitkeeper import", "script",
              script("./bk-export | git fast-import"), 60, 3,
              (*BROKEN, Terminate())),
    )  # fmt: skip
