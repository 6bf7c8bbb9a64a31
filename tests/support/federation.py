"""Issuers of other people, with real keys: what GitHub, a cluster or a trust domain would sign."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

import httpx2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.wire.options import OAuthOptions
from remit.identity.federation.conditions import Condition
from remit.identity.federation.profiles import ProfileName
from remit.identity.federation.refresh import KeyRefresher
from remit.identity.federation.registering import Ours, StatedIssuer
from remit.identity.federation.service import FederationService
from remit.identity.federation.trust import TrustedIssuer, TrustRule
from remit.kernel.canonical import JsonObject, b64u
from remit.kernel.errors import Unavailable
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.dpop import make_proof
from remit.kernel.jose.jwk import PublicKey, parse_jwk
from remit.kernel.jose.keys import PrivateKey
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.jose import entropy_of, private_key
from support.oauth import ABSENT, ISSUER, OPTIONS, TRUST_DOMAIN, World

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JWT_SPIFFE = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
GITHUB = "https://token.actions.githubusercontent.com"
CLUSTER = "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF"
DOMAIN = "spiffe://prod.example.com"
OURS = Ours(issuer=ISSUER, trust_domain=TRUST_DOMAIN)


@lru_cache(maxsize=8)
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """An RSA key, made once a session: they are slow."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass(frozen=True, slots=True)
class RsaKey:
    """Signs as RS256, which no key of ours does; has the face of `PrivateKey`."""

    secret: rsa.RSAPrivateKey

    @property
    def algorithm(self) -> Algorithm:
        return Algorithm.RS256

    @property
    def public(self) -> PublicKey:
        numbers = self.secret.public_key().public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        jwk = {"kty": "RSA", "n": b64u(numbers.n.to_bytes(size, "big")), "e": b64u(b"\1\0\1"), "alg": "RS256"}
        return parse_jwk(jwk)

    def sign(self, message: bytes) -> bytes:
        return self.secret.sign(message, padding.PKCS1v15(), hashes.SHA256())


