"""A real authorization server over a real database, and people and agents who talk to it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2

from remit.authority.consent import Grant, GrantState
from remit.authority.delegations import record_of
from remit.authority.directory import verifier_in
from remit.authority.envelope import Delegation, Root, issue_root, next_hop, sign_hop
from remit.authority.oauth.endpoints.introspect import IntrospectionEndpoint
from remit.authority.oauth.endpoints.token import TokenEndpoint
from remit.authority.oauth.grants.client_credentials import ClientCredentials
from remit.authority.oauth.grants.token_exchange import TokenExchange
from remit.authority.oauth.issuing.delegations import RecordedDelegations
from remit.authority.oauth.issuing.issuance import Issuance
from remit.authority.oauth.issuing.minting import Mint
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.proving.client_auth import ASSERTION_TYPE, ClientAuthenticator
from remit.authority.oauth.proving.possession import PossessionCheck
from remit.authority.oauth.proving.requests import Grant as OAuthGrant
from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.oauth.repository import (
    IssuanceGate,
    NoObjection,
    Standing,
    TransactionView,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.options import AuthorityOptions
from remit.authority.rights import Caps, Ceiling, Right, Window
from remit.authority.tasks import Companion, Initiative, Mode, Task, TaskState
from remit.authority.tokens import VerifiedSubject
from remit.identity.credential_service import CredentialService
from remit.identity.principals import Environment, Kind, Principal
from remit.identity.registration import Registration
from remit.identity.service import IdentityService
from remit.identity.tool_service import ToolService
from remit.identity.tools import Server, Transport
from remit.kernel.canonical import JsonObject, b64u_decode, sha256
from remit.kernel.ids import (
    AgentId,
    BlueprintId,
    EnvelopeId,
    GrantId,
    InstanceId,
    PrincipalId,
    ServerId,
    TaskId,
    UserId,
    mint_id,
)
from remit.kernel.jose import jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.dpop import make_proof
from remit.kernel.jose.keyring import Keyring
from remit.kernel.jose.keys import KeyClass, KeyRecord, PrivateKey, Signer
from remit.kernel.jose.nonce import NonceBox
from remit.kernel.jose.profiles import TokenType
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.ledger.record import Record
from remit.platform.settings.options import HttpOptions
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.platform.telemetry.metrics import Metrics
from remit.surface.web.app import build_app
from remit.surface.web.routes.oauth import OAuthRoutes
from remit.surface.web.routes.register import RegisterRoutes
from support.clock import FixedClock
from support.jose import Party, entropy_of, party, private_key

ISSUER = "https://remit.example"
TRUST_DOMAIN = "remit.example"
OPTIONS = OAuthOptions(issuer=ISSUER, trust_domain=TRUST_DOMAIN)
BOOK = "business/rooms.book"
SEND = "mail/mail.send"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
TXN_TOKEN = "urn:ietf:params:oauth:token-type:txn_token"
ABSENT = object()

Form = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody with a registered key: what a client of ours holds."""

    principal: Principal
    kid: str
    key: PrivateKey

    @property
    def id(self) -> str:
        return self.principal.id

    def signer(self, key_class: KeyClass = KeyClass.HOP) -> Signer:
        return Signer(kid=self.kid, key_class=key_class, private=self.key)  # type: ignore[arg-type]  # a KeyId


class View:
    """`Standings` of whatever transaction is open now."""

    async def catch_up(self) -> None:
        """Nothing to do: it is always the present."""

    def __init__(self) -> None:
        self.standing: Standing | None = None

    def current(self) -> Standing:
        assert self.standing is not None
        return self.standing


