"""What a payload must be, and what each kind's payload must hold."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import from_json

MAX_PAYLOAD_BYTES = 1024 * 1024
MAX_NESTING = 64

MAX_PORT = 65_535

Document = dict[str, Any]

_HTTP_URL = re.compile(
    r"""(?i:https?)://
        (?:[^\s/?\#@]*@)?                      # a user, perhaps
        (?:\[[0-9a-fA-F:.]+\]|[^\s/?\#@:\[\]]+)  # a host: an IPv6 address or a name
        (?::(?P<port>[0-9]{1,5}))?
        (?:[/?\#]\S*)?\Z""",
    re.VERBOSE,
)


def form(text: str) -> str | None:
    """A JSON object of at most 1 MiB with a nesting of at most 64; None, or what is wrong."""
    complaint, _ = _parse(text)
    return complaint


def for_kind(text: str, kind: str) -> str | None:
    """The form of a payload and the rules of its kind; None, or what is wrong."""
    complaint, document = _parse(text)
    rule = KIND_RULES.get(kind)
    return complaint if complaint or rule is None else rule(document)


def _parse(text: str) -> tuple[str | None, Document]:
    size = len(text) if text.isascii() else len(text.encode())
    if size > MAX_PAYLOAD_BYTES:
        return f"is {size} bytes long; at most {MAX_PAYLOAD_BYTES} are accepted", {}
    try:
        document = from_json(text, allow_inf_nan=False)
    except ValueError:
        return (
            "is no JSON that can be read; an object nested at most 64 deep,"
            " with numbers of at most 4300 digits, is accepted",
            {},
        )
    if not isinstance(document, dict):
        return "is not a JSON object; {...} is accepted", {}
    if _may_exceed_nesting(text) and _nesting(document) > MAX_NESTING:
        return f"is nested too deep; a nesting of at most {MAX_NESTING} is accepted", {}
    return None, document


def _may_exceed_nesting(text: str) -> bool:
    return text.count("{") + text.count("[") > MAX_NESTING


def _nesting(document: Document) -> int:
    depth = 0
    level: list[dict[str, Any] | list[Any]] = [document]
    while level:
        depth += 1
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
    return depth


def _http(document: Document) -> str | None:
    if not _is_absolute_http_url(document.get("url")):
        return "has no usable url; an http payload needs an absolute http(s) url"
    if "timeout" in document and not _is_positive_number(document["timeout"]):
        return "has a timeout that is no positive number; a positive number of seconds is accepted"
    return None


def _docker(document: Document) -> str | None:
    image = document.get("image")
    if isinstance(image, str) and image.strip():
        return None
    return "has no image; a docker payload needs a non-empty image"


def _script(_: Document) -> str | None:
    return None


KIND_RULES: Mapping[str, Callable[[Document], str | None]] = {
    "http": _http,
    "script": _script,
    "docker": _docker,
}


def _is_absolute_http_url(value: object) -> bool:
    if not isinstance(value, str) or not value.isprintable():
        return False
    found = _HTTP_URL.match(value)
    return found is not None and 0 < int(found["port"] or 80) <= MAX_PORT


def _is_positive_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value < float("inf")
