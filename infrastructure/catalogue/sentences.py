"""Sentences about violations of a JSON Schema: what is wrong, and what is accepted."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jsonschema_rs import ValidationError, ValidationErrorKind

from domain import uris

_SHOWN = 40  # characters of a value
_TYPES = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}

_Kind = ValidationErrorKind
_ACCEPTED: Mapping[type[_Kind], Callable[[Any], str]] = {
    _Kind.Type: lambda kind: " or ".join(_TYPES[name] for name in kind.types),
    _Kind.Enum: lambda kind: f"one of {', '.join(map(_shown, kind.options))}",
    _Kind.Constant: lambda kind: _shown(kind.expected_value),
    _Kind.Minimum: lambda kind: f"{kind.limit} or more",
    _Kind.ExclusiveMinimum: lambda kind: f"more than {kind.limit}",
    _Kind.Maximum: lambda kind: f"{kind.limit} or less",
    _Kind.ExclusiveMaximum: lambda kind: f"less than {kind.limit}",
    _Kind.MinLength: lambda kind: f"a length of {kind.limit} or more",
    _Kind.MinItems: lambda kind: f"a length of {kind.limit} or more",
    _Kind.MaxLength: lambda kind: f"a length of at most {kind.limit}",
    _Kind.MaxItems: lambda kind: f"a length of at most {kind.limit}",
    _Kind.Pattern: lambda kind: f"a text that matches {kind.pattern}",
    _Kind.Format: lambda kind: f"a text of the format {kind.format}",
    _Kind.UniqueItems: lambda _: "an array in which no item is twice",
}


def sentence(error: ValidationError, schema: Mapping[str, Any]) -> str:
    """The violation as a sentence. It begins with a verb; its subject is the document.

    What is accepted is the `description` of the violated part of the schema, if it has one.
    """
    part = _part(schema, error.schema_path[:-1])
    place = _place(error.instance_path)
    match error.kind:
        case _Kind.Required(property=name):
            wanted = _described(part.get("properties", {}).get(name)) or "one"
            return f"has no {_place([*error.instance_path, name])}; {wanted} is accepted"
        case _Kind.AdditionalProperties(unexpected=names):
            known = ", ".join(part.get("properties", {})) or "none"
            return f"has {_inside(place)}the unknown name {_shown(names[0])}; {known} is accepted"
        case _Kind.PropertyNames(error=refused):
            wanted = _described(part) or _accepted(refused)
            return f"has {_inside(place)}the name {_shown(refused.instance)}; {wanted} is accepted"
        case _Kind.Format(format="uri") if found := uris.uri(str(error.instance)):
            return f"has {_article(place)} that {found}"
    wanted = _described(part) or _accepted(error)
    return f"has {_value(place, error.instance)}; {wanted} is accepted"


def _accepted(error: ValidationError) -> str:
    """What the violated keyword accepts."""
    text = _ACCEPTED.get(type(error.kind))
    return text(error.kind) if text else f"what its schema says of {error.kind.name}"


def _part(schema: Any, path: Sequence[str | int]) -> Mapping[str, Any]:
    """The part of a schema that a path leads to."""
    for step in path:
        schema = schema[step]
    return schema if isinstance(schema, Mapping) else {}


def _described(part: Any) -> str:
    return part.get("description", "") if isinstance(part, Mapping) else ""


def _place(path: Sequence[str | int]) -> str:
    """A path in a document, such as steps[2].url; empty for the whole."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")[: 2 * _SHOWN]


def _article(place: str) -> str:
    return f"a {place}" if place else "a value"


def _inside(place: str) -> str:
    return f"in {place} " if place else ""


def _value(place: str, value: Any) -> str:
    """The value at a place. A text is not shown, because it may be a secret."""
    if isinstance(value, str) and value:
        return f"{_article(place)} that does not fit"
    return f"the {place} {_shown(value)}" if place else f"the value {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, dict | list) and value:
        return "{...}" if isinstance(value, dict) else "[...]"
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