class World:
    """One installation: calendar-bot and mail-bot of Ana, two servers, one task, and its HTTP face."""

    def __init__(
        self,
        uow: SqlUnitOfWork,
        *,
        options: OAuthOptions = OPTIONS,
        gate: IssuanceGate | None = None,
        build: Callable[..., OAuth] = OAuth.build,
        forgetful: bool = False,
        http: HttpOptions | None = None,
        seed: str = "oauth world",
        more_keys: Sequence[Party] = (),
        **parts: Any,
    ) -> None:
        self.uow = uow
        self.clock = FixedClock()
        self.entropy = entropy_of(seed)
        self.options = options
        parties = [
            party(key_class, issuer=options.issuer)
            for key_class in (KeyClass.ACCESS_TOKEN, KeyClass.ENVELOPE, KeyClass.STATEMENT)
        ]
        for_others = (KeyClass.ID_TOKEN, KeyClass.DOMAIN_GRANT, KeyClass.TRANSACTION)
        parties += [party(each, issuer=options.issuer, algorithm=Algorithm.ES256) for each in for_others]
        parties += more_keys
        self.access_key: KeyRecord = parties[0].record
        self.access_private, self.envelope_private = (each.private for each in parties[:2])
        self.keyring = Keyring.of(
            [each.record for each in parties], {each.record.kid: each.private for each in parties}
        )
        self.nonces = NonceBox(key=Secret(b"n" * 32), tenant=DEFAULT_TENANT)
        self.delegations = RecordedDelegations(
            options=AuthorityOptions(issuer=options.issuer, trust_domain=options.trust_domain),
            roots=self.keyring,
            entropy=self.entropy,
        )
        self.oauth = build(
            options=options,
            tenant=DEFAULT_TENANT,
            uow=Forgetful(uow) if forgetful else uow,
            keys=self.keyring,
            delegations=self.delegations,
            gate=gate or NoObjection(),
            clock=self.clock,
            entropy=self.entropy,
            nonces=self.nonces,
            **parts,
        )
        self.app = build_app(
            [*OAuthRoutes(self.oauth).routes(), *RegisterRoutes(self.oauth).routes()],
            options=http or HttpOptions(),
            issuer=options.issuer,
            metrics=Metrics(),
            entropy=self.entropy,
        )
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url=options.issuer)
        self.view = View()
        self.verifier = AccessTokenVerifier(keys=self.keyring, standings=self.view, clock=self.clock)
        self.identities = IdentityService(uow=uow, entropy=self.entropy, tenant=DEFAULT_TENANT)
        self.credentials = CredentialService(uow=uow, entropy=self.entropy, tenant=DEFAULT_TENANT)
        self.tools = ToolService(uow=uow, entropy=self.entropy, tenant=DEFAULT_TENANT)
        self.actors: dict[str, Actor] = {}
        self.blueprints: dict[str, BlueprintId] = {}
        self._count = 0

    async def populate(self) -> "World":
        """People, agents with an instance each, two servers in production and one in development."""
        await self.human("ana", roles="admin")
        await self.human("ben", roles="approver")
        for name in ("calendar-bot", "mail-bot"):
            await self.agent(name)
        await self.agent("dev-bot", environment=Environment.DEVELOPMENT)
        for name in ("business", "mail"):
            await self.server(name)
        self.task = await self.start_task()
        self.envelope = self.root(self.task)
        return self

    # -- the directory

    async def human(self, name: str, *, roles: str = "") -> Actor:
        stated = Registration(
            kind=Kind.HUMAN, name=name, email="user@company.com", attributes=(("roles", roles),)
        )
        entry = await self.identities.register(stated, by=PrincipalId("system"), at=self.now)
        actor = await self.register_key(entry)
        await self.identities.activate(entry.id, by=PrincipalId("system"), at=self.now)
        return self._known(name, actor)

    async def agent(
        self,
        name: str,
        *,
        environment: Environment = Environment.PRODUCTION,
        attributes: tuple[tuple[str, str], ...] = (),
        algorithm: Algorithm = Algorithm.ED25519,
    ) -> Actor:
        stated = Registration(
            kind=Kind.AGENT,
            name=name,
            owner=self.actors["ana"].principal.id,
            purpose="tests",
            environment=environment,
            blueprint=await self.blueprint(environment),
        )
        entry = await self.identities.register(stated, by=self.actors["ana"].principal.id, at=self.now)
        return await self.instance(name, entry.id, attributes=attributes, algorithm=algorithm)

    async def blueprint(self, environment: Environment) -> BlueprintId:
        name, ana = f"bot-{environment}", self.actors["ana"].principal.id
        if name not in self.blueprints:
            stated = Registration(
                kind=Kind.BLUEPRINT, name=name, owner=ana, purpose="tests", environment=environment
            )
            entry = await self.identities.register(stated, by=ana, at=self.now)
            await self.identities.activate(entry.id, by=ana, at=self.now)
            self.blueprints[name] = BlueprintId(entry.id)
        return self.blueprints[name]

    async def instance(
        self,
        name: str,
        agent: PrincipalId,
        *,
        attributes: tuple[tuple[str, str], ...] = (),
        algorithm: Algorithm = Algorithm.ED25519,
    ) -> Actor:
        key = private_key(f"key of {name}", algorithm)
        entry, credential = await self.credentials.instantiate(
            agent,
            key.public.jwk(),
            by=self.actors["ana"].principal.id,
            at=self.now,
            attributes=attributes,
        )
        present = await self.identities.get(agent)
        if present.state.value == "draft":
            await self.identities.activate(agent, by=self.actors["ana"].principal.id, at=self.now)
        return self._known(name, Actor(principal=entry, kid=credential.id, key=key))

    async def workload(self, name: str, *, attributes: tuple[tuple[str, str], ...] = ()) -> Actor:
        stated = Registration(
            kind=Kind.SERVICE_ACCOUNT,
            name=name,
            owner=self.actors["ana"].principal.id,
            purpose="tests",
            environment=Environment.PRODUCTION,
            attributes=attributes,
        )
        entry = await self.identities.register(stated, by=self.actors["ana"].principal.id, at=self.now)
        actor = await self.register_key(entry)
        await self.identities.activate(entry.id, by=self.actors["ana"].principal.id, at=self.now)
        return self._known(name, actor)

    async def register_key(self, entry: Principal) -> Actor:
        key = private_key(f"key of {entry.name}")
        credential = await self.credentials.register(entry.id, key.public.jwk(), by=entry.id, at=self.now)
        return Actor(principal=entry, kid=credential.id, key=key)

    async def server(self, name: str, environment: Environment = Environment.PRODUCTION) -> Server:
        server = Server(
            id=ServerId(mint_id("srv", at=self.now, entropy=self.entropy)),
            tenant=DEFAULT_TENANT,
            name=name,
            transport=Transport.HTTP,
            url="https://upstream.example/mcp",
        )
        owner = self.actors["ana"].principal.id
        return await self.tools.register_server(
            server, owner=owner, purpose="tests", environment=environment, by=owner, at=self.now
        )

    def _known(self, name: str, actor: Actor) -> Actor:
        self.actors[name] = actor
        return actor

    # -- a task and its envelope

    def ceiling(self, *actions: str, depth: int = 4, resources: frozenset[str] | None = None) -> Ceiling:
        rights = frozenset(
            Right(action=action, resource_type="Thing", resources=resources or "any") for action in actions
        )
        window = Window(start=self.now - timedelta(hours=1), end=self.now + timedelta(hours=1))
        return Ceiling(rights=rights, window=window, caps=Caps(calls=100), depth=depth, purpose="booking")

    async def start_task(
        self,
        *,
        ceiling: Ceiling | None = None,
        deadline: timedelta = timedelta(hours=1),
        agent: str = "calendar-bot",
        others: Sequence[str] = (),
    ) -> Task:
        """A task of Ana's; for `others` too, each by a consent of their own like hers."""
        ana, bot = self.actors["ana"], self.actors[agent]
        assert bot.principal.parent is not None
        ceiling = ceiling or self.ceiling(BOOK, SEND)
        grant = Grant(
            id=GrantId(mint_id("gra", at=self.now, entropy=self.entropy)),
            tenant=DEFAULT_TENANT,
            user=UserId(ana.id),
            agent=AgentId(bot.principal.parent),
            ceiling=ceiling,
            text="calendar-bot may book rooms",
            state=GrantState.GIVEN,
            given_at=self.now,
        )
        beside = [
            replace(
                grant,
                id=GrantId(mint_id("gra", at=self.now, entropy=self.entropy)),
                user=UserId(self.actors[other].id),
            )
            for other in others
        ]
        task = Task(
            id=TaskId(mint_id("tsk", at=self.now, entropy=self.entropy)),
            tenant=DEFAULT_TENANT,
            user=UserId(ana.id),
            agent=AgentId(bot.principal.parent),
            grant=grant.id,
            goal=sha256(b"goal"),
            purpose="booking",
            mode=Mode.INTERACTIVE,
            initiative=Initiative.USER,
            ceiling=ceiling,
            root=EnvelopeId(mint_id("env", at=self.now, entropy=self.entropy)),
            state=TaskState.RUNNING,
            started_at=self.now,
            deadline=self.now + deadline,
            companions=tuple(Companion(user=each.user, grant=each.id) for each in beside),
        )

        text = self.root(task)
        options = AuthorityOptions(issuer=self.options.issuer, trust_domain=self.options.trust_domain)

        def work(tx: Any) -> None:
            for each in (grant, *beside):
                tx.grants.add(each)
            tx.tasks.add(task)
            verified = verifier_in(tx, options=options, roots=self.keyring).verify(text, at=self.now)
            tx.envelopes.add(record_of(verified, ident=task.root, parents=(), at=self.now))

        await self.uow.commit(work)
        return task

    def root(self, task: Task, **changes: Any) -> str:
        root = Root(
            issuer=self.options.issuer,
            trust_domain=self.options.trust_domain,
            subject=task.user or task.trigger,
            task=task.id,
            purpose=task.purpose,
            goal=task.goal,
            ceiling=task.ceiling,
            may_act=task.agent,
            scope="task",
            requester=task.user or "",
            issued_at=self.now,
            expires_at=task.deadline,
            companions=tuple(each.user for each in task.companions),
        )
        return issue_root(replace(root, **changes), signer=self.keyring.signer(KeyClass.ENVELOPE))

    def hop(self, text: str, parent: Ceiling, *, by: str, to: str, wanted: Ceiling | None = None) -> str:
        agent = self.actors[to].principal.parent
        assert agent is not None
        hop = next_hop(
            text,
            parent,
            by=InstanceId(self.actors[by].id),
            to=AgentId(agent),
            kind=Delegation.ATTENUATE,
            wanted=wanted or parent,
            task=self.task.id,
            at=self.now,
            expires_at=self.task.deadline,
        )
        return sign_hop(text, hop, signer=self.actors[by].signer())

    # -- what clients send

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def fresh(self) -> str:
        self._count += 1
        return f"jti-{self._count}"

    def assertion(self, who: str, *, typ: str | None = None, **changes: Any) -> str:
        actor = self.actors[who]
        at = int(self.now.timestamp())
        claims: JsonObject = {
            "iss": actor.id,
            "sub": actor.id,
            "aud": self.options.issuer,
            "iat": at,
            "exp": at + 60,
            "jti": self.fresh(),
        }
        changed = {name: value for name, value in {**claims, **changes}.items() if value is not ABSENT}
        key_class = KeyClass.PERSON if actor.principal.kind is Kind.HUMAN else KeyClass.CLIENT
        signer = actor.signer(key_class)
        return jwt.issue(changed, as_type=TokenType.CLIENT_ASSERTION, signer=signer)

    def proof(self, who: str, url: str = "", *, method: str = "POST", **options: Any) -> str:
        values = {"jti": self.fresh(), "at": self.now, **options}
        target = url or f"{self.options.issuer}/token"
        return make_proof(self.actors[who].key, method=method, target=target, **values)

    def form(self, who: str, **parameters: Any) -> dict[str, Any]:
        values = {
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": parameters.pop("client_assertion", None) or self.assertion(who),
            **parameters,
        }
        return {name: value for name, value in values.items() if value is not ABSENT}

    async def post(self, path: str, form: Form, *, headers: Any = None) -> httpx2.Response:
        body = urlencode(dict(form), doseq=True)
        sent = [("content-type", "application/x-www-form-urlencoded"), *(headers or [])]
        return await self.http.post(path, content=body, headers=sent)

    async def ask(
        self, who: str, *, proof: Any = None, headers: Any = (), **parameters: Any
    ) -> httpx2.Response:
        """Ask for a token; `proof=ABSENT` sends none."""
        shown = self.proof(who) if proof is None else proof
        sent = [*headers, *([] if shown is ABSENT else [("dpop", shown)])]
        return await self.post("/token", self.form(who, **parameters), headers=sent)

    async def own_token(self, who: str, **parameters: Any) -> str:
        answer = await self.ask(who, grant_type="client_credentials", **parameters)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def exchange(self, who: str, **parameters: Any) -> httpx2.Response:
        """Exchange the task's envelope, or whatever the parameters say instead."""
        values = {
            "grant_type": EXCHANGE,
            "subject_token": self.envelope,
            "subject_token_type": TXN_TOKEN,
            "actor_token_type": ACCESS_TOKEN,
            "resource": f"{self.options.issuer}/mcp/business",
            **parameters,
        }
        if "actor_token" not in values:
            values["actor_token"] = await self.own_token(who)
        return await self.ask(who, **values)

    async def task_token(self, who: str = "calendar-bot", **parameters: Any) -> str:
        answer = await self.exchange(who, **parameters)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def introspect(self, who: str, token: str, **parameters: Any) -> httpx2.Response:
        return await self.post("/introspect", self.form(who, token=token, **parameters))

    async def revoke(self, who: str, token: str, **parameters: Any) -> httpx2.Response:
        return await self.post("/revoke", self.form(who, token=token, **parameters))

    async def verify(
        self,
        token: str,
        *,
        who: str = "calendar-bot",
        audience: str = f"{ISSUER}/mcp/business",
        scheme: str = "DPoP",
        proofs: list[str] | None = None,
        method: str = "POST",
        url: str | None = None,
        verifier: AccessTokenVerifier | None = None,
        scopes: frozenset[str] = frozenset(),
    ) -> VerifiedSubject:
        """Present a token at a resource, as a gateway would check it."""
        shown = (
            [self.proof(who, url or audience, method=method, access_token=token)]
            if proofs is None
            else proofs
        )

        def work(tx: Any) -> VerifiedSubject:
            self.view.standing = TransactionView(tx)
            return (verifier or self.verifier).verify(
                f"{scheme} {token}", shown, method, url or audience, audience, self.now, scopes=scopes
            )

        return await self.uow.read(work)

    # -- what was recorded

    async def records(self, kind: str) -> list[Record]:
        span = timedelta(days=1)
        placed = await self.uow.read(lambda tx: tx.ledger.between(self.now - span, self.now + span))
        return [each.record for each in placed if each.record.kind == kind]


