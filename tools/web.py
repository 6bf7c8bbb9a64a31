"""The page and the document of the HTTP API, from the operations themselves; no server is started."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, cast

from starlette.routing import Route
from tools.markdown import page, table

from remit.surface.web.api import PREFIX
from remit.surface.web.api_v1 import Nouns
from remit.surface.web.openapi import document
from remit.surface.web.operation import Operation
from remit.surface.web.pages_assembly import pages
from remit.surface.web.routes.meta import MetaRoutes
from remit.surface.web.routes.oauth import OAuthRoutes
from remit.surface.web.routes.register import RegisterRoutes
from remit.surface.web.routes.spiffe import SpiffeRoutes
from remit.surface.web.routes.upstream import UpstreamRoutes

_ISSUER: Final = "https://remit.example.com"
_INTRO: Final = """One port serves all of it. Requests below `/api/v1` bear
`Authorization: DPoP <access token>` for the audience
`<issuer>/api` and a `DPoP` proof (RFC 9449); any one of the scopes that stand beside an operation
suffices. Bodies and answers are plain `application/json`; unknown members are refused. Every refusal is an
`application/problem+json` (RFC 9457) with `code`, `title`, `detail` and `next`. Changes take an
`Idempotency-Key` header; the same key with the same request gets the first answer again. Lists are pages:
`limit`, `cursor`, and `next` in the answer.

