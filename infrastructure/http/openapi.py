"""The methods over HTTP as an OpenAPI 3.1 document, made from the contract and its comments."""

from collections.abc import Collection, Sequence
from typing import Any

from google.protobuf.descriptor import (
    Descriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)

from infrastructure.comments import Comments

Schema = dict[str, Any]

_KNOWN: dict[str, Schema] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "examples": ["1.5s"]},
    "google.protobuf.Value": {},
}
_INT64 = {"type": ["string", "integer"], "format": "int64"}
_SCALARS: dict[int, Schema] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "format": "byte"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_INT64: _INT64,
}
_ERROR: Schema = {
    "type": "object",
    "required": ["code"],
    "properties": {
        "code": {"type": "string", "examples": ["invalid_argument"]},
        "message": {"type": "string"},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"type": {"type": "string"}, "value": {"type": "string"}},
            },
        },
    },
}


def document(
    services: Sequence[ServiceDescriptor], paths: Collection[str], comments: Comments
) -> Schema:
    """The document of the methods at these paths, `/package.Service/Method`."""
    methods = [
        method for service in services for method in service.methods if _path(method) in paths
    ]
    schemas = _Schemas(comments)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Workflows Service",
            "version": "1",
            "description": "Every method of gRPC, by Connect's unary protocol: JSON in and out.",
        },
        "paths": {
            _path(method): {"post": _operation(method, schemas, comments)} for method in methods
        },
        "components": {
            "schemas": {**schemas.found, "connect.error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _operation(method: MethodDescriptor, schemas: "_Schemas", comments: Comments) -> Schema:
    return {
        "operationId": method.full_name,
        "tags": [method.containing_service.full_name],
        "summary": comments.of(method.full_name),
        "requestBody": {"required": True, "content": _json(schemas.of(method.input_type))},
        "responses": {
            "200": {"description": "OK", "content": _json(schemas.of(method.output_type))},
            "default": {
                "description": "A refusal, with Connect's code and google.rpc details.",
                "content": _json({"$ref": "#/components/schemas/connect.error"}),
            },
        },
    }


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


class _Schemas:
    """The schemas of the messages that were asked for, and of those within them."""

    def __init__(self, comments: Comments) -> None:
        self._comments = comments
        self.found: dict[str, Schema] = {}

    def of(self, message: Descriptor) -> Schema:
        """The schema of a message: a reference, unless its JSON form is one of protobuf's own."""
        name = message.full_name
        if name in _KNOWN:
            return _KNOWN[name]
        if name not in self.found:
            self.found[name] = {}  # A message may hold others of its own kind.
            self.found[name] = {
                "type": "object",
                "description": self._comments.of(name),
                "properties": {
                    field.json_name: self._field(name, field) for field in message.fields
                },
            }
        return {"$ref": f"#/components/schemas/{name}"}

    def _field(self, owner: str, field: FieldDescriptor) -> Schema:
        one = self._one(field)
        schema = {"type": "array", "items": one} if field.is_repeated else dict(one)
        comment = self._comments.of(f"{owner}.{field.name}")
        return {**schema, "description": comment} if comment else schema

    def _one(self, field: FieldDescriptor) -> Schema:
        if field.message_type is not None:
            return self.of(field.message_type)
        if field.enum_type is not None:
            return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
        return _SCALARS[field.type]
