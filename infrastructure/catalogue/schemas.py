"""The payloads of a kind, checked by a JSON Schema (2020-12) that is compiled once."""

from collections.abc import Mapping
from typing import Any

import msgspec
from jsonschema_rs import Draft202012Validator, RegexOptions

from domain import uris
from infrastructure.catalogue.form import LARGE, NOT_BUILT, built, examined
from infrastructure.catalogue.sentences import sentence

# If a schema has only these keywords, it does not constrain members that it does not name.
_ABOUT_NAMED_MEMBERS = {
    *("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"),
    *("type", "properties", "required"),
}
_ABSENT = msgspec.Raw()
_EMPTY: Mapping[bytes, tuple[str, Any]] = {b"[": ("array", []), b"{": ("object", {})}


class PayloadSchema:
    """What the payloads of one kind must hold."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises jsonschema_rs.ValidationError if `schema` is no JSON Schema that can be used.

        References to other documents are not fetched. Patterns take linear time.
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
        self._members = _members(schema) if schema.keys() <= _ABOUT_NAMED_MEMBERS else None

    def check(self, payload: str) -> str | None:
        """What is wrong with a payload and what is accepted; None if it is right."""
        complaint, document = examined(payload)
        if complaint is not None:
            return complaint
        return self._violation(self._document(payload) if document is NOT_BUILT else document)

    def fits(self, payload: str) -> str | None:
        """As `check`, for a payload whose form is known to be right."""
        return self._violation(self._document(payload))

    def _violation(self, document: Any) -> str | None:
        if self._validator.is_valid(document):
            return None
        return sentence(next(self._validator.iter_errors(document)), self._schema)

    def _document(self, payload: str) -> Any:
        """The payload for the schema: of a large one, only the members that the schema reads."""
        if self._members is None or len(payload) < LARGE:
            return built(payload)
        found = msgspec.structs.asdict(self._members.decode(payload))
        named = self._schema.get("properties", {})
        return {
            name: _needed(member, named.get(name))
            for name, member in zip(_names(self._schema), found.values(), strict=True)
            if member != _ABSENT
        }


def _names(schema: Mapping[str, Any]) -> list[str]:
    """The members that a schema names."""
    return list(dict.fromkeys([*schema.get("properties", {}), *schema.get("required", [])]))


def _members(schema: Mapping[str, Any]) -> msgspec.json.Decoder[msgspec.Struct]:
    """Reads the members that a schema names, and steps over all others."""
    names = {f"member_{index}": name for index, name in enumerate(_names(schema))}
    fields = [(field, msgspec.Raw, _ABSENT) for field in names]
    return msgspec.json.Decoder(msgspec.defstruct("Members", fields, rename=names))


def _needed(member: msgspec.Raw, schema: Any) -> Any:
    """A member's value. If the schema refuses an array or object, an empty one takes its place."""
    kind, empty = _EMPTY.get(bytes(member)[:1], ("", None))
    accepted = schema.get("type") if isinstance(schema, Mapping) else None
    if kind and accepted and kind not in (accepted if isinstance(accepted, list) else [accepted]):
        return empty
    return built(member)