def claims_in(token: str) -> dict[str, Any]:
    """The payload of a token, unverified."""
    return dict(json.loads(b64u_decode(token.split(".")[1])))


def building(
    *,
    exchange: type[TokenExchange] = TokenExchange,
    issuance: type[Issuance] = Issuance,
    clients: type[ClientAuthenticator] = ClientAuthenticator,
    possession: type[PossessionCheck] = PossessionCheck,
) -> Callable[..., OAuth]:
    """What `OAuth.build` does, with a part in the place of ours: how a twin loses one defence."""

    def build(**parts: Any) -> OAuth:
        whole = OAuth.build(**parts)
        options, keys, uow = parts["options"], parts["keys"], parts["uow"]
        mint = Mint(options=options, entropy=parts["entropy"])
        who = clients(options=options, tenant=parts["tenant"])
        grants: tuple[OAuthGrant, ...] = (
            ClientCredentials(mint=mint),
            exchange(mint=mint, options=options, keys=keys, delegations=parts["delegations"]),
        )
        token = TokenEndpoint(
            uow=uow,
            clients=who,
            possession=possession(options=options, nonces=parts["nonces"]),
            grants={grant.type: grant for grant in grants},
            issuance=issuance(
                delegations=parts["delegations"], gate=parts["gate"], keys=keys, entropy=parts["entropy"]
            ),
            clock=parts["clock"],
        )
        return replace(
            whole,
            token=token,
            introspection=IntrospectionEndpoint(uow=uow, clients=who, keys=keys, options=options),
        )

    return build


class Forgetful:
    """A unit of work whose replay store forgets: everything is shown for the first time."""

    def __init__(self, uow: SqlUnitOfWork) -> None:
        self._uow = uow

    async def commit(self, work: Callable[[Any], Any], **options: Any) -> Any:
        return await self._uow.commit(lambda tx: work(_WithoutReplay(tx)), **options)

    async def read(self, work: Callable[[Any], Any]) -> Any:
        return await self._uow.read(work)


class _WithoutReplay:
    def __init__(self, tx: Any) -> None:
        self._tx = tx
        self.replay = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def burn(self, tenant: Any, proof: Any) -> bool:
        return True
