"""Requests as people type them: the name of a method, and a JSON object."""

import json
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from google.protobuf.descriptor import Descriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from infrastructure.cli.contract import fields_of
from infrastructure.cli.refusing import misused

_UNKNOWN_FIELD = re.compile(r'no field named "([^"]*)"')

MethodName = Annotated[
    str, typer.Argument(metavar="METHOD", help="Its name, short or full, in any case.")
]
Request = Annotated[
    str, typer.Argument(metavar="[JSON]", help="The request as an object; - reads it from stdin.")
]


def message_of(kind: Descriptor, text: str) -> Message:
    """The request in a JSON text, or on stdin if that is "-"; another ends the command."""
    fields = {
        name: _payload(value) if name == "payload" else value
        for name, value in _object(text).items()
    }
    try:
        return ParseDict(fields, GetMessageClass(kind)())
    except ParseError as refused:
        misused(_complaint(kind, str(refused).partition("\n")[0]))


def _payload(value: object) -> object:
    """A payload as the text that the contract wants, if it was given as an object."""
    if not isinstance(value, dict):
        return value
    return json.dumps(value, ensure_ascii=False)


def _complaint(kind: Descriptor, complaint: str) -> str:
    unknown = _UNKNOWN_FIELD.search(complaint)
    near = get_close_matches(unknown[1], list(kind.fields_by_name), n=1) if unknown else []
    meant = f" Is {near[0]!r} meant?" if near else ""
    return f"{complaint}{meant}\n{kind.name} takes {fields_of(kind)}"


def _object(text: str) -> dict[str, Any]:
    try:
        given = sys.stdin.buffer.read().decode() if text == "-" else text
        document = json.loads(given, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as unreadable:
        misused(f'the request is no JSON: {unreadable}\nGive an object: \'{{"user_id": "ada"}}\'')
    if not isinstance(document, dict):
        misused('the request is no JSON object; give one: \'{"user_id": "ada"}\'')
    return document


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        repeated = next(name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1)
        raise ValueError(f"{repeated!r} stands twice in one object")
    return found
