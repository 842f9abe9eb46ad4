"""How commands print: wrapped on a terminal, not wrapped elsewhere, without control characters.

Nothing is read as markup. Without a terminal nothing is cut or folded. On a terminal, a table that
does not fit is printed as a list.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from infrastructure import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_UNBOUNDED = 1_000_000  # columns


def console(*, errors: bool = False) -> "Console":
    """A console on stdout for answers, or on stderr for everything else."""
    from rich.console import Console  # noqa: PLC0415 - commands start faster without it

    stream = sys.stderr if errors else sys.stdout
    return Console(
        file=stream,
        width=None if stream.isatty() else _UNBOUNDED,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=True,
    )


def styled(text: str, style: str = "") -> "Text":
    """A text on one line, with hidden characters shown."""
    from rich.text import Text  # noqa: PLC0415 - as in console()

    return Text(printable.line(text), style)


def print_json(value: Any) -> None:
    """Prints an answer as JSON for people: indented, and coloured on a terminal."""
    text = printable.as_json(value, indent=2)
    if not sys.stdout.isatty():
        print(text)  # noqa: T201 - this is the answer
        return
    from rich.highlighter import JSONHighlighter  # noqa: PLC0415 - as in console()

    console().print(JSONHighlighter()(text))


def print_line_of_json(value: Any) -> None:
    """Prints an answer as one line of JSON for machines."""
    print(printable.as_json(value), flush=True)  # noqa: T201 - this is the answer


def print_table(headings: Sequence[str], rows: Sequence[Sequence["Text"]]) -> None:
    """Prints rows under headings; as a list, a row a block, if the terminal is too narrow."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - as in console()
    from rich.table import Table  # noqa: PLC0415 - as in console()

    out = console()
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    unbounded = out.options.update(width=_UNBOUNDED)
    if out.measure(table, options=unbounded).maximum <= out.width:
        out.print(table, soft_wrap=False)
        return
    for row in rows:
        for heading, cell in zip(headings, row, strict=True):
            if cell.plain:
                out.print(heading, cell, sep=": ")
        out.print()
