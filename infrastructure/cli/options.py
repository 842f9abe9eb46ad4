"""Options that several commands share."""

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
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON, failures too.")]
