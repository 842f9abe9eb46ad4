"""Text from other sources, made harmless for terminals and readers."""

import json
import re
from collections.abc import Callable
from typing import Any

# Control characters (C0, DEL, C1), line and paragraph separators, what changes the direction of
# writing, invisible characters that no script needs, and lone surrogates, which no UTF-8 can hold.
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
)
_IN_LINE = re.compile(f"[{_HIDDEN}]")
_IN_TEXT = re.compile(f"(?![\n\t])[{_HIDDEN}]")


def line(text: str) -> str:
    """The text as one line: each hidden character, line breaks too, is shown as its escape."""
    return _IN_LINE.sub(_escape, text)


def text(text: str) -> str:
    """The text with its line breaks; every other hidden character is shown as its escape."""
    return _IN_TEXT.sub(_escape, text)


def as_json(
    value: Any, *, indent: int | None = None, default: Callable[[Any], Any] | None = None
) -> str:
    """The value as JSON without a hidden character; a reader gets the same value back.

    `default` turns what JSON does not know into something that it knows.
    """
    shown = json.dumps(value, ensure_ascii=False, indent=indent, default=default)
    return _IN_TEXT.sub(_escape, shown)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
