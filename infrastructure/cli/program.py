"""The name by which this program was started, so that what it prints can be typed."""

import re
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

NAME = "workflows"


def program() -> str:
    """The command as the user can type it again: its bare name if PATH finds this very program."""
    started = sys.argv[0]
    if Path(started).stem != NAME:  # A test, or python -m: there is no better name.
        return NAME
    found = shutil.which(NAME)
    on_path = found is not None and Path(found).absolute() == Path(started).absolute()
    return NAME if on_path else shlex.quote(started)


def typable(text: str, commands: Iterable[str]) -> str:
    """The text with every `workflows COMMAND` in it as the user can type it.

    Other modules write the bare name, because they do not know how the program was started.
    """
    name = program()
    pattern = rf"(?<![\w./-]){NAME}(?= (?:{'|'.join(commands)})\b)"
    return text if name == NAME else re.sub(pattern, lambda _: name, text)
