"""What a verifier remembers of a token changes what a request costs, never what it is answered."""

from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.authority.alive import TaskLife, Tombstone
from remit.authority.consent import GrantState
from remit.authority.lineage import line_of
from remit.authority.oauth.proving.verifier import AccessTokenVerifier, subject_of
from remit.authority.oauth.tokens.access import AccessToken, claims_of
from remit.authority.oauth.wire.errors import OAuthError, ProofRefused
from remit.authority.tasks import Task
from remit.authority.tokens import Proof, VerifiedSubject
from remit.identity.lifecycle import State
from remit.identity.principals import Principal
from remit.kernel.ids import (
    AgentId,
    EnvelopeId,
    GrantId,
    KeyId,
    PrincipalId,
    TaskId,
    TokenId,
    UserId,
)  # fmt: skip
from remit.kernel.jose import jwt
from remit.kernel.jose.dpop import MARGIN, WINDOW, make_proof
from remit.kernel.jose.keyring import Keyring
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState
from remit.kernel.jose.profiles import TokenType
from support.clock import NOON, FixedClock
from support.jose import AUDIENCE, ISSUER, TENANT, party, private_key

SIGNER = party(KeyClass.ACCESS_TOKEN)
OWN, OTHER = private_key("own"), private_key("other")


class Ground:
    """Everything lives but what was struck; each stroke is an epoch."""

    def __init__(self) -> None:
        self.struck: set[str] = set()
        self.count = 0
        self.entries: dict[PrincipalId, Principal] = {}

    def current(self) -> "Ground":
        return self

    async def catch_up(self) -> None:
        """It is always the present."""

    def strike(self, ident: str) -> None:
        self.struck.add(ident)
        self.count += 1

    def epoch(self) -> int:
        return self.count

    def tombstone(self, ident: str) -> Tombstone | None:
        if ident not in self.struck:
            return None
        return Tombstone(kind="any", ident=ident, epoch=self.count, cause="killed")

    def state_of(self, principal: PrincipalId) -> State | None:
        return State.ACTIVE if principal else None

    def life_of(self, task: TaskId) -> TaskLife | None:
        raise AssertionError(task)

    def standing_of(self, grant: GrantId) -> GrantState | None:
        raise AssertionError(grant)

    def principal(self, ident: PrincipalId) -> Principal | None:
        return self.entries.get(ident)

    def line(self, ident: PrincipalId) -> frozenset[PrincipalId]:
        return line_of(ident, self.principal)

    def task(self, ident: TaskId) -> Task | None:
        raise AssertionError(ident)


class Keys:
    """Our key, which may be compromised at any time."""

    def __init__(self) -> None:
        self.ring = Keyring.of([SIGNER.record], {})

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        return self.ring.find(kid, key_class)

    def compromise(self) -> None:
        self.ring = Keyring.of([replace(SIGNER.record, state=KeyState.COMPROMISED)], {})


def drawn_up(name: str, key: str) -> AccessToken:
    return AccessToken(
        id=TokenId(f"tok_{name}"),
        tenant=TENANT,
        issuer=ISSUER,
        subject="usr_ana",
        client=PrincipalId("ins_1"),
        audience=AUDIENCE,
        scopes=frozenset({"mcp:call"}),
        key=key,
        credential=KeyId("crd_1"),
        agent=AgentId("agt_1"),
        user=UserId("usr_ana"),
        task=None,
        chain=("spiffe://remit.example/agent/calendar-bot/ins_1",),
        ceiling=None,
        envelope="e" * 64,
        envelopes=(EnvelopeId(f"env_{name}"),),
        ancestors=(),
        generation=0,
        issued_at=NOON,
        expires_at=NOON + timedelta(seconds=300),
    )


def signed(token: AccessToken) -> str:
    return jwt.issue(claims_of(token), as_type=TokenType.ACCESS_TOKEN, signer=SIGNER.signer)


