"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from infrastructure.client.target import target_of


def _target(text: str) -> str:
    try:
        return target_of(text)
    except ValueError as refused:
        raise typer.BadParameter(str(refused)) from None


Target = Annotated[
    str,
    typer.Option(
        "--target", envvar="WORKFLOWS_LISTEN", help="Where the service listens.", callback=_target
    ),
]
Authorities = Annotated[
    str | None,
    typer.Option(
        "--ca",
        envvar="WORKFLOWS_CA",
        metavar="FILE",
        help="PEM file of who signs the service's certificate, or system; unset: no TLS.",
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(envvar="WORKFLOWS_TOKEN_FILE", help="File of a token that is sent."),
]
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON, failures too.")]
