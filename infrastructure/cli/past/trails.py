"""`workflows accesses` and `workflows erasures`: who read what of others, and what was erased."""

from collections.abc import Callable, Iterator, MutableSequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from workflows import admin_pb2 as pb

from infrastructure.cli.options import Authorities, Json, Target
from infrastructure.cli.past.asking import WITHIN, Token, Utc, bearer, plain
from infrastructure.cli.past.moments import time_of
from infrastructure.cli.past.values import time_text
from infrastructure.cli.printing import console, print_line_of_json, print_table, styled
from infrastructure.cli.refusing import calls_to, give_up
from infrastructure.client.target import DEFAULT_TARGET

if TYPE_CHECKING:
    from workflows.admin_pb2_grpc import WorkflowAdminServiceStub

_LARGEST_PAGE = 1000

User = Annotated[str, typer.Option("--user", help="Whose history was read.")]
Actor = Annotated[str, typer.Option(help="Who read; issuer|subject, with or without #token.")]
Workflow = Annotated[str, typer.Option("--workflow", metavar="ID", help="Which workflow was read.")]
Since = Annotated[
    str | None, typer.Option(help="Only what was recorded then or later; as --at of as-of.")
]
Until = Annotated[str | None, typer.Option(help="Only what was recorded before then.")]
Limit = Annotated[int, typer.Option(min=1, help="Most entries to show.")]
Receipt = Annotated[str, typer.Argument(metavar="[RECEIPT]", help="Id of one receipt.")]


def accesses(
    user: User = "",
    actor: Actor = "",
    workflow: Workflow = "",
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    utc: Utc = False,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    ca: Authorities = None,
    as_json: Json = False,
) -> None:
    """Show who read or exported the history of others, the newest first.

    \b
    Examples:
      workflows accesses --user alice
      workflows accesses --actor 'https://issuer.example|eve' --since '1 week ago' --json
    """
    now = datetime.now(UTC)
    asked = pb.ListAccessesRequest(
        user_id=user,
        actor=actor,
        workflow_id=workflow,
        since=time_of(since, now) if since else None,
        until=time_of(until, now) if until else None,
    )
    found = pb.ListAccessesResponse()
    with _administrator(target, ca) as service:
        _read(service.ListAccesses, asked, found, found.accesses, limit, token)
    if as_json:
        print_line_of_json(plain(found))
        return
    headings = ("when", "who", "method", "user", "workflow", "request")
    rows = [
        (
            time_text(each.accessed_at, utc=utc),
            each.actor,
            each.method,
            each.user_id,
            each.workflow_id,
            each.request_id,
        )
        for each in found.accesses
    ]
    print_table(headings, [list(map(styled, row)) for row in rows])
    _say_how_many(len(rows), "accesses", found.cursor)


def erasures(
    receipt: Receipt = "",
    limit: Limit = 50,
    utc: Utc = False,
    token: Token = "",
    target: Target = DEFAULT_TARGET,
    ca: Authorities = None,
    as_json: Json = False,
) -> None:
    """Show what was erased, the newest first; or one receipt with its proof.

    The proof says that the log of receipts holds the receipt: its leaf has the SHA-256 of the
    receipt, and the policy names the keys by which the checkpoint in the proof is verified.

    \b
    Examples:
      workflows erasures
      workflows erasures 0f2a7c1e-5a54-4c1b-9f43-7a6f3a8d2b10 --json
    """
    asked, found = pb.ListErasuresRequest(receipt_id=receipt), pb.ListErasuresResponse()
    with _administrator(target, ca) as service:
        _read(service.ListErasures, asked, found, found.erasures, limit, token)
    if receipt and not found.erasures:
        give_up(f"No erasure has the receipt {receipt}; workflows erasures lists all.", "NOT_FOUND")
    if as_json:
        print_line_of_json(plain(found))
        return
    if receipt:
        _show(found.erasures[0], found.policy)
        return
    headings = ("when", "receipt", "workflows", "events", "who", "reason", "legal basis", "logged")
    rows = [
        (
            time_text(each.erased_at, utc=utc),
            each.receipt_id,
            f"{each.workflows:,}",
            f"{each.events:,}",
            each.actor,
            each.reason,
            each.legal_basis,
            "yes" if each.proof else "not yet",
        )
        for each in found.erasures
    ]
    print_table(headings, [list(map(styled, row)) for row in rows])
    _say_how_many(len(rows), "erasures", found.cursor)


def _show(erasure: pb.Erasure, policy: str) -> None:
    parts = {
        "receipt": erasure.receipt or "longer than 1 MiB; its file has it, see --log-dir",
        "leaf": erasure.leaf.decode(),
        "proof": erasure.proof or "not yet: no checkpoint covers it",
        "policy": policy,
    }
    out = console()
    for name, text in parts.items():
        out.print(styled(name, "bold"))
        for line in text.splitlines():
            out.print(styled(line))
        out.print()


def _say_how_many(count: int, what: str, cursor: str) -> None:
    more = f" · more: --limit {2 * count}" if cursor else ""
    console().print(styled(f"{count:,} {what}{more}", "dim"))


def _read(
    method: Callable[..., Any],
    asked: Any,
    found: Any,
    entries: MutableSequence[Any],
    limit: int,
    token: str,
) -> None:
    """Puts so many entries into an answer, page after page."""
    while True:
        asked.page_size = min(limit - len(entries), _LARGEST_PAGE)
        page = method(asked, timeout=WITHIN, metadata=bearer(token))
        found.MergeFrom(page)
        found.cursor = asked.cursor = page.cursor
        if not page.cursor or len(entries) >= limit:
            return


@contextmanager
def _administrator(target: str, authorities: str | None) -> Iterator["WorkflowAdminServiceStub"]:
    """The methods of administrators; ends the command if a call fails in the block."""
    # Imported here, so that a wrong command line is refused without waiting for gRPC's import.
    from workflows.admin_pb2_grpc import WorkflowAdminServiceStub  # noqa: PLC0415 - as above

    from infrastructure.client.channel import connected  # noqa: PLC0415 - as above

    with calls_to(target), connected(target, authorities) as channel:
        yield WorkflowAdminServiceStub(channel)
