"""Loads a catalogue from a TOML file, or the default one; explains what is wrong with a file."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft202012Validator, ValidationError

from domain.catalogue import Catalogue, Kind
from infrastructure.catalogue.form import form
from infrastructure.catalogue.lines import line_of
from infrastructure.catalogue.schemas import PayloadSchema
from infrastructure.catalogue.sentences import sentence

_LABEL = {
    "description": "1 to 32 letters, digits, dots, hyphens or underscores",
    "type": "string",
    "pattern": "^[A-Za-z0-9._-]{1,32}$",
}
_KIND = {
    "description": "a table with payload (a JSON Schema), and log_retention if it is false",
    "type": "object",
    "required": ["payload"],
    "additionalProperties": False,
    "properties": {
        "payload": {"description": "a table that is a JSON Schema", "type": "object"},
        "log_retention": {"description": "true or false", "type": "boolean"},
    },
}
_FILE = {
    "type": "object",
    "required": ["build_statuses", "kinds"],
    "additionalProperties": False,
    "properties": {
        "build_statuses": {
            "description": "an array of build statuses in their order, none of them twice",
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": _LABEL,
        },
        "kinds": {
            "description": "a table of each kind, such as [kinds.http]",
            "type": "object",
            "minProperties": 1,
            "propertyNames": _LABEL,
            "additionalProperties": _KIND,
        },
    },
}
_RIGHT = {
    "type": "string, number, integer, boolean, array, object or null is accepted",
    "format": "uri and the formats of draft 2020-12 are accepted",
    "pattern": "a regular expression without look-around and back references is accepted",
}


class CatalogueRefused(Exception):
    """A file is no catalogue; the message has the line, what is wrong, and what is accepted."""

    def __init__(self, source: str, line: int | None, complaint: str) -> None:
        place = source if line is None else f"{source}, line {line}"
        super().__init__(f"{place}: the catalogue {complaint}.")


Source = tuple[str, str]
"""TOML text, and the name of the file that it comes from."""


def load(path: Path | None) -> Catalogue:
    """The catalogue in a file; the one of this package if there is no path.

    Raises CatalogueRefused.
    """
    return parse(*read(path))


def read(path: Path | None) -> Source:
    """The text of a catalogue in a file, or of the one of this package. Raises CatalogueRefused."""
    if path is None:
        name = "default.toml"
        return resources.files("infrastructure.catalogue").joinpath(name).read_text("utf-8"), name
    try:
        return path.read_text("utf-8"), str(path)
    except OSError as unreadable:
        complaint = f"cannot be read ({unreadable.strerror}); the path of a TOML file is accepted"
        raise CatalogueRefused(str(path), None, complaint) from unreadable
    except UnicodeDecodeError as unreadable:
        raise CatalogueRefused(str(path), None, "is no UTF-8; TOML is accepted") from unreadable


def parse(text: str, source: str) -> Catalogue:
    """The catalogue in TOML text from a file of the name `source`. Raises CatalogueRefused."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        what, _, place = str(broken).partition(" (at ")
        found = re.match(r"line (\d+)", place)
        line = int(found[1]) if found else len(text.splitlines())
        complaint = f"is no TOML ({what}); build_statuses and kinds in TOML are accepted"
        raise CatalogueRefused(source, line, complaint) from broken
    shape = Draft202012Validator(_FILE)
    for error in shape.iter_errors(tables):
        raise CatalogueRefused(
            source, line_of(text, error.instance_path), sentence(error, _FILE)
        ) from None
    kinds = {}
    for name, table in tables["kinds"].items():
        schema = _schema(table["payload"], ["kinds", name, "payload"], text, source)
        kinds[name] = Kind(schema.check, schema.fits, table.get("log_retention", True))
    return Catalogue(kinds, tuple(tables["build_statuses"]), form)


def _schema(
    schema: Mapping[str, Any], place: Sequence[str], text: str, source: str
) -> PayloadSchema:
    try:
        return PayloadSchema(schema)
    except ValidationError as refused:
        line = line_of(text, [*place, *refused.instance_path])
        complaint = f"has a payload of kind {place[1]} that is no JSON Schema: {_reason(refused)}"
        raise CatalogueRefused(source, line, complaint) from refused


def _reason(refused: ValidationError) -> str:
    """What is wrong in a schema; for keywords that are often used wrongly, also what is right."""
    first, _, _ = refused.message.partition("\n")
    place = ".".join(map(str, refused.instance_path))
    keyword = str(refused.instance_path[-1]) if refused.instance_path else ""
    hint = _RIGHT.get(keyword, "see json-schema.org, draft 2020-12")
    return f"{place}: {first}; {hint}" if place else f"{first}; {hint}"