DRAWN = {name: drawn_up(name, OWN.public.thumbprint) for name in ("a", "b")}
TOKENS = {name: signed(token) for name, token in DRAWN.items()} | {
    "bearer": signed(drawn_up("bearer", "")),
    "other key's": signed(drawn_up("c", OTHER.public.thumbprint)),
    "bent": signed(DRAWN["a"])[:-6] + "AAAAAA",
}
Shown: TypeAlias = tuple[str, str, str, str, frozenset[str]]
SHOWN = st.tuples(
    st.sampled_from(["a", "a", "a", *sorted(TOKENS)]),
    st.sampled_from([*["right"] * 6, "other key", "other token", "other method", "old", "none"]),
    st.sampled_from([*["DPoP"] * 6, "dpop", "Bearer", "Basic"]),
    st.sampled_from([AUDIENCE, AUDIENCE, AUDIENCE, f"{ISSUER}/mcp/mail"]),
    st.sampled_from([frozenset[str](), frozenset({"mcp:call"}), frozenset({"mcp:other"})]),
)
BETWEEN = st.sampled_from(
    [
        *[("nothing", "")] * 6,
        *(("wait", 1), ("wait", 61), ("wait", 299), ("step", -60), ("step", -3), ("step", 3)),
        *(("strike", "tok_a"), ("strike", "env_b"), ("strike", "tok_none"), ("strike", "ins_1")),
        ("compromise", ""),
    ]
)


def outcome(
    verifier: AccessTokenVerifier, clock: FixedClock, shown: Shown
) -> VerifiedSubject | type[OAuthError]:
    name, how, scheme, audience, scopes = shown
    text = TOKENS[name]
    proof = make_proof(
        OTHER if how == "other key" else OWN,
        method="GET" if how == "other method" else "POST",
        target=audience,
        jti="one",
        at=clock.now() - timedelta(seconds=61 if how == "old" else 0),
        access_token=TOKENS["b" if name == "a" else "a"] if how == "other token" else text,
    )
    proofs = [] if how == "none" else [proof]
    try:
        return verifier.verify(
            f"{scheme} {text}", proofs, "POST", audience, audience, clock.now(), scopes=scopes
        )
    except OAuthError as refused:
        # A dead token has a subclass of its own, so that the view is caught up with once.
        return next(each for each in type(refused).__mro__ if each.__name__ != "LifelessToken")


@pytest.mark.promise("P1", "P16")
@pytest.mark.req("N2")
@given(st.lists(st.tuples(BETWEEN, SHOWN), min_size=1, max_size=10))
def test_a_verifier_that_remembers_answers_like_one_that_has_seen_nothing(
    steps: list[tuple[tuple[str, int | str], Shown]],
) -> None:
    ground, clock, keys = Ground(), FixedClock(), Keys()
    remembering = AccessTokenVerifier(keys=keys, standings=ground, clock=clock, size=2)
    for event, shown in steps:
        happen(event, ground, clock, keys)
        fresh = AccessTokenVerifier(keys=keys, standings=ground, clock=clock)
        assert outcome(remembering, clock, shown) == outcome(fresh, clock, shown)


def happen(event: tuple[str, int | str], ground: Ground, clock: FixedClock, keys: Keys) -> None:
    match event:
        case ("wait", int(seconds)):
            clock.advance(seconds)
        case ("step", int(seconds)):
            clock.step(seconds)
        case ("strike", str(ident)):
            ground.strike(ident)
        case ("compromise", _):
            keys.compromise()
        case _:
            assert event == ("nothing", "")


def test_what_is_remembered_gains_nothing_but_the_proof() -> None:
    ground, clock, keys = Ground(), FixedClock(), Keys()
    verifier = AccessTokenVerifier(keys=keys, standings=ground, clock=clock)
    for _ in range(2):
        found = outcome(verifier, clock, ("a", "right", "DPoP", AUDIENCE, frozenset()))
        proof = Proof(key=OWN.public.thumbprint, jti="one", keep_until=NOON + WINDOW + MARGIN)
        assert found == subject_of(DRAWN["a"], proof)
        assert isinstance(found, VerifiedSubject)
    refused = outcome(verifier, clock, ("a", "none", "DPoP", AUDIENCE, frozenset()))
    assert refused is ProofRefused


@pytest.mark.twin("RT-06")
def test_a_memory_without_epochs_would_answer_for_the_dead() -> None:
    class Still(Ground):
        def epoch(self) -> int:
            return 0

    ground, clock, keys = Still(), FixedClock(), Keys()
    verifier = AccessTokenVerifier(keys=keys, standings=ground, clock=clock)
    shown = ("a", "right", "DPoP", AUDIENCE, frozenset[str]())
    outcome(verifier, clock, shown)
    ground.strike("tok_a")
    assert isinstance(outcome(verifier, clock, shown), VerifiedSubject)
