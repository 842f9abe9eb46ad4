"""The line of a value in TOML text. The parser tells the line only if the text is broken."""

import re
from collections.abc import Sequence

_HEADER = re.compile(r"\s*\[\[?(?P<keys>[^\]]*)\]")
_ASSIGNMENT = re.compile(r"""\s*(?P<keys>(?:[\w-]+|"[^"]*"|'[^']*'|\s*\.\s*)+?)\s*=""")
_KEY = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line, from 1, of the value at a path or of the nearest value around it; None if unknown.

    For an item of an array or a member of an inline table, it is the line at which the array or
    table begins.
    """
    wanted = [str(step) for step in path]
    table: list[str] = []
    best, best_depth = None, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _keys(header["keys"])
            here = table
        elif assignment := _ASSIGNMENT.match(line):
            here = table + _keys(assignment["keys"])
        else:
            continue
        depth = len(here)
        if here == wanted[:depth] and depth > best_depth:
            best, best_depth = number, depth
    return best


def _keys(text: str) -> list[str]:
    return [key.strip("\"'") for key in _KEY.findall(text)]
