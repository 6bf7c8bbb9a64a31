"""DE: hops that we recorded for who asked by token exchange, and hops that only look like it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.authority.envelope import SEPARATOR, Making, hop_claims
from remit.authority.errors import EnvelopeRejected
from remit.authority.recorded_hop import STANDS_ON_LIMIT, read_recorded, recorded_claims
from remit.authority.verify import EnvelopeVerifier
from remit.kernel.canonical import canonical_json
from remit.kernel.jose import jws
from remit.kernel.jose.keys import Signer
from remit.kernel.jose.profiles import TokenType
from support.builders import Cast
from support.clock import NOON
from support.envelope_oracle import oracle_accepts
from support.jose import private_key
from support.oauth import claims_in
from twins import envelopes as lax

LINK = TokenType.RECORDED_HOP.value
NAMES = ("ada", "bob", "cyd", "dan")


@pytest.fixture
def cast() -> Cast:
    return Cast.of(*NAMES)


def why(text: str, cast: Cast, kind: type[EnvelopeVerifier] = EnvelopeVerifier) -> tuple[int, str] | None:
    """Step and reason of the refusal; None for what holds."""
    try:
        cast.verifier(kind).verify(text, at=NOON)
    except EnvelopeRejected as rejected:
        return rejected.step, rejected.reason
    return None


def relabelled(text: str, signer: Signer, *, typ: str = LINK, **changes: Any) -> str:
    """The last part said anew, by another key or under another type."""
    before, _, last = text.rpartition(SEPARATOR)
    header = {"kid": signer.kid, "typ": typ}
    said = {name: value for name, value in {**claims_in(last), **changes}.items() if value is not None}
    return before + SEPARATOR + jws.sign(header, canonical_json(said), signer.private)


@pytest.mark.req("R32")
def test_signed_and_recorded_hops_stand_behind_each_other(cast: Cast) -> None:
    text, held = cast.root("ada")
    text, held = cast.hop(text, held, "ada", "bob")
    text, held = cast.recorded(text, held, "bob", "cyd", stands_on=("tok_1", "tok_2"))
    text, held = cast.hop(text, held, "cyd", "dan")
    found = cast.verifier().verify(text, at=NOON)
    assert [hop.made for hop in found.hops] == [Making.SIGNED, Making.EXCHANGED, Making.SIGNED]
    assert [hop.issuer for hop in found.hops] == ["ins_ada", "ins_bob", "ins_cyd"]
    assert (found.scope, found.stands_on) == ("mcp", ("tok_1", "tok_2"))
    assert found.hops[1] == read_recorded(recorded_claims(found.hops[1]))
    # A second verifier, written from the description with none of our code, says so too.
    assert oracle_accepts(text, cast, at=NOON)


@pytest.mark.req("R32")
@pytest.mark.attack("DE-01", "DE-04", "DE-05", "DE-10")
def test_a_recorded_hop_is_judged_like_any_other(cast: Cast) -> None:
    text, held = cast.root("ada")
    other, _ = cast.root("ada", subject="usr_ada", limit=replace(held, depth=3))
    good, left = cast.recorded(text, held, "ada", "bob")
    stranger = private_key("somebody").public.thumbprint
    spliced = other + SEPARATOR + good.rpartition(SEPARATOR)[2]
    twice = good + SEPARATOR + good.rpartition(SEPARATOR)[2]
    after = NOON + timedelta(hours=5)
    cases: dict[str, tuple[str, tuple[int, str]]] = {
        "another giver": (cast.recorded(text, held, "cyd", "bob")[0], (8, "not_the_named_agent")),
        "a key of nobody": (cast.recorded(text, held, "ada", "bob", key=stranger)[0], (8, "key_not_held")),
        "another chain": (spliced, (7, "other_prefix")),
        "twice": (twice, (7, "other_prefix")),
        "wider": (cast.recorded(text, held, "ada", "bob", ceiling=held)[0], (10, "too_deep")),
        "longer": (cast.recorded(text, held, "ada", "bob", expires_at=after)[0], (10, "outlives_parent")),
        "scope": (cast.recorded(good, left, "bob", "cyd", scope="mcp remit.act")[0], (10, "scope_widened")),
        "all scopes": (cast.recorded(good, left, "bob", "cyd", scope="task")[0], (10, "scope_widened")),
        "loop": (cast.recorded(good, left, "bob", "ada")[0], (11, "loop")),
        "malformed": (relabelled(good, cast.ours.signer, on=[]), (5, "malformed")),
        "much": (
            relabelled(good, cast.ours.signer, on=[f"tok_{n}" for n in range(STANDS_ON_LIMIT + 1)]),
            (5, "malformed"),
        ),
        "without a key": (relabelled(good, cast.ours.signer, key=None), (4, "claim_missing")),
    }
    for name, (forged, expected) in cases.items():
        assert why(forged, cast) == expected, name
        if name != "much":  # how many are too many is ours to say
            assert not oracle_accepts(forged, cast, at=NOON), name
    assert why(good, cast) is None
    assert oracle_accepts(good, cast, at=NOON)


@pytest.mark.attack("DE-10")
@pytest.mark.parametrize("ending", ["instance", "key"])
def test_it_lives_no_longer_than_its_giver_and_the_key_with_which_it_was_asked(
    cast: Cast, ending: str
) -> None:
    text, held = cast.root("ada")
    text, _ = cast.recorded(text, held, "ada", "bob")
    assert why(text, cast) is None
    ada = cast.actors["ada"]
    if ending == "instance":
        cast.dead.add(ada.instance)
    else:
        cast.revoked.add(ada.key.record.kid)
    assert why(text, cast) is not None
    assert not oracle_accepts(text, cast, at=NOON)


@pytest.mark.req("R32")
@pytest.mark.attack("DE-14")
def test_what_a_part_may_be_follows_from_the_class_of_its_key(cast: Cast) -> None:
    text, held = cast.root("ada")
    signed, _ = cast.hop(text, held, "ada", "bob")
    recorded, _ = cast.recorded(text, held, "ada", "bob")
    ada, ours = cast.actors["ada"].signer, cast.ours.signer
    forged = {
        "an agent's key under the recorded type": relabelled(recorded, ada),
        "that, in its own name": relabelled(recorded, ada, iss="ins_ada"),
        "a forger's key under our kid": relabelled(recorded, replace(ours, private=private_key("forger"))),
        "our key under the signed type": relabelled(signed, ours, typ=TokenType.HOP.value),
        "our key, signed type, in our name": relabelled(recorded, ours, typ=TokenType.HOP.value),
        "a recorded hop as a root": recorded.rpartition(SEPARATOR)[2],
        "the root's type on a hop": relabelled(recorded, ours, typ=TokenType.ENVELOPE.value),
        "a type of nobody": relabelled(recorded, ours, typ="remit-lnk"),
    }
    for name, wrong in forged.items():
        found = why(wrong, cast)
        assert found is not None, name
        assert found[0] in {2, 4}, name
        assert not oracle_accepts(wrong, cast, at=NOON), name


@pytest.mark.twin("DE-14")
@pytest.mark.parametrize("forger", ["ada", "dan"])
def test_a_forged_link_would_pass_where_any_key_may_make_a_recorded_one(cast: Cast, forger: str) -> None:
    """Dan, whom nothing names, hands ada's task to cyd; or ada does it for herself without asking."""
    text, held = cast.root("ada")
    good, _ = cast.recorded(text, held, "ada", "cyd")
    forged = relabelled(good, cast.actors[forger].signer)
    assert why(forged, cast) == (4, "key_unknown")
    assert why(forged, cast, lax.AnyKeyRecords) is None
    assert why(good, cast) is None


@pytest.mark.req("R32")
def test_our_issuer_records_for_roots_of_ours_alone(cast: Cast) -> None:
    """A hop states whose it is; a signed one can't state it at all."""
    text, held = cast.root("ada")
    good, _ = cast.recorded(text, held, "ada", "bob")
    assert why(relabelled(good, cast.ours.signer, iss="https://other.example"), cast) == (4, "wrong_issuer")
    hop = cast.verifier().verify(good, at=NOON).hops[0]
    assert "by" not in hop_claims(hop)
