"""`workflows export`: an evidence pack, written as it comes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import monotonic
from typing import IO, Annotated

import typer
from workflows import history_pb2 as pb

from application.progress import Progress
from infrastructure.cli.options import Json, Target
from infrastructure.cli.past.asking import Token, bearer, historian
from infrastructure.cli.past.moments import time_of
from infrastructure.cli.printing import print_line_of_json
from infrastructure.cli.progress import ProgressLine
from infrastructure.cli.refusing import misused, refusals
from infrastructure.client.target import DEFAULT_TARGET

_WITHIN = 24 * 3600.0  # seconds: a pack may be large

Workflow = Annotated[str, typer.Option("--workflow", metavar="ID", help="Only this workflow.")]
User = Annotated[str, typer.Option("--user", help="Only workflows of this user.")]
Since = Annotated[
    str | None, typer.Option(help="Only what was recorded then or later; as --at of as-of.")
]
Until = Annotated[str | None, typer.Option(help="Only what was recorded before then.")]
All = Annotated[bool, typer.Option("--all", help="The whole feed, if nothing else is chosen.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The pack.")]


def export(
    workflow: Workflow = "",
    user: User = "",
    since: Since = None,
    until: Until = None,
    everything: All = False,
    output: Output = Path("pack.zip"),
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    as_json: Json = False,
) -> None:
    """Write an evidence pack: events, the proof of each, and a verifier that needs only Python.

    The file takes its name when it is complete; until then, nothing of that name is touched.

    \b
    Examples:
      workflows export --workflow 0199b6f2-7a3c-7d4e-8f50-1a2b3c4d5e6f -o pack.zip
      workflows export --user alice --since 2026-11-01T00:00:00Z --until '1 day ago'
    """
    if not (workflow or user or since or until or everything):
        misused("Choose what to export: --workflow, --user, --since, --until, or --all.")
    now = datetime.now(UTC)
    wanted = pb.EventFilter(
        workflow_id=workflow,
        user_id=user,
        since=time_of(since, now) if since else None,
        until=time_of(until, now) if until else None,
    )
    line, digest, events, size, began = ProgressLine(), sha256(), 0, 0, monotonic()
    with refusals(OSError), _whole(output) as file, historian(target) as service:
        asked = pb.ExportPackRequest(filter=wanted)
        for piece in service.ExportPack(asked, timeout=_WITHIN, metadata=bearer(token)):
            file.write(piece.data)
            digest.update(piece.data)
            size, events = size + len(piece.data), piece.progress.total
            done = piece.progress.done
            line(Progress("export", done, events, done, monotonic() - began))
    line.end()
    if as_json:
        facts = {"file": str(output), "events": events, "bytes": size, "sha256": digest.hexdigest()}
        print_line_of_json(facts)
        return
    typer.echo(f"wrote {output}: {events:,} events, {size:,} bytes")
    typer.echo(f"sha256 {digest.hexdigest()}")
    typer.echo(f"verify it anywhere: unzip -p {output} verify.py | python3 - {output}")


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name if the block ends well, and is removed otherwise."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        beside = Path(file.name)
        try:
            yield file
            file.flush()
            beside.chmod(0o600)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
