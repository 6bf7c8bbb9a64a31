"""DE: envelopes that only one check stands against, before a verifier that lacks this check."""

from dataclasses import replace
from itertools import pairwise

import pytest

from remit.authority.envelope import SEPARATOR, hop_claims
from remit.authority.verify import EnvelopeVerifier
from remit.kernel.canonical import canonical_json
from remit.kernel.errors import RemitError
from remit.kernel.ids import TenantId
from remit.kernel.jose import jws
from support.builders import TRUST_DOMAIN, Cast, actor
from support.clock import NOON
from support.jose import Keys
from twins import envelopes as lax

CAST = Cast.of("ada", "bob", "cyd", "dan")
FOREIGN = actor("foreign", tenant=TenantId("other"))
CAST.actors["foreign"] = FOREIGN


def passes(text: str, kind: type[EnvelopeVerifier] = EnvelopeVerifier) -> bool:
    return holds(text, CAST.verifier(kind))


def holds(text: str, verifier: EnvelopeVerifier) -> bool:
    try:
        verifier.verify(text, at=NOON)
    except RemitError:
        return False
    return True


def doubled(position: int) -> str:
    parts = CAST.chain("ada", "bob", "cyd", "dan").split(SEPARATOR)
    return SEPARATOR.join([*parts[: position + 1], *parts[position:]])


@pytest.mark.twin("DE-04")
@pytest.mark.parametrize("position", [1, 2, 3])
def test_a_hop_would_count_twice_where_order_is_not_looked_at(position: int) -> None:
    assert not passes(doubled(position))
    assert passes(doubled(position), lax.BlindToOrder)


def endless(hops: int) -> str:
    """A chain of many agents, each of whom gives on all that it has."""
    cast = CAST
    names = [f"n{number}" for number in range(hops + 1)]
    cast.actors |= {name: actor(name) for name in names}
    text, allowed = cast.root(names[0])
    for depth, (giver, taker) in enumerate(pairwise(names), start=1):
        plain, _ = cast.hop(text, replace(allowed, depth=1), giver, taker)
        hop = replace(lax.hop_in(plain), depth=depth, ceiling=allowed)
        text = cast.sign(text, hop, giver=giver)
    return text


@pytest.mark.twin("DE-06")
@pytest.mark.parametrize("hops", [11, 33])
def test_a_chain_would_have_no_end_where_nobody_counts(hops: int) -> None:
    text = endless(hops)
    assert not passes(text)
    assert passes(text, lax.Unbounded)


@pytest.mark.twin("DE-13")
def test_another_tenants_agent_would_delegate_where_the_keys_owner_is_not_asked() -> None:
    text, allowed = CAST.root("foreign")
    text, _ = CAST.hop(text, allowed, "foreign", "bob")
    relabelling = EnvelopeVerifier(
        trust_domain=TRUST_DOMAIN,
        roots=Keys([CAST.ours.record]),
        delegates=lax.OneTenant(CAST),
        directory=CAST,
    )
    assert not passes(text)
    assert holds(text, relabelling)


@pytest.mark.twin("DE-14")
@pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "secevent+jwt", "txntoken+jwt", "JWT"])
def test_a_token_of_another_class_would_be_a_hop_where_the_type_is_not_read(typ: str) -> None:
    text, allowed = CAST.root("ada")
    good, _ = CAST.hop(text, allowed, "ada", "bob")
    hop = lax.hop_in(good)
    header = {"kid": CAST.actors["ada"].key.record.kid, "typ": typ}
    forged = jws.sign(header, canonical_json(hop_claims(hop)), CAST.actors["ada"].key.private)
    assert passes(good)
    assert passes(good, lax.BlindToType)
    assert not passes(f"{text}{SEPARATOR}{forged}")
    assert passes(f"{text}{SEPARATOR}{forged}", lax.BlindToType)


def test_the_careless_verifiers_still_take_what_is_good() -> None:
    text = CAST.chain("ada", "bob", "cyd")
    for kind in (lax.BlindToOrder, lax.Unbounded, lax.BlindToType):
        assert passes(text, kind)
