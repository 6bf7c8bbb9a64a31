"""A strict authorization server of another house: code with PKCE, rotation, revocation, and a memory."""

import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from support.upstreams import serving

CLIENT, SECRET = "remit-at-acme", "s3cret/with+odd=signs"


@dataclass
class Provider:
    """Grants whatever is asked, strictly by the book; `fails` and `grants` bend it."""

    port: int = 0
    basic: bool = True
    life: int | None = 3600
    rotates: bool = True
    """Whether a refresh token is good once; showing it twice ends the whole family."""
    fails: dict[str, Response] = field(default_factory=dict)
    """Answers of paths that are out of order."""
    scope: str | None = None
    """What is granted instead of what was asked."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access: dict[str, str] = field(default_factory=dict)
    """Good access tokens, each with its family."""
    refresh: dict[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    revoked: list[tuple[str, str]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Every form that came to an endpoint."""
    before_token: Callable[[], Awaitable[None]] | None = None
    promises_iss: bool = True
    issuer_says: str = ""
    """Another issuer in its metadata than its own."""

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/oauth-authorization-server", self.metadata),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/revoke", self.revoke, methods=["POST"]),
            ]
        )

    async def metadata(self, _: Request) -> Response:
        return JSONResponse({
            "issuer": self.issuer_says or self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": self.promises_iss,
        })  # fmt: skip

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(24)
        self.codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.issuer}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", status_code=302)

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), strict_parsing=True))
        self.asked.append(("token", form))
        if self.before_token is not None:
            await self.before_token()
        if "token" in self.fails:
            return self.fails["token"]
        if not self._knows(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        if form["grant_type"] == "authorization_code":
            return self._redeem(form)
        return self._renew(form)

    def _knows(self, request: Request, form: dict[str, str]) -> bool:
        if not self.basic:
            return form.get("client_id") == CLIENT and "client_secret" not in form
        kind, _, pair = request.headers.get("authorization", "").partition(" ")
        expected = urlencode({CLIENT: SECRET}).replace("=", ":", 1)
        return kind == "Basic" and base64.b64decode(pair).decode() == expected and "client_id" not in form

    def _redeem(self, form: dict[str, str]) -> Response:
        asked = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return self._give(secrets.token_hex(8), asked.get("scope", ""))

    def _renew(self, form: dict[str, str]) -> Response:
        token = form["refresh_token"]
        if token in self.used:
            family = self.used[token]
            self.access = {key: value for key, value in self.access.items() if value != family}
            self.refresh = {key: value for key, value in self.refresh.items() if value != family}
            return JSONResponse({"error": "invalid_grant"}, 400)
        if token not in self.refresh:
            return JSONResponse({"error": "invalid_grant"}, 400)
        family = self.refresh[token]
        if self.rotates:
            self.used[token] = self.refresh.pop(token)
        return self._give(family, "")

    def _give(self, family: str, scope: str) -> Response:
        access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.access[access] = family
        told: dict[str, Any] = {"access_token": access, "token_type": "bearer"}
        if self.life is not None:
            told["expires_in"] = self.life
        if self.rotates or family not in self.refresh.values():
            self.refresh[refresh] = family
            told["refresh_token"] = refresh
        granted = scope if self.scope is None else self.scope
        return JSONResponse(
            told | ({"scope": granted} if granted else {}), headers={"Cache-Control": "no-store"}
        )

    async def revoke(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.asked.append(("revoke", form))
        if "revoke" in self.fails:
            return self.fails["revoke"]
        if not self._knows(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        self.revoked.append((form["token_type_hint"], form["token"]))
        family = self.refresh.pop(form["token"], None) or self.access.pop(form["token"], None)
        if family is not None:
            self.access = {key: value for key, value in self.access.items() if value != family}
        return Response(status_code=200)

    def secrets(self) -> list[str]:
        """Everything that must stand nowhere but in the vault."""
        codes = [form["code"] for kind, form in self.asked if kind == "token" and "code" in form]
        verifiers = [form["code_verifier"] for kind, form in self.asked if "code_verifier" in form]
        return [*self.access, *self.refresh, *self.used, *codes, *verifiers, SECRET]


def answered(url: str) -> dict[str, str]:
    """The query of an address."""
    return dict(parse_qsl(urlsplit(url).query))


@asynccontextmanager
async def provider(**how: Any) -> AsyncIterator[Provider]:
    """Start one on a port of this machine."""
    made = Provider(**how)
    async with serving(made.app, lifespan="off") as port:
        made.port = port
        yield made


def document(reply: Any) -> Any:
    """A body as JSON."""
    return json.loads(reply.content)