The whole as OpenAPI 3.1: [openapi.json](openapi.json); an installation serves its own at `/openapi.json`."""
_OTHERS: Final = """Outside `/api/v1`: the authorization server, the pages of people, what monitors ask, and
one more door: `/mcp/<server>`, the gateway (Streamable HTTP)."""


class _Unbuilt:
    """Stands where a service would: a description may name its methods, and nothing may call them."""

    def __getattr__(self, name: str) -> Any:
        return _ISSUER if name == "issuer" else self

    def __call__(self, *_: Any, **__: Any) -> "_Unbuilt":
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
    whole = cast("Any", _Unbuilt())
    meta = MetaRoutes(probes=(), metrics=whole, document=dict, clock=whole)
    served = [
        *OAuthRoutes(whole).routes(),
        *RegisterRoutes(whole).routes(),
        *SpiffeRoutes(svids=whole).routes(),
        *UpstreamRoutes(**{part.name: whole for part in fields(UpstreamRoutes)}).routes(),
        *pages(whole),
        *meta.routes(),
    ]
    found = [each for each in served if isinstance(each, Route)]
    rows = [
        (f"`{method} {each.path}`", _WHAT[f"{method} {each.path}"])
        for each in found
        for method in sorted(set(each.methods or ()) - {"HEAD"})
    ]
    return table(("request", "what"), rows)


_WHAT: Final = {
    "GET /": "the way to the console",
    "GET /console": "the console: pages of operators and approvers, where it was built",
    "GET /console/assets/{name}": "a part of the console, named by its digest",
    "GET /console/{screen:path}": "any screen of the console, by its own address",
    "GET /me/channels": "how the signed-in person is reached, and the browsers that notify them",
    "POST /me/channels/devices": "let this browser be notified (RFC 8030 §4)",
    "POST /me/channels/devices/{ident}/remove": "notify it no more",
    "GET /me/messages": "what the signed-in person was told",
    "GET /me/messages/{ident}": "on to what a message is about; confirms that it arrived, answers nothing",
    "GET /me/push-worker.js": "the script that shows messages while no page is open",
    "POST /me/received": "a browser says that it shows a message",
    "POST /channels/{channel}/slack": "buttons that were pressed on a card, signed by Slack",
    "POST /token": "every grant that the metadata names (RFC 6749 §3.2)",
    "GET /me/changes": "page: administration that waits for a second person",
    "GET /me/changes/{ident}": "page: one change, exactly as it will be done",
    "POST /me/changes/{ident}": "confirm or refuse it, with the second person's passkey",
    "POST /introspect": "is a token alive (RFC 7662), signed where asked for (RFC 9701)",
    "POST /revoke": "end a token, with all that was exchanged from it (RFC 7009)",
    "POST /par": "push an authorization request behind the scenes (RFC 9126)",
    "GET /jwks": "keys with which tokens are signed (RFC 7517)",
    "GET /.well-known/oauth-authorization-server": "metadata of the authorization server (RFC 8414)",
    "GET /.well-known/openid-configuration": "the same document (OpenID Connect Discovery)",
    "GET /userinfo": "who the person is that an application has a token of (OpenID Connect Core §5.3)",
    "POST /userinfo": "the same",
    "GET /.well-known/oauth-protected-resource/userinfo": "metadata of that endpoint (RFC 9728)",
    "GET /.well-known/oauth-protected-resource/api": "metadata of the API as a resource (RFC 9728)",
    "GET /.well-known/oauth-protected-resource/mcp/{server}": "metadata of one MCP server (RFC 9728)",
    "GET /.well-known/authzen-configuration": "where decisions and searches are asked for (AuthZEN 1.0 §9)",
    "POST /access/v1/evaluation": "one decision for an enforcement point (AuthZEN 1.0 §6)",
    "POST /access/v1/unasked": "what was let through while nobody could be asked, on record afterwards",
    "POST /access/v1/evaluations": "several at once, in three ways (AuthZEN 1.0 §7)",
    "POST /access/v1/search/subject": "who may (AuthZEN 1.0 §8.4)",
    "POST /access/v1/search/resource": "with what (AuthZEN 1.0 §8.5)",
    "POST /access/v1/search/action": "what (AuthZEN 1.0 §8.6)",
    "POST /fga/stores": "make a store of relations (OpenFGA)",
    "GET /fga/stores": "list stores (OpenFGA)",
    "GET /fga/stores/{store}": "one store (OpenFGA)",
    "DELETE /fga/stores/{store}": "remove a store that decisions do not look into (OpenFGA)",
    "POST /fga/stores/{store}/authorization-models": "write a model (OpenFGA)",
    "GET /fga/stores/{store}/authorization-models": "list models, newest first (OpenFGA)",
    "GET /fga/stores/{store}/authorization-models/{model}": "one model (OpenFGA)",
    "POST /fga/stores/{store}/write": "write and delete tuples together (OpenFGA)",
    "POST /fga/stores/{store}/read": "read tuples as they are stored (OpenFGA)",
    "GET /fga/stores/{store}/changes": "changes of tuples in their order (OpenFGA)",
    "POST /fga/stores/{store}/check": "is the user related to the object (OpenFGA)",
    "POST /fga/stores/{store}/batch-check": "several such questions (OpenFGA)",
    "POST /fga/stores/{store}/expand": "take a relation apart (OpenFGA)",
    "POST /fga/stores/{store}/list-objects": "to what is the user related (OpenFGA)",
    "POST /fga/stores/{store}/streamed-list-objects": "the same, line by line (OpenFGA)",
    "POST /fga/stores/{store}/list-users": "who is related to the object (OpenFGA)",
    "POST /register": "register a client, where that is on (RFC 7591)",
    "GET /register/{client}": "what is registered, for the holder of its token (RFC 7592)",
    "PUT /register/{client}": "change it (RFC 7592)",
    "DELETE /register/{client}": "end it (RFC 7592)",
    "GET /status/{name}": "states of tokens as a signed list, where that is on (Token Status List, draft)",
    "GET /spiffe/bundle": "keys of this trust domain (SPIFFE)",
    "GET /authorize": "begin an authorization request (RFC 6749 §4.1.1)",
    "GET /authorize/{handle}": "what a client asks of the person who is signed in",
    "POST /authorize/{handle}": "the person's answer; back to the client",
    "POST /device_authorization": "a device without a browser asks, where that is on (RFC 8628)",
    "POST /bc-authorize": "an agent asks a person behind the scenes (CIBA Core)",
    "GET /me/inbox": "what waits for whoever is signed in: alike asks on one card, the odd one beside it",
    "GET /me/inbox/together": "one card, every item of it whole; nothing is answered by opening it",
    "POST /me/inbox/together": "one answer to the whole card, by a passkey; each item is settled by itself",
    "GET /me/asks": "what agents wait for, of whoever is signed in",
    "GET /me/asks/{ident}": "what one agent asks behind the scenes",
    "POST /me/asks/{ident}": "the person's answer, which the agent fetches",
    "GET /device": "where the code of a device is typed",
    "POST /device": "on to what the device asks",
    "GET /device/{handle}": "what a device asks of the person who typed its code",
    "POST /device/{handle}": "the person's answer, which the device fetches",
    "GET /approvals/{ident}": "to the page of an ask, for whoever may answer it",
    "GET /approve/{link}": "an ask, behind a signed link",
    "POST /approve/{link}": "its answer",
    "GET /sign-in": "sign in with a passkey",
    "POST /sign-in": "what the authenticator said",
    "GET /sign-in/with/{name}": "on to a provider that people may come from",
    "GET /sign-in/with/{name}/callback": "back from it, into the browser that left for it",
    "POST /sign-in/with/{name}/logout": "the provider signed somebody out (OpenID Back-Channel Logout)",
    "POST /sign-in/with/{name}/saml": "what a SAML provider says, where that is on (SAML Bindings §3.5)",
    "GET /sign-in/with/{name}/saml": "its one step on our own site, in the browser that asked",
    "GET /sign-in/with/{name}/slo": "a SAML provider signs somebody out, or says it did (SAML Bindings §3.4)",
    "POST /sign-in/with/{name}/slo": "the same by a form (SAML Bindings §3.5)",
    "GET /sign-in/with/{name}/metadata": "our metadata for a SAML provider (SAML Metadata §2.4.4)",
    "GET /sign-out": "ask before signing out",
    "POST /sign-out": "sign out",
    "GET /me": "to one's own pages",
    "GET /enrol": "register a passkey by an administrator's link",
    "POST /enrol": "for whom the link is; what the authenticator said",
    "GET /me/passkeys": "one's passkeys",
    "POST /me/passkeys": "add one",
    "POST /me/passkeys/{ident}/remove": "remove one",
    "GET /me/sessions": "where one is signed in",
    "POST /me/sessions/end-others": "end every other session",
    "POST /me/sessions/{ident}/end": "end one session",
    "GET /me/sign-ins": "accounts elsewhere that sign one in here",
    "POST /me/sign-ins/link": "link the account that a provider vouched for",
    "POST /me/sign-ins/{ident}/end": "unlink one",
    "GET /me/grants": "what agents may do in one's name",
    "POST /me/grants/{ident}/withdraw": "withdraw a grant, with every task that stands on it",
    "POST /me/grants/applications/{ident}/withdraw": "sign in to an application no longer without a question",
    "GET /end_session": "sign out at the wish of an application (RP-Initiated Logout)",
    "POST /end_session": "the same, by a form",
    "POST /end_session/confirm": "the person's answer to it",
    "GET /me/connections": "accounts elsewhere that agents use in one's name",
    "POST /me/connections/{ident}/disconnect": "end a connection, at the provider too (RFC 7009)",
    "GET /connect/{provider}": "what connecting means, before anybody leaves",
    "POST /connect/{provider}": "on to the provider",
    "GET /connect/{provider}/callback": "back from the provider, into the session that began it",
    "GET /healthz": "the process lives",
    "GET /readyz": "200 once every probe holds, 503 until then, with each probe's word",
    "GET /metrics": "figures for Prometheus",
    "GET /openapi.json": "this API as OpenAPI 3.1",
    "GET /errors/{code}": "what one error code means",
}
