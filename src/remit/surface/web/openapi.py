"""The OpenAPI 3.1 document of the API, from the operations themselves: it can't say what is not served."""

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any, Final

import msgspec

from remit.surface.web.api import PREFIX
from remit.surface.web.errors import MEDIA_TYPE, Problem
from remit.surface.web.operation import Blob, Live, Nothing, Operation
from remit.surface.web.paging import IDENT
from remit.surface.web.schemas.changes import ChangeLine
from remit.surface.web.seconds import NAMES as TAKES_TWO

_REF: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_REFUSALS: Final = {
    "400": "malformed, ambiguous or out of range",
    "401": "no live token, or no proof of its key",
    "403": "the caller may not do this",
    "404": "no such thing, or none that this caller may know of",
    "405": "another method is served here",
    "408": "the body did not arrive in time",
    "409": "the present state does not allow this",
    "410": "no longer there",
    "413": "too large",
    "414": "the address is too long",
    "415": "not plain `application/json`",
    "422": "the idempotency key was used for another request",
    "429": "too many requests",
    "431": "the headers are too large",
    "503": "something that is needed can't be reached",
}


def document(operations: Sequence[Operation[Any, Any]], *, issuer: str) -> dict[str, Any]:
    """The whole document. Every refusal of every operation is one `Problem`."""
    schemas, components = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in sorted(operations, key=lambda each: (each.path, each.method)):
        entry = _entry(operation, schemas)
        paths.setdefault(PREFIX + operation.path, {})[operation.method.lower()] = entry
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Remit",
            "version": version("remit"),
            "description": "Identity and access management for AI agents.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": issuer}],
        "security": [{"dpop": []}],
        "tags": [{"name": noun} for noun in sorted({each.noun for each in operations})],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {
                f"Refused{status}": {
                    "description": sentence,
                    "content": {MEDIA_TYPE: {"schema": schemas[Problem]}},
                }
                for status, sentence in _REFUSALS.items()
            },
            "securitySchemes": {
                "dpop": {
                    "type": "http",
                    "scheme": "DPoP",
                    "description": "access token (RFC 9068) for `<issuer>/api`, bound to a key (RFC 9449)",
                }
            },
        },
    }


def _schemas(operations: Iterable[Operation[Any, Any]]) -> tuple[dict[Any, Any], dict[str, Any]]:
    kinds: list[Any] = [Problem, ChangeLine]
    for operation in operations:
        for kind in (operation.body, operation.answer):
            if kind not in {Blob, Live, None, Nothing} and kind not in kinds:
                kinds.append(kind)
    found, components = msgspec.json.schema_components(kinds, schema_hook=_any_json, ref_template=_REF)
    return dict(zip(kinds, found, strict=True)), components


def _any_json(kind: type) -> dict[str, Any]:
    """A member whose form is another standard's: any JSON (an MCP schema, a JWK)."""
    if kind is not object:
        # msgspec's protocol of a `schema_hook`: "not mine", upon which it names the type that has no schema.
        raise NotImplementedError
    return {"description": "any JSON value"}


def _entry(operation: Operation[Any, Any], schemas: dict[Any, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs the scope {' or '.join(f'`{scope}`' for scope in operation.scopes)}.",
        "tags": [operation.noun],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation), *_headers(operation)],
        "responses": {str(operation.status): _success(operation, schemas), **_refusals()},
    }
    if operation.name in TAKES_TWO:
        waits = {"application/json": {"schema": schemas[ChangeLine]}}
        entry["responses"]["202"] = {"description": "waits for a second person", "content": waits}
    if operation.reads_body:
        entry["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[operation.body]}},
        }
    return entry


def _success(operation: Operation[Any, Any], schemas: dict[Any, Any]) -> dict[str, Any]:
    if operation.answer is None:
        return {"description": "done"}
    if operation.answer is Live:
        said = "server-sent events: `record` with a StreamEvent each, `end` with a code and where to resume"
        return {"description": said, "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    if operation.answer is Blob:
        schema = {"type": "string", "contentMediaType": "application/octet-stream"}
        return {"description": "a file", "content": {"application/octet-stream": {"schema": schema}}}
    return {"description": "done", "content": {"application/json": {"schema": schemas[operation.answer]}}}


def _refusals() -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/Refused{status}"} for status in _REFUSALS}


def _path_parameters(operation: Operation[Any, Any]) -> Iterable[dict[str, Any]]:
    for name in _PARAMETER.findall(operation.path):
        schema = {"type": "string", "pattern": IDENT}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(operation: Operation[Any, Any]) -> Iterable[dict[str, Any]]:
    if operation.query is Nothing:
        return
    (reference,), components = msgspec.json.schema_components([operation.query], ref_template=_REF)
    schema = components[reference["$ref"].rsplit("/", 1)[1]]
    required = set(schema.get("required", ()))
    for name, part in schema["properties"].items():
        resolved = components[part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part
        yield {"name": name, "in": "query", "required": name in required, "schema": resolved}


def _headers(operation: Operation[Any, Any]) -> Iterable[dict[str, Any]]:
    if operation.answer is Live:
        schema = {"type": "string", "maxLength": 512, "pattern": "^[a-z0-9_:,-]*$"}
        yield {"name": "Last-Event-ID", "in": "header", "required": False, "schema": schema}
    if operation.changes:
        schema = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"}
        yield {"name": "Idempotency-Key", "in": "header", "required": False, "schema": schema}
