"""Companies' OpenID providers in memory, with real keys, and the services that people come from them by."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from remit.identity.principals import Principal
from remit.identity.session_service import SessionService
from remit.identity.sessions import SessionRule
from remit.identity.upstream.arrivals import ArrivalService
from remit.identity.upstream.connecting import IdentityProviderService, StatedProvider
from remit.identity.upstream.keys import ProviderKeys
from remit.identity.upstream.leaving import Aim, LeavingBox, Returned
from remit.identity.upstream.linked import LinkedBy, LinkedIdentity, LinkId, LinkState
from remit.identity.upstream.links import LinkService, Proposal
from remit.identity.upstream.logout import UpstreamLogout
from remit.identity.upstream.provider import (
    IdentityProvider,
    IdpId,
    Language,
    Product,
    Proves,
    Provisioning,
    Standing,
)
from remit.identity.upstream.signing import OidcSignIn, SignedIn
from remit.identity.upstream.speaker import Speaker
from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId, system_entropy
from remit.kernel.jose import jws
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import KeyClass, PrivateKey, Signer
from remit.kernel.outbound import OutboundRequest, OutboundResponse
from remit.kernel.sealed import SealedBox
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.jwks import GuardedKeys
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.builders import World
from support.clock import FixedClock
from support.oauth import ABSENT
from support.people import ADMIN
from support.stores import TEST_KEK

ISSUER = "https://remit.example"
CLIENT = "remit-at-company"
VISIT, OTHER_VISIT = "visit-of-ana", "visit-of-eve"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass
class Company:
    """One provider: what it says of itself and of people, and what came to it. Its key is real."""

    issuer: str = "https://login.company.example"
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "ana-1", "name": "Ana"})
    document: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    promises_iss: bool = True
    asked: list[OutboundRequest] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    """The ID token of each code."""

    def __post_init__(self) -> None:
        self.key = PrivateKey.generate(Algorithm.ES256, system_entropy)

    @property
    def base(self) -> str:
        return self.issuer.rstrip("/")

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "jwks_uri": f"{self.base}/keys",
            "end_session_endpoint": f"{self.base}/logout",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": [each.value for each in Proves],
            "authorization_response_iss_parameter_supported": self.promises_iss,
            **({} if self.userinfo is None else {"userinfo_endpoint": f"{self.base}/userinfo"}),
            **self.document,
        }

    def sign(self, claims: Mapping[str, Any], *, typ: str = "JWT", kid: str = "k1") -> str:
        told = {name: value for name, value in claims.items() if value is not ABSENT}
        header = {"kid": kid, **({"typ": typ} if typ else {})}
        return jws.sign(header, json.dumps(told).encode(), self.key)

    def id_token(self, at: datetime, nonce: str, *, typ: str = "JWT", kid: str = "k1", **changes: Any) -> str:
        now = int(at.timestamp())
        usual = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "auth_time": now - 5}
        return self.sign({**usual, "nonce": nonce, **self.claims, **changes}, typ=typ, kid=kid)

    def logout_token(self, at: datetime, *, typ: str = "logout+jwt", **changes: Any) -> str:
        now = int(at.timestamp())
        usual = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "jti": secrets.token_hex(8)}
        return self.sign({**usual, "events": {LOGOUT: {}}, **changes}, typ=typ)

    def answer(self, request: OutboundRequest) -> OutboundResponse:
        self.asked.append(request)
        path = urlsplit(request.url).path.removeprefix(urlsplit(self.base).path)
        if path.endswith("/.well-known/openid-configuration"):
            return _json(self.metadata())
        if path == "/keys":
            key = {**self.key.public.jwk(), "kid": "k1", "alg": "ES256", "use": "sig"}
            return _json({"keys": [key]})
        if path == "/userinfo":
            return _json(self.userinfo or {})
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        token = self.tokens.pop(form.get("code", ""), "")
        if not token:
            return _json({"error": "invalid_grant"}, status=400)
        return _json({"access_token": "at-1", "token_type": "Bearer", "id_token": token})


@dataclass
class Internet:
    """`Outbound` to every company; nothing else is there."""

    companies: list[Company]

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        for each in self.companies:
            if request.url.startswith(f"{each.base}/"):
                return each.answer(request)
        raise AssertionError(f"nobody is at {request.url}")


@dataclass
class Keys:
    """Our own key, by which we prove ourselves."""

    def __post_init__(self) -> None:
        self.own = PrivateKey.generate(Algorithm.ES256, system_entropy)

    def signer(self, key_class: KeyClass) -> Signer:
        return Signer(kid="ours", key_class=key_class, private=self.own)  # type: ignore[arg-type]  # a name


class Visitors:
    """The services, and short ways to go to a company and back."""

    def __init__(self, uow: SqlUnitOfWork, *companies: Company, **parts: Any) -> None:
        self.uow, self.clock, self.companies = uow, FixedClock(), list(companies)
        common: dict[str, Any] = {"uow": uow, "clock": self.clock, "entropy": system_entropy}
        tenant = DEFAULT_TENANT
        http, rule = Internet(self.companies), SessionRule()
        box = SealedBox(key=Secret(bytes(range(1, 33))), entropy=system_entropy)
        keys = ProviderKeys(uow=uow, fetcher=GuardedKeys(http))
        self.providers = IdentityProviderService(
            **common, fetcher=GuardedKeys(http), keys=keys, tenant=tenant, kek=TEST_KEK, issuer=ISSUER
        )
        arrivals = parts.get("arrivals", ArrivalService)(**common, tenant=tenant, rule=rule, kek=TEST_KEK)
        self.links = parts.get("links", LinkService)(**common, box=box, tenant=tenant, rule=rule)
        self.logout = UpstreamLogout(**common, keys=keys, tenant=tenant, kek=TEST_KEK, home=ISSUER)
        self.signing = parts.get("signing", OidcSignIn)(
            uow=uow,
            box=parts.get("box", LeavingBox)(box=box, tenant=tenant, entropy=system_entropy),
            speaker=Speaker(http=http, keys=Keys(), home=ISSUER, entropy=system_entropy),
            keys=keys,
            arrivals=arrivals,
            links=self.links,
            clock=self.clock,
            kek=TEST_KEK,
        )
        self.sessions = SessionService(uow=uow, clock=self.clock, entropy=system_entropy, rule=rule)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def later(self, by: timedelta) -> None:
        self.clock.wall += by

    async def person(self, name: str = "ben") -> Principal:
        return await World(self.uow).human(name)

    async def connect(self, company: Company, name: str = "company", **stated: Any) -> IdentityProvider:
        usual = {"product": Product.GENERIC, "provisioning": Provisioning.CREATE, "client_id": CLIENT}
        asked = StatedProvider(name=name, issuer=company.issuer, **{**usual, **stated})
        secret = Secret(b"s3cret") if asked.proves not in {None, Proves.KEY} else None
        return await self.providers.connect(asked, secret, by=ADMIN)

    async def leave(self, name: str = "company", *, visit: str = VISIT, **how: Any) -> dict[str, str]:
        """What the provider is asked, as its address says it."""
        wanted = {"onward": "/me", "aim": Aim.SIGN_IN, **how}
        address = await self.signing.leave(name, visit=visit, **wanted)
        return {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}

    def code(self, company: Company, asked: Mapping[str, str], **changes: Any) -> str:
        """A code for an ID token that answers what was asked; `nonce` may be changed too."""
        code = secrets.token_urlsafe(8)
        told = {"nonce": asked["nonce"], **changes}
        company.tokens[code] = company.id_token(self.now, **told)
        return code

    async def back(
        self, name: str, returned: Returned, *, visit: str = VISIT, session: Any = None
    ) -> SignedIn | Proposal:
        found: SignedIn | Proposal = await self.signing.come_back(
            name, returned, visit=visit, session=session, leaving_secret=None, client="Test/1"
        )
        return found

    async def sign_in(self, company: Company, name: str = "company", **changes: Any) -> SignedIn:
        """All the way."""
        asked = await self.leave(name)
        code = self.code(company, asked, **changes)
        found = await self.back(name, Returned(state=asked["state"], code=code, iss=company.issuer))
        assert isinstance(found, SignedIn)
        return found


def pkce_holds(asked: Mapping[str, str], request: OutboundRequest) -> bool:
    """Whether the verifier that was redeemed fits the challenge that was sent."""
    verifier = parse_qs(request.body.decode())["code_verifier"][0]
    return b64u(hashlib.sha256(verifier.encode()).digest()) == asked["code_challenge"]


def _json(body: Mapping[str, Any], status: int = 200) -> OutboundResponse:
    return OutboundResponse(
        status=status, headers={"content-type": "application/json"}, body=json.dumps(body).encode()
    )


async def beside(uow: SqlUnitOfWork, human: PrincipalId, at: datetime, *, subject: str = "ana-1") -> None:
    """A provider on record, with somebody linked to it: for pages that speak to nobody."""
    provider = IdentityProvider(
        id=IdpId("idp_company"),
        tenant=DEFAULT_TENANT,
        name="company",
        product=Product.GENERIC,
        language=Language.OIDC,
        issuer=Company.issuer,
        standing=Standing.ACTIVE,
        provisioning=Provisioning.LINKED_ONLY,
        created_by=ADMIN,
        created_at=at,
        changed_at=at,
    )
    link = LinkedIdentity(
        id=LinkId("lnk_1"),
        tenant=DEFAULT_TENANT,
        provider=provider.id,
        language=Language.OIDC,
        issuer=provider.issuer,
        subject=subject,
        human=human,
        state=LinkState.ACTIVE,
        by=LinkedBy.ADMINISTRATOR,
        linked_by=ADMIN,
        linked_at=at,
    )
    await uow.commit(lambda tx: (tx.identity_providers.add(provider, None), tx.linked_identities.add(link)))
