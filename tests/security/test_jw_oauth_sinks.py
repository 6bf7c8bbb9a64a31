"""JW: the negative JOSE corpus against every place of the authorization server that takes a token."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from remit.authority.errors import EnvelopeRejected, EnvelopeTooLarge
from remit.authority.oauth.clients.registration import (
    ApplicationType,
    AuthMethod,
    ClientRegistration,
    RegistrationKind,
    digest_of,
)
from remit.authority.oauth.grants.token_exchange import TokenExchange
from remit.authority.oauth.issuing.minting import Mint
from remit.authority.oauth.proving.client_auth import ClientAuthenticator
from remit.authority.oauth.proving.possession import PossessionCheck
from remit.authority.oauth.proving.presented import read_presented
from remit.authority.oauth.proving.request_object import RequestObjects
from remit.authority.oauth.proving.requests import Asking, TokenRequest
from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.oauth.repository import TransactionView
from remit.authority.oauth.wire.errors import OAuthError
from remit.authority.oauth.wire.parameters import Parameters
from remit.kernel.jose import jws
from remit.kernel.tenancy import DEFAULT_TENANT
from support.jose import private_key
from support.jw_corpus import Knowledge, Mutation, corpus
from support.oauth import ACCESS_TOKEN, EXCHANGE, ISSUER, TXN_TOKEN, World

RESOURCE = f"{ISSUER}/mcp/business"
Accepts = Callable[[str], bool]
AT_JWT = frozenset({"at+jwt"})
REQUEST_TYPE = "oauth-authz-req+jwt"


class Sinks:
    """Each place, as a function that says whether it takes a token; all on one view of the directory."""

    def __init__(self, world: World, tx: Any, tokens: dict[str, str]) -> None:
        self.world, self.tx, self.tokens = world, tx, tokens
        self.view = TransactionView(tx)
        world.view.standing = self.view
        self.clients = ClientAuthenticator(options=world.options, tenant=DEFAULT_TENANT)
        self.possession = PossessionCheck(options=world.options, nonces=None)
        self.who = self._who(world.assertion("calendar-bot"))

    def _who(self, assertion: str) -> Any:
        form = {"client_assertion_type": ("urn:ietf:params:oauth:client-assertion-type:jwt-bearer",)}
        parameters = Parameters(values={**form, "client_assertion": (assertion,)})
        return self.clients.authenticate(parameters, authorization="", view=self.view, at=self.world.now)

    def client_assertion(self, text: str) -> bool:
        return bool(self._who(text))

    def request_object(self, text: str) -> bool:
        opened = RequestObjects(options=self.world.options).parameters_of(
            Parameters(values={"request": (text,)}),
            registered(self.world),
            view=self.view,
            at=self.world.now,
        )
        return "state" in opened.values  # an empty parameter is none (RFC 6749 §3.1)

    def proof_at_token(self, text: str) -> bool:
        return bool(self.possession.prove((text,), who=self.who, at=self.world.now, generation=0))

    def proof_at_resource(self, text: str) -> bool:
        return self._present(self.tokens["held"], text)

    def authorization(self, text: str) -> bool:
        return self._present(text, self.world.proof("calendar-bot", RESOURCE, access_token=text))

    def _present(self, token: str, proof: str) -> bool:
        keys, clock = self.world.keyring, self.world.clock
        verifier = AccessTokenVerifier(keys=keys, standings=self.world.view, clock=clock)
        found = verifier.verify(f"DPoP {token}", [proof], "POST", RESOURCE, RESOURCE, self.world.now)
        return bool(found.token)

    def subject_token(self, text: str) -> bool:
        return self._exchange(text, ACCESS_TOKEN, self.tokens["own"])

    def envelope(self, text: str) -> bool:
        return self._exchange(text, TXN_TOKEN, self.tokens["own"])

    def actor_token(self, text: str) -> bool:
        return self._exchange(self.tokens["envelope"], TXN_TOKEN, text)

    def _exchange(self, subject: str, kind: str, actor: str) -> bool:
        values = {
            "subject_token": (subject,),
            "subject_token_type": (kind,),
            "actor_token": (actor,),
            "actor_token_type": (ACCESS_TOKEN,),
            "resource": (RESOURCE,),
        }
        request = TokenRequest(
            parameters=Parameters(values=values), authorization="", proofs=(), at=self.world.now, generation=0
        )
        proof = self.possession.prove(
            (self.world.proof("calendar-bot"),), who=self.who, at=self.world.now, generation=0
        )
        exchange = TokenExchange(
            mint=Mint(options=self.world.options, entropy=self.world.entropy),
            options=self.world.options,
            keys=self.world.keyring,
            delegations=self.world.delegations,
        )
        asking = Asking(request=request, who=self.who, proof=proof, reading=self.tx, view=self.view)
        return bool(exchange.draft(asking).token.id)

    def introspected(self, text: str) -> bool:
        keys, options = self.world.keyring, self.world.options
        return read_presented(text, keys=keys, options=options, view=self.view, at=self.world.now) is not None


SINKS = (
    "client_assertion",
    "request_object",
    "proof_at_token",
    "proof_at_resource",
    "authorization",
    "subject_token",
    "actor_token",
    "envelope",
    "introspected",
)


def registered(world: World) -> ClientRegistration:
    """The client that an instance of calendar-bot is."""
    shown: dict[str, Any] = {
        "name": "a client",
        "redirect_uris": ("https://client.example/callback",),
        "auth_method": AuthMethod.PRIVATE_KEY_JWT,
    }
    bot = world.actors["calendar-bot"]
    return ClientRegistration(
        client_id=bot.id,
        tenant=DEFAULT_TENANT,
        principal=bot.principal.id,
        kind=RegistrationKind.PRE_REGISTERED,
        application_type=ApplicationType.WEB,
        digest=digest_of(**shown, jwks=None, jwks_uri=None),
        created_at=world.now,
        changed_at=world.now,
        **shown,
    )


def signed_request(world: World) -> str:
    bot, at = world.actors["calendar-bot"], int(world.now.timestamp())
    members = {
        "iss": bot.id,
        "aud": ISSUER,
        "iat": at,
        "exp": at + 60,
        "client_id": bot.id,
        "response_type": "code",
        "state": "s",
    }
    return jws.sign_named(bot.kid, REQUEST_TYPE, json.dumps(members).encode(), bot.key)


def valid_for(  # noqa: PLR0911 — one per place
    sink: str, world: World, tokens: dict[str, str]
) -> tuple[str, Knowledge]:
    """A token that the place takes, and what the generator may use against it."""
    bot = world.actors["calendar-bot"].key
    ours = Knowledge(owner=world.access_private, attacker=private_key("attacker"), lawful_types=AT_JWT)
    alias = frozenset({"EdDSA"})
    proof = replace(
        ours, owner=bot, lawful_types=frozenset({"dpop+jwt"}), lawful_algorithms=alias, brings_key=True
    )
    match sink:
        case "client_assertion":
            types = frozenset({"client-authentication+jwt", "jwt", ""})
            known = replace(
                ours, owner=bot, lawful_types=types, lawful_algorithms=alias, one_element_audience=True,
                nameless_key=True,
            )  # fmt: skip
            return world.assertion("calendar-bot"), known
        case "request_object":
            known = replace(
                ours, owner=bot, lawful_types=frozenset({REQUEST_TYPE}), lawful_algorithms=alias,
                one_element_audience=True, nameless_key=True,
            )  # fmt: skip
            return signed_request(world), known
        case "proof_at_token":
            return world.proof("calendar-bot"), proof
        case "proof_at_resource":
            return world.proof("calendar-bot", RESOURCE, access_token=tokens["held"]), proof
        case "actor_token":
            return tokens["own"], ours
        case "envelope":
            return tokens["envelope"], replace(
                ours, owner=world.envelope_private, lawful_types=frozenset({"txntoken+jwt"})
            )
        case _:
            return tokens["held"], ours


def accepted(accepts: Accepts, mutations: Iterator[Mutation]) -> list[Mutation]:
    found = []
    for mutation in mutations:
        try:
            if accepts(mutation.token):
                found.append(mutation)
        except (OAuthError, EnvelopeRejected, EnvelopeTooLarge):
            continue
    return found


async def tokens_of(world: World) -> dict[str, str]:
    own = await world.own_token("calendar-bot")
    return {"own": own, "held": await world.task_token(actor_token=own), "envelope": world.envelope}


@pytest.mark.attack(
    "JW-01", "JW-02", "JW-03", "JW-04", "JW-05", "JW-06", "JW-07", "JW-08", "JW-09", "JW-10",
    "JW-13", "JW-15", "JW-17", "JW-18", "JW-21",
)  # fmt: skip
@pytest.mark.parametrize("sink", SINKS)
async def test_no_mutation_gets_in(world: World, sink: str) -> None:
    tokens = await tokens_of(world)
    valid, known = valid_for(sink, world, tokens)

    def work(tx: Any) -> list[Mutation]:
        accepts = getattr(Sinks(world, tx, tokens), sink)
        assert accepts(valid), "the place must take the token that was not changed"
        return accepted(accepts, corpus(valid, known))

    assert await world.uow.read(work) == []


@pytest.mark.attack("JW-24")
@pytest.mark.spec("RFC 8725", "3.12")
@pytest.mark.parametrize("sink", SINKS)
async def test_a_token_of_one_class_is_none_of_another(world: World, sink: str) -> None:
    tokens = await tokens_of(world)
    every = {name: valid_for(name, world, tokens)[0] for name in SINKS}
    lawful = {sink}
    if sink in {"introspected", "subject_token", "authorization"}:
        # All three take access tokens; whether one carries a task is judged elsewhere (TX-10).
        lawful |= {"introspected", "subject_token", "authorization"}
    if sink == "introspected":
        lawful |= {"actor_token"}

    def work(tx: Any) -> list[str]:
        accepts = getattr(Sinks(world, tx, tokens), sink)
        names = every.keys() - lawful
        tries = (Mutation(attack="JW-24", name=name, token=every[name]) for name in names)
        return [mutation.name for mutation in accepted(accepts, tries)]

    assert await world.uow.read(work) == []


@pytest.mark.attack("JW-01", "JW-09", "JW-13", "JW-18")
async def test_over_http_every_mutation_gets_one_public_error(world: World) -> None:
    """Every twelfth mutation, sent for real: a 4xx in OAuth's form, the same words for all."""
    tokens = await tokens_of(world)
    seen: dict[str, set[str]] = {}
    for sink, parameter in (("client_assertion", "client_assertion"), ("subject_token", "subject_token")):
        valid, known = valid_for(sink, world, tokens)
        for mutation in list(corpus(valid, known))[::12]:
            if not mutation.token.isascii() or len(mutation.token) > 40_000 or "\n" in mutation.token:
                continue
            form = {"grant_type": EXCHANGE, "subject_token_type": ACCESS_TOKEN, "resource": RESOURCE}
            answer = await world.ask("calendar-bot", **{**form, parameter: mutation.token or "x"})
            assert answer.status_code in {400, 401}, mutation
            if mutation.token and "\0" not in mutation.token:
                seen.setdefault(sink, set()).add(answer.text)
    assert {sink: len(texts) for sink, texts in seen.items()} == {"client_assertion": 1, "subject_token": 1}
    assert json.loads(next(iter(seen["subject_token"])))["error"] == "invalid_request"