@dataclass(slots=True, kw_only=True)
class ForeignIssuer:
    """Somebody who signs assertions; `claims` are those of an honest one, without times and `jti`."""

    issuer: str
    key: PrivateKey | RsaKey
    claims: dict[str, Any]
    kid: str = "k1"
    typ: Any = "JWT"
    header: dict[str, Any] = field(default_factory=dict)
    life: timedelta = timedelta(minutes=5)
    count: int = 0

    def jwk(self) -> JsonObject:
        return {**self.key.public.jwk(), "kid": self.kid, "use": "sig", "alg": self.key.algorithm.value}

    def jwks(self) -> bytes:
        return json.dumps({"keys": [self.jwk()]}).encode()

    def assertion(self, at: datetime, *, head: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """Sign; a change to `ABSENT` leaves a claim out."""
        self.count += 1
        seconds = int(at.timestamp())
        claims = {
            "iss": self.issuer,
            "aud": ISSUER,
            "iat": seconds,
            "exp": seconds + int(self.life.total_seconds()),
            "jti": f"{self.kid}-{self.count}",
            **self.claims,
            **changes,
        }
        header = {
            "alg": self.key.algorithm.value,
            "kid": self.kid,
            "typ": self.typ,
            **self.header,
            **(head or {}),
        }
        return self.signed(header, claims)

    def signed(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        parts = [{n: v for n, v in each.items() if v is not ABSENT} for each in (header, claims)]
        message = ".".join(b64u(json.dumps(each).encode()) for each in parts)
        return f"{message}.{b64u(self.key.sign(message.encode()))}"


def github(name: str = "github") -> ForeignIssuer:
    return ForeignIssuer(
        issuer=GITHUB,
        key=RsaKey(rsa_key(name)),
        header={"x5t": "rRkKFZ1Zd8TX9Y5Y"},
        claims={
            "sub": "repo:acme/deploy:environment:production",
            "repository": "acme/deploy",
            "repository_id": "1001",
            "repository_owner": "acme",
            "repository_owner_id": "77",
            "event_name": "push",
            "ref": "refs/heads/main",
            "environment": "production",
            "workflow_ref": "acme/deploy/.github/workflows/release.yml@refs/heads/main",
            "actor": "somebody",
            "run_id": "5",
        },
    )


def cluster(name: str = "cluster") -> ForeignIssuer:
    return ForeignIssuer(
        issuer=CLUSTER,
        key=RsaKey(rsa_key(name)),
        typ=ABSENT,
        life=timedelta(minutes=10),
        claims={
            "sub": "system:serviceaccount:agents:calendar",
            "kubernetes.io": {
                "namespace": "agents",
                "serviceaccount": {"name": "calendar", "uid": "sa-uid-1"},
                "pod": {"name": "calendar-7", "uid": "pod-uid-1"},
                "node": {"name": "n1", "uid": "node-uid-1"},
            },
        },
    )


def domain(name: str = "domain") -> ForeignIssuer:
    return ForeignIssuer(
        issuer=DOMAIN,
        key=private_key(name, Algorithm.ES256),
        claims={"sub": f"{DOMAIN}/ns/agents/sa/calendar", "iss": ABSENT, "jti": ABSENT, "iat": ABSENT},
    )


def bundle(*issuers: ForeignIssuer, sequence: int | None = 1, **members: Any) -> bytes:
    keys = [{**{n: v for n, v in each.jwk().items() if n != "alg"}, "use": "jwt-svid"} for each in issuers]
    numbered = {} if sequence is None else {"spiffe_sequence": sequence}
    return json.dumps({"keys": keys, "spiffe_refresh_hint": 300, **numbered, **members}).encode()


class Pages:
    """A `Fetcher` over pages in memory; counts what was asked for."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []

    def serve(self, issuer: ForeignIssuer, jwks: bytes | None = None) -> None:
        base = issuer.issuer.rstrip("/")
        found = {"issuer": issuer.issuer, "jwks_uri": f"{base}/keys"}
        self.pages[f"{base}/.well-known/openid-configuration"] = json.dumps(found).encode()
        self.pages[f"{base}/keys"] = issuer.jwks() if jwks is None else jwks

    async def fetch(self, address: str) -> bytes:
        self.asked.append(address)
        if address not in self.pages:
            raise Unavailable("issuer can't be reached")
        return self.pages[address]


class Federated:
    """An authorization server that trusts other issuers."""

    def __init__(
        self,
        uow: SqlUnitOfWork,
        *,
        build: Any = OAuth.build,
        refresher: type[KeyRefresher] = KeyRefresher,
        options: OAuthOptions = OPTIONS,
        ours: Ours = OURS,
        **parts: Any,
    ) -> None:
        self.pages = Pages()
        self.refresher = refresher(
            uow=uow, fetcher=self.pages, entropy=entropy_of("keys"), tenant=DEFAULT_TENANT
        )
        self.world = World(uow, build=partial(build, issuer_keys=self.refresher), options=options, **parts)
        self.service = FederationService(
            uow=uow, entropy=self.world.entropy, tenant=DEFAULT_TENANT, ours=ours
        )
        self.uow = uow

    async def populate(self) -> "Federated":
        await self.world.populate()
        return self

    @property
    def now(self) -> datetime:
        return self.world.now

    @property
    def ana(self) -> PrincipalId:
        return self.world.actors["ana"].principal.id

    def agent(self, name: str = "calendar-bot") -> PrincipalId:
        parent = self.world.actors[name].principal.parent
        assert parent is not None
        return parent

    async def trust(
        self, issuer: ForeignIssuer, profile: ProfileName, *, name: str = "them", **stated: Any
    ) -> TrustedIssuer:
        """Trust an issuer and serve its keys."""
        if profile is ProfileName.SPIFFE:
            stated.setdefault("keys", bundle(issuer))
        else:
            self.pages.serve(issuer)
        return await self.service.trust(
            StatedIssuer(name=name, profile=profile, issuer=issuer.issuer, **stated), by=self.ana, at=self.now
        )

    async def rule(self, issuer: TrustedIssuer, agent: str = "calendar-bot", **conditions: str) -> TrustRule:
        """Add a rule; `__` in a name stands for the dot of a claim's."""
        made = [Condition(claim=n.replace("__", "."), pattern=v) for n, v in conditions.items()]
        return await self.service.add_rule(issuer.id, self.agent(agent), made, by=self.ana, at=self.now)

    def key(self, name: str = "workload") -> PrivateKey:
        return private_key(f"key of workload {name}", Algorithm.ES256)

    def proof(self, key: PrivateKey, **changes: Any) -> str:
        stated = {"method": "POST", "target": f"{ISSUER}/token", "jti": self.world.fresh(), "at": self.now}
        return make_proof(key, **{**stated, **changes})

    async def bearer(
        self,
        assertion: str,
        *,
        key: PrivateKey | None = None,
        proof: Any = None,
        headers: Any = (),
        **more: Any,
    ) -> httpx2.Response:
        """Ask with the grant `jwt-bearer`."""
        form = {"grant_type": JWT_BEARER, "assertion": assertion, **more}
        return await self._post(form, key, proof, headers)

    async def svid(
        self, assertion: str, *, key: PrivateKey | None = None, proof: Any = None, **more: Any
    ) -> httpx2.Response:
        """Ask as a client that a JWT-SVID authenticates."""
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": JWT_SPIFFE,
            "client_assertion": assertion,
            **more,
        }
        return await self._post(form, key, proof, ())

    async def _post(self, form: Any, key: PrivateKey | None, proof: Any, headers: Any) -> httpx2.Response:
        shown = self.proof(key or self.key()) if proof is None else proof
        sent = [*headers, *([] if shown is ABSENT else [("dpop", shown)])]
        kept = {name: value for name, value in form.items() if value is not ABSENT}
        return await self.world.post("/token", kept, headers=sent)


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
