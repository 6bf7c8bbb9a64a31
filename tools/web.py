"""The page and the document of the HTTP API, from the operations themselves; no server is started."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import SimpleNamespace
from typing import Any, Final, cast

from starlette.routing import Route
from tools.markdown import page, table

from remit.surface.web.api import PREFIX
from remit.surface.web.api_v1 import Nouns
from remit.surface.web.openapi import document
from remit.surface.web.operation import Operation
from remit.surface.web.routes.meta import MetaRoutes
from remit.surface.web.routes.oauth import OAuthRoutes

_ISSUER: Final = "https://remit.example.com"
_INTRO: Final = """One port serves all of it. Requests below `/api/v1` bear
`Authorization: DPoP <access token>` for the audience
`<issuer>/api` and a `DPoP` proof (RFC 9449); any one of the scopes that stand beside an operation
suffices. Bodies and answers are plain `application/json`; unknown members are refused. Every refusal is an
`application/problem+json` (RFC 9457) with `code`, `title`, `detail` and `next`. Changes take an
`Idempotency-Key` header; the same key with the same request gets the first answer again. Lists are pages:
`limit`, `cursor`, and `next` in the answer.

The whole as OpenAPI 3.1: [openapi.json](openapi.json); an installation serves its own at `/openapi.json`."""
_OTHERS: Final = """Outside `/api/v1`: the authorization server, what monitors ask, and two more doors:
`/mcp/<server>`, the gateway (Streamable HTTP), and `/approve/<link>`, the page of a person who was asked."""


class _Unbuilt:
    """Stands where a service would: a description may name its methods, and nothing may call them."""

    def __getattr__(self, name: str) -> "_Unbuilt":
        return self


def operations() -> list[Operation[Any, Any]]:
    """Every operation. Its description needs no service, so none is built."""
    nouns = {}
    for noun in fields(Nouns):
        routes = cast("type[Any]", noun.type)
        nouns[noun.name] = routes(**{part.name: _Unbuilt() for part in fields(routes)})
    return Nouns(**nouns).operations()


def openapi_text() -> str:
    """The OpenAPI document, as `/openapi.json` of an installation at an example address."""
    return json.dumps(document(operations(), issuer=_ISSUER), indent=1, ensure_ascii=False) + "\n"


def http_page() -> str:
    """Operations by noun, then the members of every body and answer."""
    found = operations()
    described = document(found, issuer=_ISSUER)
    nouns = sorted({each.noun for each in found})
    parts = [_noun(noun, [each for each in found if each.noun == noun], described) for noun in nouns]
    schemas = described["components"]["schemas"]
    bodies = [_schema(name, schemas[name]) for name in sorted(schemas)]
    return page(
        "HTTP API",
        _INTRO,
        *parts,
        f"## Other addresses\n\n{_OTHERS}",
        _others(),
        "## Bodies and answers\n\nMembers marked * are required.",
        *bodies,
    )


def _noun(noun: str, found: Sequence[Operation[Any, Any]], described: Mapping[str, Any]) -> str:
    rows = []
    for each in sorted(found, key=lambda one: (one.path, one.method)):
        entry = described["paths"][PREFIX + each.path][each.method.lower()]
        rows.append(
            (
                f"`{each.method} {PREFIX}{each.path}`",
                each.summary,
                " ".join(f"`{scope}`" for scope in each.scopes),
                _body(entry),
                _answer(entry, each.status),
            )
        )
    return f"## {noun}\n\n" + table(("request", "what", "scope", "body or query", "answer"), rows)


def _body(entry: Mapping[str, Any]) -> str:
    if "requestBody" in entry:
        return _type(entry["requestBody"]["content"]["application/json"]["schema"])
    query = [f"`{each['name']}`" for each in entry["parameters"] if each["in"] == "query"]
    return f"query: {', '.join(query)}" if query else ""


def _answer(entry: Mapping[str, Any], status: int) -> str:
    for media, content in entry["responses"][str(status)].get("content", {}).items():
        return _type(content["schema"]) if media == "application/json" else f"a file (`{media}`)"
    return f"{status}, empty"


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    head = f"### {_plain(name)}\n\n{' '.join(schema.get('description', '').split())}\n\n"
    if "properties" not in schema:
        return head + _type(schema)
    rows = [
        (f"`{key}`{' *' if key in required else ''}", _type(part), part.get("description", ""))
        for key, part in schema["properties"].items()
    ]
    return head + (table(("member", "type", "what"), rows) if rows else "No members.\n")


def _type(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"$ref": reference}:
            name = _plain(str(reference).rsplit("/", 1)[1])
            text = f"[{name}](#{name.lower().replace(' ', '-')})"
        case {"anyOf": choices}:
            text = " or ".join(_type(each) for each in choices)
        case {"enum": members}:
            text = ", ".join(f"`{each}`" for each in members)
        case {"prefixItems": parts}:
            text = f"[{', '.join(_type(each) for each in parts)}]"
        case {"type": "array"}:
            text = f"list of {_type(schema.get('items', {}))}"
        case {"additionalProperties": dict() as part}:
            text = f"object of {_type(part)}"
        case _:
            form = schema.get("format") or schema.get("contentEncoding")
            text = str(schema.get("type", "any")) + (f" ({form})" if form else "")
    return text


def _plain(name: str) -> str:
    return name.replace("_", " ").strip()


def _others() -> str:
    oauth = OAuthRoutes(cast("Any", SimpleNamespace(options=SimpleNamespace(issuer=_ISSUER))))
    meta = MetaRoutes(probes=(), metrics=cast("Any", None), document={}, clock=cast("Any", None))
    rows = [
        (f"`{min(set(route.methods or ()) - {'HEAD'})} {route.path}`", _WHAT[route.path])
        for route in cast("list[Route]", [*oauth.routes(), *meta.routes()])
    ]
    return table(("request", "what"), rows)


_WHAT: Final = {
    "/token": "client credentials (RFC 6749 §4.4) and token exchange (RFC 8693)",
    "/introspect": "is a token alive (RFC 7662)",
    "/revoke": "end a token, with all that was exchanged from it (RFC 7009)",
    "/jwks": "keys with which tokens are signed (RFC 7517)",
    "/.well-known/oauth-authorization-server": "metadata of the authorization server (RFC 8414)",
    "/.well-known/oauth-protected-resource/api": "metadata of the API as a resource (RFC 9728)",
    "/.well-known/oauth-protected-resource/mcp/{server}": "metadata of one MCP server (RFC 9728)",
    "/healthz": "the process lives",
    "/readyz": "200 once every probe holds, 503 until then, with each probe's word",
    "/metrics": "figures for Prometheus",
    "/openapi.json": "this API as OpenAPI 3.1",
    "/errors/{code}": "what one error code means",
}
