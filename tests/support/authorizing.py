"""An authorization server at which people can be asked, and clients that send them there."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from remit.authority.consent_service import ConsentService
from remit.authority.oauth.clients.registration import (
    ApplicationType,
    AuthMethod,
    ClientRegistration,
    RegistrationKind,
    digest_of,
)
from remit.authority.oauth.provider import Consenting, OAuth
from remit.authority.oauth.wire.pkce import challenge_of
from remit.authority.options import AuthorityOptions
from remit.authority.rights import Ceiling
from remit.authority.task_service import TaskService
from remit.identity.principals import Environment, Kind
from remit.identity.registration import Registration
from remit.identity.session_service import SessionService
from remit.identity.sessions import ACR_PASSKEY_UV, AMR_PASSKEY_UV, Proof, Session, SessionRule, begin
from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.dpop import make_proof
from remit.kernel.jose.keys import PrivateKey
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.settings.options import HttpOptions
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.platform.telemetry.metrics import Metrics
from remit.surface.web.app import build_app
from remit.surface.web.pages.paper import Paper
from remit.surface.web.routes.authorize import AuthorizeRoutes
from remit.surface.web.routes.oauth import OAuthRoutes
from remit.surface.web.routes.oidc import OpenIdRoutes
from remit.surface.web.session import SessionDoor
from support.jose import private_key
from support.oauth import ABSENT, BOOK, ISSUER, SEND, World

BACK = "https://client.example/callback"
LOOPBACK = "http://127.0.0.1:4567/callback"
VERIFIER = "a-verifier-of-43-characters-or-more-it-must-be"
MCP = f"{ISSUER}/mcp/business"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A person's browser."""

    session: Session
    cookie: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A consent page, and where it is."""

    path: str
    text: str

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.text)
        assert found is not None, self.text
        return found.group(1)


def with_codes(**parts: Any) -> OAuth:
    """`OAuth.build` with everything that the code flow needs."""
    uow, entropy, tenant, options = (parts[name] for name in ("uow", "entropy", "tenant", "options"))
    chosen = AuthorityOptions(issuer=options.issuer, trust_domain=options.trust_domain)
    consenting = Consenting(
        consents=ConsentService(uow=uow, entropy=entropy, tenant=tenant),
        tasks=TaskService(uow=uow, keys=parts["keys"], options=chosen, entropy=entropy, tenant=tenant),
        successors=Secret(b"s" * 32),
        calls=Secret(b"c" * 32),
    )
    return OAuth.build(**{"consenting": consenting, **parts})


class AuthorizingWorld(World):
    """The world, with pages: clients are registered in it and people signed in."""

    def __init__(
        self,
        uow: SqlUnitOfWork,
        *,
        build: Callable[..., OAuth] = with_codes,
        routes: type[AuthorizeRoutes] = AuthorizeRoutes,
        **options: Any,
    ) -> None:
        super().__init__(uow, build=build, **options)
        issuer = self.options.issuer
        self.sessions = SessionService(uow=uow, clock=self.clock, entropy=self.entropy, rule=SessionRule())
        self.door = SessionDoor(sessions=self.sessions, issuer=issuer, origins=frozenset({issuer}))
        flow = self.oauth.code_flow
        assert flow is not None
        pages = routes(self.oauth, flow, door=self.door, paper=Paper(issuer=issuer, origin=issuer))
        self._routes = [
            *OAuthRoutes(self.oauth).routes(),
            *OpenIdRoutes(self.oauth, flow).routes(),
            *pages.routes(),
        ]
        self.serve(())
        self.clients: dict[str, ClientRegistration] = {}
        self.device = private_key("key of a session")

    def serve(self, more: Sequence[BaseRoute]) -> None:
        """Serve these too."""
        self.app = build_app(
            [*self._routes, *more],
            options=HttpOptions(),
            issuer=self.options.issuer,
            metrics=Metrics(),
            entropy=self.entropy,
        )
        self.wrap(lambda app: app)

    def wrap(self, by: Callable[[ASGIApp], ASGIApp]) -> None:
        """Put something around the application, as a browser sees it."""
        transport = httpx2.ASGITransport(app=by(self.app))
        self.http = httpx2.AsyncClient(transport=transport, base_url=self.options.issuer)

    async def populate(self) -> "AuthorizingWorld":
        await super().populate()
        for name in ("calendar-bot", "mail-bot"):
            await self.allow_agent(name, self.ceiling(BOOK, SEND))
        await self.public("strict")
        await self.confidential("web", "mail-bot")
        return self

    async def allow_agent(self, name: str, ceiling: Ceiling) -> None:
        """Set the standing ceiling of an agent, and of what it was minted from."""
        agent = await self.identities.get(PrincipalId(str(self.actors[name].principal.parent)))

        def work(tx: Any) -> None:
            for ident in (agent.id, agent.blueprint):
                if ident is not None:
                    tx.ceilings.put(PrincipalId(ident), ceiling, self.now)

        await self.uow.commit(work)

    # -- clients

    async def public(self, name: str, agent: str = "calendar-bot", **changes: Any) -> ClientRegistration:
        """A native client without a key of its own, an instance of an agent."""
        parent = self.actors[agent].principal.parent
        assert parent is not None
        instance = await self.instance(f"instance of {name}", parent)
        return await self.register(
            name,
            instance.principal.id,
            **{
                "auth_method": AuthMethod.NONE,
                "redirect_uris": (BACK,),
                "application_type": ApplicationType.NATIVE,
                **changes,
            },
        )

    async def confidential(self, name: str, agent: str, **changes: Any) -> ClientRegistration:
        """A client that authenticates with the key of its instance."""
        parent = self.actors[agent].principal.parent
        assert parent is not None
        instance = await self.instance(name, parent)
        return await self.register(name, instance.principal.id, client_id=instance.id, **changes)

    async def application(self, name: str, *, bearer: bool = False, **changes: Any) -> ClientRegistration:
        """An ordinary application that signs people in; `bearer`: its tokens are bound to no key."""
        stated = Registration(
            kind=Kind.APPLICATION,
            name=name,
            owner=self.actors["ana"].principal.id,
            purpose="tests",
            environment=Environment.PRODUCTION,
            attributes=(("token_binding", "bearer"),) if bearer else (),
        )
        changes = {"auth_method": AuthMethod.NONE, "dpop_bound": not bearer, **changes}
        by = self.actors["ana"].principal.id
        entry = await self.identities.register(stated, by=by, at=self.now)
        await self.identities.activate(entry.id, by=by, at=self.now)
        return await self.register(name, entry.id, client_id=entry.id, **changes)

    async def register(self, name: str, principal: PrincipalId, **changes: Any) -> ClientRegistration:
        values: dict[str, Any] = {
            "client_id": f"cli_{name}",
            "tenant": DEFAULT_TENANT,
            "principal": principal,
            "kind": RegistrationKind.PRE_REGISTERED,
            "name": f"the {name} client",
            "redirect_uris": (BACK,),
            "application_type": ApplicationType.WEB,
            "auth_method": AuthMethod.PRIVATE_KEY_JWT,
            "created_at": self.now,
            "changed_at": self.now,
            **changes,
        }
        shown = ("name", "redirect_uris", "auth_method")
        digest = digest_of(**{each: values[each] for each in shown}, jwks=None, jwks_uri=None)
        found = ClientRegistration(digest=digest, **values)
        await self.uow.commit(lambda tx: tx.registrations.add(found))
        self.clients[name] = found
        return found

    async def change(self, name: str, **changes: Any) -> None:
        """Change a registration as it is stored."""
        self.clients[name] = replace(self.clients[name], **changes)
        await self.uow.commit(lambda tx: tx.registrations.put(self.clients[name]))

    # -- people

    async def sign_in(self, name: str = "ana") -> SignedIn:
        proof = Proof(amr=AMR_PASSKEY_UV, acr=ACR_PASSKEY_UV, at=self.now)
        session, secret = begin(
            self.actors[name].principal.id,
            tenant=DEFAULT_TENANT,
            proof=proof,
            rule=SessionRule(),
            entropy=self.entropy,
        )
        await self.uow.commit(lambda tx: tx.sessions.add(session))
        prefix = "__Host-" if self.options.issuer.startswith("https://") else ""
        return SignedIn(session=session, cookie=f"{prefix}remit-session={b64u(secret.reveal())}")

    # -- requests

    def request(self, name: str = "strict", **changes: Any) -> dict[str, Any]:
        values = {
            "response_type": "code",
            "client_id": self.clients[name].client_id,
            "redirect_uri": BACK,
            "state": "a state",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "resource": f"{self.options.issuer}/mcp/business",
            **changes,
        }
        return {key: value for key, value in values.items() if value is not ABSENT}

    async def get(self, path: str, person: SignedIn | None = None) -> httpx2.Response:
        headers = {} if person is None else {"cookie": person.cookie}
        return await self.http.get(path, headers=headers)

    async def begin(self, name: str = "strict", **changes: Any) -> httpx2.Response:
        """Come to `/authorize`, as a browser that was sent there."""
        return await self.get(f"/authorize?{urlencode(self.request(name, **changes), doseq=True)}")

    async def show(self, person: SignedIn, name: str = "strict", **changes: Any) -> Shown:
        """Come as far as the consent page."""
        return await self.open(person, (await self.begin(name, **changes)).headers["location"])

    async def open(self, person: SignedIn, path: str) -> Shown:
        page = await self.get(path, person)
        assert page.status_code == 200, (page.status_code, page.headers, page.text)
        return Shown(path=path, text=page.text)

    async def say(self, person: SignedIn, page: Shown, answer: str = "allow", **form: Any) -> httpx2.Response:
        fields = {"csrf": page.csrf, "answer": answer, **form}
        return await self.post(
            page.path,
            {k: v for k, v in fields.items() if v is not ABSENT},
            headers=[("cookie", person.cookie)],
        )

    async def code(self, person: SignedIn, name: str = "strict", **changes: Any) -> str:
        """A code, by the whole way."""
        answer = await self.say(person, await self.show(person, name, **changes))
        found = told(answer)
        assert "code" in found, found
        return found["code"]

    def device_proof(self, path: str = "/token", *, key: PrivateKey | None = None, **options: Any) -> str:
        values = {"jti": self.fresh(), "at": self.now, **options}
        return make_proof(key or self.device, method="POST", target=f"{self.options.issuer}{path}", **values)

    def proof_at(self, url: str, token: str, *, method: str = "GET") -> str:
        """A proof of the session's key for a token, at a resource."""
        return make_proof(
            self.device, method=method, target=url, jti=self.fresh(), at=self.now, access_token=token
        )

    async def send(self, path: str, name: str, form: dict[str, Any], *, proof: Any = None) -> httpx2.Response:
        """A form of a client, proven as it is registered; `proof=ABSENT` sends no DPoP."""
        client = self.clients[name]
        if client.auth_method is AuthMethod.PRIVATE_KEY_JWT:
            form = {**self.form(name), **form}
        else:
            form = {"client_id": client.client_id, **form}
        shown = self.device_proof(path) if proof is None else proof
        sent = [] if shown is ABSENT else [("dpop", shown)]
        return await self.post(path, {k: v for k, v in form.items() if v is not ABSENT}, headers=sent)

    async def redeem(
        self, code: str, name: str = "strict", *, proof: Any = None, **changes: Any
    ) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": VERIFIER,
            "redirect_uri": BACK,
            **changes,
        }
        return await self.send("/token", name, form, proof=proof)

    async def refresh(
        self, token: str, name: str = "strict", *, proof: Any = None, **changes: Any
    ) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "refresh_token": token, **changes}
        return await self.send("/token", name, form, proof=proof)

    async def push(self, name: str = "strict", *, proof: Any = ABSENT, **changes: Any) -> httpx2.Response:
        return await self.send("/par", name, self.request(name, **changes), proof=proof)

    async def tokens(self, name: str = "strict", *, who: str = "ana", **changes: Any) -> dict[str, Any]:
        """The first tokens of a session, by the whole way."""
        person = await self.sign_in(who)
        answer = await self.redeem(await self.code(person, name, **changes), name)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def pass_time(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))


def told(answer: httpx2.Response) -> dict[str, str]:
    """What a redirect tells the client."""
    assert answer.status_code == 303, (answer.status_code, answer.text)
    query = urlsplit(answer.headers["location"]).query
    return {name: values[0] for name, values in parse_qs(query, strict_parsing=True).items()}
