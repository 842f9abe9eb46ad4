"""The payloads of a kind, checked by a JSON Schema (2020-12) that is compiled once."""

from collections.abc import Mapping
from typing import Any

import msgspec
from jsonschema_rs import Draft202012Validator, RegexOptions

from domain import uris
from infrastructure.catalogue.form import LARGE, built
from infrastructure.catalogue.sentences import sentence

# With no other keyword than these, a schema says nothing of members that it does not name.
_ABOUT_NAMED_MEMBERS = {
    *("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"),
    *("type", "properties", "required", "minProperties", "maxProperties", "propertyNames"),
    "dependentRequired",
}
_EMPTY: Mapping[bytes, tuple[str, Any]] = {b"[": ("array", []), b"{": ("object", {})}
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class PayloadSchema:
    """What the payloads of one kind must hold."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises jsonschema_rs.ValidationError if `schema` is no JSON Schema that can be used.

        Schemas elsewhere are not fetched, and patterns take time that is linear in the text.
        """
        self._schema = schema
        self._validator = Draft202012Validator(
            dict(schema),
            formats={"uri": lambda text: uris.uri(text) is None},
            validate_formats=True,
            ignore_unknown_formats=False,
            pattern_options=RegexOptions(),
            offline=True,
        )
        self._reads_named_members = schema.keys() <= _ABOUT_NAMED_MEMBERS

    def fits(self, payload: str) -> str | None:
        """What is wrong with a payload of the right form and what is accepted, or None."""
        document = self._document(payload)
        if self._validator.is_valid(document):
            return None
        return sentence(next(self._validator.iter_errors(document)), self._schema)

    def _document(self, payload: str) -> Any:
        """The payload as the schema needs it: of a large one, only what the schema looks at."""
        if len(payload) < LARGE or not self._reads_named_members:
            return built(payload)
        named = self._schema.get("properties", {})
        return {
            name: _needed(member, named[name]) if name in named else None
            for name, member in _members.decode(payload).items()
        }


def _needed(member: msgspec.Raw, schema: Any) -> Any:
    """A member's value; an empty one in place of an array or object that the schema refuses."""
    kind, empty = _EMPTY.get(bytes(member)[:1], ("", None))
    accepted = schema.get("type") if isinstance(schema, Mapping) else None
    if kind and accepted and kind not in (accepted if isinstance(accepted, list) else [accepted]):
        return empty
    return built(member)
