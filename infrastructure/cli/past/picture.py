"""Lines of text as a picture that stands for itself: an SVG that loads nothing."""

import re
from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

_FONTS = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)
_MARGIN = 2  # columns


def svg(lines: Sequence["Text"], title: str) -> str:
    """The lines as they look on a terminal that is wide enough for the longest."""
    from rich._export_format import CONSOLE_SVG_FORMAT  # noqa: PLC0415 - only for a picture
    from rich.console import Console  # noqa: PLC0415 - as above

    width = max((line.cell_len for line in lines), default=0) + _MARGIN
    out = Console(file=StringIO(), record=True, width=width, force_terminal=True)
    for line in lines:
        out.print(line)
    # The form of the library would load fonts from elsewhere, and so tell who reads the picture.
    return out.export_svg(title=title, code_format=_FONTS.sub("", CONSOLE_SVG_FORMAT))
