"""`workflows witness`: cosigns a log's checkpoints, for somebody who does not operate the log."""

import time
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infrastructure.cli.options import Json
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.refusing import CommandFailed, give_up, refusals

if TYPE_CHECKING:
    from infrastructure.tlog.files import Source
    from infrastructure.tlog.notes import Verifier

_KEY = "witness.key"
_TRUSTED = "trusted-logs"
_PASSING = ("SOURCE_UNAVAILABLE", "FILE_MISSING")
"""Failures after which a witness that cosigns again and again goes on."""

Log = Annotated[
    str, typer.Argument(metavar="LOG", help="The log: its folder, or its address (http, https).")
]
Folder = Annotated[
    Path,
    typer.Option("--folder", help="Where the witness keeps its key, and what it cosigned."),
]
LogKey = Annotated[
    str | None,
    typer.Option(metavar="VKEY", help="The log's key; needed once, when the log is new."),
]
Name = Annotated[str | None, typer.Option(help="Name of a new witness, such as witness.example.")]
Every = Annotated[
    float | None, typer.Option(min=0.1, help="Cosign again every so many seconds, until Ctrl-C.")
]


def witness(
    log: Log,
    folder: Folder = Path("witness"),
    log_key: LogKey = None,
    name: Name = None,
    every: Every = None,
    as_json: Json = False,
) -> None:
    """Cosign the newest checkpoint of a log, if the log has only grown.

    A witness remembers what it cosigned. It refuses a log that was cut or rewritten, even if that
    was signed anew with the log's own key: exit code 1. Run it on another machine than the log's,
    under somebody else's responsibility.

    The cosigned checkpoint goes into the log's folder `cosigned`; that of a remote log stays in
    the witness's folder, for the log's operator to fetch.

    \b
    Examples:
      workflows witness .data/log --log-key workflows.example+0a1b2c3d+AExampleKey=
      workflows witness https://log.example/1795582111 --folder /var/lib/witness --every 60
    """
    from infrastructure.proof.keys import KeyUnusable  # noqa: PLC0415 - help comes first
    from infrastructure.tlog.checkpoints import LogRefused  # noqa: PLC0415 - as above
    from infrastructure.tlog.files import FileMissing, SourceUnavailable  # noqa: PLC0415 - as above
    from infrastructure.tlog.notes import NoteRefused  # noqa: PLC0415 - as above
    from infrastructure.tlog.policy import PolicyRefused  # noqa: PLC0415 - as above
    from infrastructure.tlog.witness import CosignatureRefused  # noqa: PLC0415 - as above

    with refusals(KeyUnusable, LogRefused, NoteRefused, PolicyRefused, CosignatureRefused):
        while True:
            try:
                with refusals(SourceUnavailable, FileMissing):
                    _cosign(folder, name, log, log_key, as_json=as_json)
            except CommandFailed as failed:
                if every is None or failed.failure.code not in _PASSING:
                    raise
                typer.echo(failed.failure.message, err=True)
            if every is None:
                return
            time.sleep(every)


def _cosign(
    folder: Path, name: str | None, place: str, log_key: str | None, *, as_json: bool
) -> None:
    from infrastructure.proof.keys import read_or_make  # noqa: PLC0415 - as in witness()
    from infrastructure.tlog.checkpoints import Checkpoint  # noqa: PLC0415 - as above
    from infrastructure.tlog.files import FolderSource, replace_file  # noqa: PLC0415 - as above
    from infrastructure.tlog.notes import COSIGNATURE  # noqa: PLC0415 - as above
    from infrastructure.tlog.policy import POLICY, Policy  # noqa: PLC0415 - as above
    from infrastructure.tlog.witness import (  # noqa: PLC0415 - as above
        COSIGNED,
        Witness,
        file_name,
        publish,
    )

    log = _source(place)
    policy = Policy.parse(log.read(POLICY).decode(errors="replace"))
    verifier = _trusted(folder / _TRUSTED, policy.logs, log_key)
    key = read_or_make(folder / _KEY, name or f"witness.internal/{token_hex(6)}")
    witness = Witness(key.signer(key.name, COSIGNATURE), folder)
    own = witness.signer.verifier
    note = witness.cosign(
        log, verifier, int(time.time()), [each for each in policy.witnesses.values() if each != own]
    )
    if isinstance(log, FolderSource):
        publish(log.folder, note, own)
        written = log.folder / COSIGNED / file_name(own)
    else:
        written = folder / COSIGNED / file_name(verifier)
        replace_file(written, str(note).encode())
    checkpoint = Checkpoint.parse(note.text)
    facts: dict[str, Any] = {
        "log": checkpoint.origin,
        "size": checkpoint.size,
        "witness": str(own),
        "written": str(written),
    }
    if as_json:
        print_line_of_json(facts)
    else:
        typer.echo(
            f"cosigned {checkpoint.size} events of {checkpoint.origin}\nas {own}\nin {written}"
        )


def _source(place: str) -> "Source":
    """The log at a place; of a folder of logs, the newest one."""
    from infrastructure.proof.logs import Logs  # noqa: PLC0415 - as in witness()
    from infrastructure.tlog.files import FolderSource, source_of  # noqa: PLC0415 - as above
    from infrastructure.tlog.policy import POLICY  # noqa: PLC0415 - as above

    source = source_of(place)
    if isinstance(source, FolderSource) and not (source.folder / POLICY).exists():
        epochs = Logs(source.folder).epochs()
        if not epochs:
            give_up(f"There is no log in {place}: it has no file named {POLICY}.", "NO_LOG")
        return FolderSource(source.folder / str(epochs[-1]))
    return source


def _trusted(remembered: Path, named: "tuple[Verifier, ...]", given: str | None) -> "Verifier":
    """The key of the log: one that this witness was told once, never one that the log tells."""
    from infrastructure.tlog.files import replace_file  # noqa: PLC0415 - as in witness()
    from infrastructure.tlog.notes import Verifier  # noqa: PLC0415 - as in witness()

    known = remembered.read_text().split() if remembered.exists() else []
    if given is not None and str(Verifier.parse(given)) not in known:
        known.append(str(Verifier.parse(given)))
        replace_file(remembered, "".join(f"{vkey}\n" for vkey in known).encode())
    found = next((verifier for verifier in named if str(verifier) in known), None)
    if found is None:
        give_up(
            f"This witness does not know the log's key. The log names {', '.join(map(str, named))}."
            " Ask the log's operator for the key on another way, compare the two, and give it once:"
            " --log-key VKEY",
            "LOG_UNKNOWN",
        )
    return found
