"""`remit doctor mcp` and `idp`: a healthy peer passes, each planted fault is named with its fix."""

import copy
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from remit.surface.cli.diagnosis import idp, mcp
from remit.surface.cli.diagnosis.finding import Finding

Documents = dict[str, Any]
Plant = Callable[[Documents], Any]
KEY = {"kty": "EC", "crv": "P-256", "kid": "k1", "x": "AA", "y": "AA", "use": "sig"}


class Peer:
    """A resource, its issuer and an identity provider on one port; tests plant faults in the documents."""

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        self.resource = f"{self.base}/mcp/tools"
        self.issuer = f"{self.base}/t/acme"
        self.documents: Documents = self._healthy()
        self.asked: list[str] = []

    def _healthy(self) -> Documents:
        metadata = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "jwks_uri": f"{self.base}/jwks",
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
            "client_id_metadata_document_supported": True,
            "dpop_signing_alg_values_supported": ["ES256"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "scopes_supported": ["openid"],
        }
        resource = {
            "resource": self.resource,
            "authorization_servers": [self.issuer],
            "dpop_bound_access_tokens_required": True,
            "dpop_signing_alg_values_supported": ["ES256", "Ed25519"],
        }
        return {
            "challenge": f'Bearer resource_metadata="{self.base}/meta"',
            "status": 401,
            "/meta": resource,
            "/.well-known/oauth-protected-resource/mcp/tools": resource,
            "/.well-known/oauth-authorization-server/t/acme": metadata,
            "/t/acme/.well-known/openid-configuration": copy.deepcopy(metadata),
            "/jwks": {"keys": [KEY]},
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                peer.asked.append(self.path)
                found = peer.documents.get(self.path)
                self._send(404 if found is None else 200, json.dumps(found).encode())

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self._send(peer.documents["status"], b"", peer.documents["challenge"])

            def _send(self, status: int, body: bytes, challenge: str = "") -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                if challenge:
                    self.send_header("www-authenticate", challenge)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Be quiet."""

        return Handler

    @property
    def metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = self.documents["/.well-known/oauth-authorization-server/t/acme"]
        return found


@pytest.fixture
def peer() -> Iterator[Peer]:
    found = Peer()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def failing(findings: Iterator[Finding]) -> list[str]:
    found = list(findings)
    assert all(bool(each.fix) != each.ok for each in found)
    return [each.step for each in found if not each.ok]


@pytest.mark.req("N35")
def test_a_healthy_server_has_no_fault(peer: Peer) -> None:
    assert failing(mcp.steps(peer.resource)) == []
    assert failing(idp.steps(peer.issuer, at=datetime.now(UTC))) == []


def put(place: str, member: str, value: Any) -> Plant:
    return lambda documents: documents[place].__setitem__(member, value)


def drop(place: str, *members: str) -> Plant:
    return lambda documents: [documents[place].pop(member) for member in members]


META, ISSUER, OIDC = (
    "/meta",
    "/.well-known/oauth-authorization-server/t/acme",
    "/t/acme/.well-known/openid-configuration",
)


@pytest.mark.req("N35")
@pytest.mark.parametrize(
    ("plant", "step"),
    [
        (lambda documents: documents.update(status=200), "challenge"),
        (lambda documents: documents.update(challenge="Bearer"), "challenge"),
        (lambda documents: documents.pop(META), "resource metadata"),
        (lambda documents: documents.update({META: ["no object"]}), "resource metadata"),
        (
            lambda documents: documents[META].update(resource=documents[META]["resource"] + "/"),
            "resource metadata",
        ),
        (put(META, "authorization_servers", []), "issuer metadata"),
        (put(META, "authorization_servers", ["http://idp.company.com"]), "issuer metadata"),
        (lambda documents: documents.pop(ISSUER), "issuer metadata"),
        (lambda documents: documents[ISSUER].update(issuer=documents[ISSUER]["issuer"] + "/"), "issuer"),
        (drop(ISSUER, "authorization_endpoint"), "authorize"),
        (put(ISSUER, "authorization_endpoint", "http://idp.company.com/a"), "authorize"),
        (drop(ISSUER, "code_challenge_methods_supported"), "authorize"),
        (put(ISSUER, "code_challenge_methods_supported", ["plain"]), "authorize"),
        (put(ISSUER, "token_endpoint_auth_methods_supported", ["client_secret_basic"]), "token endpoint"),
        (drop(ISSUER, "token_endpoint"), "token endpoint"),
        (drop(ISSUER, "dpop_signing_alg_values_supported"), "proof"),
        (put(ISSUER, "dpop_signing_alg_values_supported", ["RS256"]), "proof"),
        (drop(ISSUER, "jwks_uri"), "keys"),
        (lambda documents: documents.pop("/jwks"), "keys"),
        (put("/jwks", "keys", []), "keys"),
        (put("/jwks", "keys", [{"kty": "oct", "k": "AA", "kid": "s"}]), "keys"),
        (put("/jwks", "keys", [{**KEY, "d": "AA"}]), "keys"),
        (put("/jwks", "keys", [{"kty": "RSA", "kid": "r", "n": "A" * 171, "e": "AQAB"}]), "keys"),
        (put("/jwks", "keys", [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]), "keys"),
    ],
)
def test_a_planted_fault_on_the_way_to_a_token_is_named(peer: Peer, plant: Plant, step: str) -> None:
    plant(peer.documents)
    assert failing(mcp.steps(peer.resource)) == [step]


@pytest.mark.req("N35")
@pytest.mark.parametrize(
    ("plant", "step"),
    [
        (lambda documents: documents.pop(OIDC), "discovery"),
        (put(OIDC, "issuer", "https://other.company.com"), "issuer"),
        (put(OIDC, "id_token_signing_alg_values_supported", ["none", "HS256"]), "ID token"),
        (drop(OIDC, "id_token_signing_alg_values_supported"), "ID token"),
        (put(OIDC, "scopes_supported", ["profile"]), "scopes"),
        (put(OIDC, "code_challenge_methods_supported", []), "authorize"),
        (put(OIDC, "token_endpoint_auth_methods_supported", ["client_secret_post"]), "token endpoint"),
        (put("/jwks", "keys", [{"kty": "oct", "k": "AA", "kid": "s"}]), "keys"),
    ],
)
def test_a_planted_fault_of_a_provider_is_named(peer: Peer, plant: Plant, step: str) -> None:
    plant(peer.documents)
    assert failing(idp.steps(peer.issuer, at=datetime.now(UTC))) == [step]


def test_a_provider_with_a_wrong_clock_or_a_slash_is_named(peer: Peer) -> None:
    late = datetime.now(UTC) + timedelta(minutes=5)
    assert failing(idp.steps(peer.issuer, at=late)) == ["clock"]
    assert failing(idp.steps(f"{peer.issuer}/", at=datetime.now(UTC))) == ["address", "issuer"]


def test_a_peer_that_is_not_there_ends_in_one_step(peer: Peer) -> None:
    peer.server.server_close()
    assert failing(mcp.steps("http://127.0.0.1:9/mcp")) == ["resource metadata"]
    assert failing(idp.steps("http://127.0.0.1:9", at=datetime.now(UTC))) == ["discovery"]
