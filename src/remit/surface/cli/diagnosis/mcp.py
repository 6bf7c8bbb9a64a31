"""`remit doctor mcp URL`: the way of an MCP client to its token, step by step (RFC 9728, 8414, 7591)."""

import json
from collections.abc import Iterator
from typing import Any, Final

from remit.kernel.errors import RemitError
from remit.surface.cli.diagnosis import issuer
from remit.surface.cli.diagnosis.finding import Finding, either, ill, well
from remit.surface.cli.diagnosis.reach import Heard, ask, document, is_protected, well_known

_UNAUTHORIZED: Final = 401
_PROBE: Final = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "server/discover",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
}
_HEADERS: Final = {
    "content-type": "application/json",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "server/discover",
}


def steps(url: str) -> Iterator[Finding]:
    """Stops at the first step without which the next can't be asked."""
    try:
        heard = ask(url, method="POST", body=json.dumps(_PROBE).encode(), headers=_HEADERS)
        yield _challenged(heard)
        resource = document(_metadata_of(heard, url))
    except RemitError as failed:
        yield ill("resource metadata", failed.hint, failed.next_step or "serve RFC 9728 metadata")
        return
    same = resource.get("resource") == url
    yield either(
        "resource metadata",
        ok=same,
        well="RFC 9728, resource matches the URL",
        ill=f"resource is `{resource.get('resource')}`, the URL is `{url}`",
        fix=f"set `resource: {url}` on the server, then run this again",
    )
    issuers = issuer.texts(resource.get("authorization_servers"))
    if not issuers:
        yield ill("issuer metadata", "no `authorization_servers`", "name the issuer in the resource metadata")
    for each in issuers:
        yield from _issuer(each, resource)


def _challenged(heard: Heard) -> Finding:
    """RFC 9728 §5.1: who comes without a token is told where to learn more."""
    challenge = heard.headers.get("www-authenticate", "")
    return either(
        "challenge",
        ok=heard.status == _UNAUTHORIZED and 'resource_metadata="' in challenge,
        well="401 points to the metadata",
        ill=f"answers {heard.status}"
        if heard.status != _UNAUTHORIZED
        else "401 without `resource_metadata` in `WWW-Authenticate`",
        fix='answer 401 with `WWW-Authenticate: Bearer resource_metadata="…"`',
    )


def _metadata_of(heard: Heard, url: str) -> str:
    """Where the challenge points, or the well-known place."""
    challenge = heard.headers.get("www-authenticate", "")
    _, found, rest = challenge.partition('resource_metadata="')
    return rest.partition('"')[0] if found else well_known("oauth-protected-resource", url)


def _issuer(name: str, resource: dict[str, Any]) -> Iterator[Finding]:
    if not is_protected(name):
        yield ill("issuer metadata", f"`{name}` is not https", "serve the issuer over TLS")
        return
    try:
        metadata = document(well_known("oauth-authorization-server", name))
    except RemitError as failed:
        yield ill("issuer metadata", failed.hint, failed.next_step or "serve RFC 8414 metadata")
        return
    yield well("issuer metadata", "RFC 8414")
    yield issuer.same_issuer(metadata, name)
    yield _registration(metadata)
    if "authorization_code" in _grants(metadata):
        yield from issuer.authorize(metadata)
    else:
        yield well("authorize", f"no code flow; agents come by {', '.join(_grants(metadata))}")
    yield issuer.client_authentication(metadata)
    yield _proof(metadata, resource)
    yield issuer.keys(metadata)


def _grants(metadata: dict[str, Any]) -> list[str]:
    """RFC 8414 §2: without the member, code and implicit are meant."""
    named = issuer.texts(metadata.get("grant_types_supported")) or ["authorization_code"]
    return [grant.rpartition(":")[2] for grant in named]


def _registration(metadata: dict[str, Any]) -> Finding:
    """How a client that nobody knows gets in; none is no fault, but then somebody must register it."""
    ways = []
    if metadata.get("client_id_metadata_document_supported") is True:
        ways.append("client ID metadata document")
    if isinstance(metadata.get("registration_endpoint"), str):
        ways.append("dynamic registration")
    return well("registration", ", ".join(ways) or "by an administrator only")


def _proof(metadata: dict[str, Any], resource: dict[str, Any]) -> Finding:
    """RFC 9449 §5.1, RFC 9728 §2: a resource that demands proofs needs an issuer that binds tokens."""
    wanted = resource.get("dpop_bound_access_tokens_required") is True
    offered = issuer.texts(metadata.get("dpop_signing_alg_values_supported"))
    accepted = issuer.texts(resource.get("dpop_signing_alg_values_supported")) or offered
    common = [name for name in offered if name in accepted]
    return either(
        "proof",
        ok=bool(common) or not wanted,
        well=f"DPoP, {', '.join(common)}" if common else "bearer tokens",
        ill="the resource demands DPoP, and the issuer binds no token by an algorithm that it takes",
        fix="name the same algorithms in `dpop_signing_alg_values_supported` of both",
    )
