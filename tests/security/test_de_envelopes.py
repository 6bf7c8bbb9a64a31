"""Attacks on delegation envelopes: every operation at every position of a valid four-hop chain."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache, partial
from itertools import pairwise

import pytest

from remit.authority.envelope import (
    SEPARATOR,
    Delegation,
    Envelope,
    Hop,
    parse_envelope,
    read_hop,
    text_digest,
)
from remit.authority.errors import EnvelopeRejected, EnvelopeTooLarge
from remit.authority.rights import Ceiling, Money
from remit.authority.verify import EnvelopeVerifier, bind, require_envelope
from remit.kernel.canonical import Json, b64u, canonical_json
from remit.kernel.errors import RemitError
from remit.kernel.ids import AgentId, InstanceId, TaskId, TenantId
from remit.kernel.jose import jws
from support.builders import BOOK, HOUR, READ, Cast, actor, at_most, ceiling, right
from support.clock import NOON
from support.envelope_oracle import oracle_accepts

NAMES = ("ada", "bob", "cyd", "dan", "eve")
HOPS = len(NAMES) - 1
CAST = Cast.of(*NAMES, "mal", "zoe")
OTHER = replace(actor("foreign", tenant=TenantId("other")))
CAST.actors["foreign"] = OTHER


@dataclass(frozen=True)
class Attack:
    """One forged envelope and the ids of the catalogue that it stands for."""

    name: str
    ids: tuple[str, ...]
    text: str
    at: datetime = NOON + timedelta(minutes=1)


@lru_cache
def valid() -> str:
    return CAST.chain(*NAMES)


@lru_cache
def valid_elsewhere() -> str:
    """The same agents in another task: what one splices from."""
    text, allowed = CAST.root(NAMES[0], task="tsk_2")
    for giver, taker in pairwise(NAMES):
        text, allowed = CAST.hop(text, allowed, giver, taker, task="tsk_2")
    return text


def accepts(
    text: str, *, at: datetime = NOON + timedelta(minutes=1), verifier: EnvelopeVerifier | None = None
) -> bool:
    try:
        found = (verifier or CAST.verifier()).verify(text, at=at)
        # What a door does next: the token names this task, these bytes and this holder.
        bind(
            found,
            task=TaskId("tsk_1"),
            digest=text_digest(text),
            agent=CAST.actors["eve"].agent,
            chain=len(NAMES),
        )
    except RemitError:
        return False
    return True


def parts() -> list[str]:
    return valid().split(SEPARATOR)


def claims_of(part: str) -> dict[str, Json]:
    payload = part.split(".")[1]
    body: dict[str, Json] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return body


def resigned(position: int, change: Callable[[Hop], Hop], *, heal: bool) -> str:
    """Change one hop with its own signer's key; `heal` lets all later signers sign the new prefix."""
    found = parts()
    text = SEPARATOR.join(found[:position])
    for index in range(position, len(found)):
        hop = read_hop(claims_of(found[index]))
        if index == position:
            hop = change(hop)
        elif heal:
            hop = replace(hop, previous=text_digest(text))
        giver = next((name for name in NAMES if CAST.actors[name].instance == hop.issuer), "mal")
        text = CAST.sign(text, hop, giver=giver)
    return text


def widenings(parent: Ceiling) -> Iterator[tuple[str, Ceiling]]:
    """Ceilings that are more than the parent, one part each."""
    yield "action", replace(parent, rights=parent.rights | {right("business/refunds.pay")})
    yield "resource", replace(parent, rights=parent.rights | {right(READ, "any", resource_type="Customer")})
    yield "end", replace(parent, window=replace(parent.window, end=parent.window.end + HOUR))
    yield "start", replace(parent, window=replace(parent.window, start=parent.window.start - HOUR))
    yield "calls", replace(parent, caps=replace(parent.caps, calls=10_000))
    yield "no_calls", replace(parent, caps=replace(parent.caps, calls=None))
    yield "purpose", replace(parent, purpose="any")
    yield "other_purpose", replace(parent, purpose="refunds")
    yield "depth", replace(parent, depth=10)


def with_ceiling(wide: Ceiling, hop: Hop) -> Hop:
    return replace(hop, ceiling=wide)


def hop_changes() -> Iterator[tuple[str, str, Callable[[Hop], Hop]]]:
    """Lawfully signed lies of one hop."""
    for name, wide in widenings(ceiling(purpose="booking")):
        yield "DE-05", f"widen {name}", partial(with_ceiling, wide)
    yield "DE-05", "keep depth", lambda hop: replace(hop, ceiling=replace(hop.ceiling, depth=8))
    yield "DE-09", "outlive", lambda hop: replace(hop, expires_at=NOON + 5 * HOUR)
    yield "DE-09", "future", lambda hop: replace(hop, issued_at=NOON + HOUR)
    yield "DE-09", "past", lambda hop: replace(hop, issued_at=NOON - 3 * HOUR)
    yield "DE-09", "expired", lambda hop: replace(hop, expires_at=NOON - HOUR)
    yield "DE-07", "other task", lambda hop: replace(hop, task=TaskId("tsk_9"))
    yield "DE-03", "depth up", lambda hop: replace(hop, depth=hop.depth + 1)
    yield "DE-03", "depth down", lambda hop: replace(hop, depth=hop.depth - 1)
    yield "DE-01", "to stranger", lambda hop: replace(hop, next=AgentId("agt_mal"))
    yield "DE-01", "to first", lambda hop: replace(hop, next=AgentId("agt_ada"))
    yield "DE-01", "to nobody", lambda hop: replace(hop, next=AgentId("agt_nobody"))
    yield "DE-10", "by stranger", lambda hop: replace(hop, issuer=InstanceId("ins_mal"))
    yield "DE-10", "by nobody", lambda hop: replace(hop, issuer=InstanceId("ins_nobody"))
    yield "DE-13", "by foreigner", lambda hop: replace(hop, issuer=InstanceId("ins_foreign"))
    yield "DE-15", "prev zero", lambda hop: replace(hop, previous="0" * 64)
    yield "DE-15", "prev upper", lambda hop: replace(hop, previous=hop.previous.upper())
    yield "DE-15", "prev of nothing", lambda hop: replace(hop, previous=text_digest(""))


def lies() -> Iterator[Attack]:
    """Each lie at each hop, with and without later signers who go along."""
    for position in range(1, HOPS + 1):
        for ident, name, change in hop_changes():
            for heal in (False, True):
                text = resigned(position, change, heal=heal)
                yield Attack(f"{name} at {position} heal={heal}", (ident,), text)


def arrangements() -> Iterator[Attack]:
    """Parts taken out, doubled, exchanged, or from another chain."""
    found, foreign = parts(), valid_elsewhere().split(SEPARATOR)
    count = len(found)
    for position in range(count):
        without = found[:position] + found[position + 1 :]
        yield Attack(f"drop {position}", ("DE-02",), SEPARATOR.join(without))
        doubled = found[: position + 1] + found[position:]
        yield Attack(f"double {position}", ("DE-04",), SEPARATOR.join(doubled))
        for target in range(count + 1):
            spliced = [*found[:target], foreign[position], *found[target:]]
            yield Attack(f"insert {position} at {target}", ("DE-01",), SEPARATOR.join(spliced))
        spliced = [*found]
        spliced[position] = foreign[position]
        yield Attack(f"splice {position}", ("DE-01",), SEPARATOR.join(spliced))
        yield (
            Attack(
                f"tail of another from {position}",
                ("DE-01",),
                SEPARATOR.join(found[:position] + foreign[position:]),
            )
            if position
            else Attack("all of another", ("DE-07",), valid_elsewhere())
        )
        for other in range(position + 1, count):
            swapped = [*found]
            swapped[position], swapped[other] = swapped[other], swapped[position]
            yield Attack(f"swap {position} {other}", ("DE-03",), SEPARATOR.join(swapped))
    for length in range(1, count):
        yield Attack(f"first {length}", ("DE-02",), SEPARATOR.join(found[:length]))


def flips() -> Iterator[Attack]:
    """One character of each segment of each part, at many places."""
    found = parts()
    for position, part in enumerate(found):
        segments = part.split(".")
        for index, segment in enumerate(segments):
            for place in range(0, len(segment), max(1, len(segment) // 160)):
                other = "A" if segment[place] != "A" else "B"
                changed = [*segments]
                changed[index] = segment[:place] + other + segment[place + 1 :]
                rest = [*found]
                rest[position] = ".".join(changed)
                yield Attack(f"flip {position}.{index}@{place}", ("DE-01",), SEPARATOR.join(rest))


def confusions() -> Iterator[Attack]:
    """Right key, right claims, wrong class of token; and headers that choose for themselves (DE-14)."""
    found = parts()
    for position in range(1, HOPS + 1):
        giver = CAST.actors[NAMES[position - 1]]
        payload = canonical_json(claims_of(found[position]))
        headers: list[Mapping[str, Json]] = [
            {"kid": giver.key.record.kid, "typ": typ}
            for typ in ("at+jwt", "dpop+jwt", "secevent+jwt", "JWT", "txntoken+jwt", "remit-cap+jwt")
        ]
        headers += [
            {"kid": CAST.ours.record.kid, "typ": "remit-env+jwt"},
            {"kid": CAST.actors["mal"].key.record.kid, "typ": "remit-env+jwt"},
            {"kid": giver.key.record.kid, "typ": "remit-env+jwt", "jku": "https://evil.example/jwks"},
            {"kid": giver.key.record.kid, "typ": "remit-env+jwt", "crit": ["prev"]},
            {"typ": "remit-env+jwt"},
        ]
        for number, header in enumerate(headers):
            forged = jws.sign(header, payload, giver.key.private)
            rest = [*found]
            rest[position] = forged
            yield Attack(f"class {number} at {position}", ("DE-14",), SEPARATOR.join(rest))
        unsigned = b64u(canonical_json({"alg": "none", "typ": "remit-env+jwt"}))
        rest = [*found]
        rest[position] = f"{unsigned}.{b64u(payload)}."
        yield Attack(f"none at {position}", ("DE-14",), SEPARATOR.join(rest))


def recodings() -> Iterator[Attack]:
    """The same content in other bytes: padding, white space, escapes, another separator (DE-15)."""
    text = valid()
    for separator in (".", "~~", "%7E", "~ ", " ~", "\n~", ",", "|", "\u02dc"):
        yield Attack(f"separator {separator!r}", ("DE-15",), text.replace(SEPARATOR, separator))
    for suffix in ("~", " ", "\n", "=", "~x", "\u0000", "\u00e9"):
        yield Attack(f"suffix {suffix!r}", ("DE-15",), text + suffix)
        yield Attack(f"prefix {suffix!r}", ("DE-15",), suffix + text)
    found = parts()
    for position, part in enumerate(found):
        padded = [*found]
        padded[position] = ".".join(segment + "=" * (-len(segment) % 4 or 4) for segment in part.split("."))
        yield Attack(f"padding {position}", ("DE-15",), SEPARATOR.join(padded))
        standard = [*found]
        standard[position] = part.replace("-", "+").replace("_", "/")
        if standard[position] != part:
            yield Attack(f"base64 {position}", ("DE-15",), SEPARATOR.join(standard))


def moments() -> Iterator[Attack]:
    """A good envelope before it began and after each end (DE-09)."""
    for minutes in (-120, -31, 61, 90, 241, 1440, 10_000_000):
        yield Attack(f"at {minutes} min", ("DE-09",), valid(), NOON + timedelta(minutes=minutes))


def all_attacks() -> Iterator[Attack]:
    for make in (lies, arrangements, flips, confusions, recodings, moments):
        yield from make()


@pytest.mark.req("R30", "R31", "N23")
def test_the_valid_chain_verifies() -> None:
    found = CAST.verifier().verify(valid(), at=NOON + timedelta(minutes=1))
    assert [hop.issuer for hop in found.hops] == [f"ins_{name}" for name in NAMES[:-1]]
    assert found.agents == tuple(AgentId(f"agt_{name}") for name in NAMES)
    assert found.holder == "agt_eve"
    assert found.digest == text_digest(valid())
    assert accepts(valid())
    assert oracle_accepts(valid(), CAST, at=NOON + timedelta(minutes=1))


@pytest.mark.req("R30", "R31", "R38", "N25")
@pytest.mark.attack(
    "DE-01", "DE-02", "DE-03", "DE-04", "DE-05", "DE-07", "DE-09", "DE-10", "DE-13", "DE-14", "DE-15"
)
@pytest.mark.promise("P6", "P7")
def test_no_operation_at_any_position_is_accepted() -> None:
    attacks = list(all_attacks())
    assert len(attacks) >= 2000, len(attacks)
    assert [attack.name for attack in attacks if accepts(attack.text, at=attack.at)] == []


@pytest.mark.promise("P6", "P7")
def test_an_independent_verifier_agrees_on_every_case() -> None:
    verifier = CAST.verifier()

    def ours(attack: Attack) -> bool:
        try:
            verifier.verify(attack.text, at=attack.at)
        except RemitError:
            return False
        return True

    attacks = list(all_attacks())
    differ = [
        attack.name for attack in attacks if ours(attack) != oracle_accepts(attack.text, CAST, at=attack.at)
    ]
    assert differ == []


class BlindToPrefix(EnvelopeVerifier):
    """The verifier without the link between parts."""

    def _check_previous(self, envelope: Envelope, position: int, hop: Hop) -> None:
        return


class BlindToWidth(EnvelopeVerifier):
    """The verifier that believes each hop's ceiling."""

    def _check_narrowing(self, parent: object, hop: Hop, position: int) -> None:
        return


class BlindToSigner(EnvelopeVerifier):
    """The verifier that takes any registered instance for the one that was named."""

    def _check_signer(self, parent: object, hop: Hop, position: int) -> None:
        return


class BlindToLoops(EnvelopeVerifier):
    """The verifier that lets an agent appear twice."""

    def _check_loop(self, root: object, before: object, hop: Hop, position: int) -> None:
        return


class BlindToSource(EnvelopeVerifier):
    """The verifier that takes any subject for a root."""

    def _check_source(self, root: object) -> None:
        return


class BlindToPlace(EnvelopeVerifier):
    """The verifier that reads neither task nor position."""

    def _check_place(self, root: object, hop: Hop, position: int) -> None:
        return


@pytest.mark.twin("DE-01", "DE-02", "DE-03", "DE-15")
def test_without_the_prefix_a_hop_of_another_chain_is_accepted() -> None:
    text = resigned(2, lambda hop: replace(hop, previous="0" * 64), heal=False)
    assert not accepts(text)
    assert accepts(text, verifier=CAST.verifier(BlindToPrefix))


@pytest.mark.twin("DE-05", "DE-09")
def test_without_narrowing_a_wider_hop_is_accepted() -> None:
    wide = ceiling(right("business/refunds.pay"), purpose="any", depth=10)
    text = resigned(3, lambda hop: replace(hop, ceiling=wide, expires_at=NOON + 9 * HOUR), heal=True)
    assert not accepts(text)
    assert accepts(text, verifier=CAST.verifier(BlindToWidth))


@pytest.mark.twin("DE-10")
def test_without_the_signer_check_a_stranger_can_delegate() -> None:
    text = resigned(2, lambda hop: replace(hop, issuer=InstanceId("ins_mal")), heal=True)
    assert not accepts(text)
    assert accepts(text, verifier=CAST.verifier(BlindToSigner))


@pytest.mark.twin("DE-07")
def test_without_the_place_check_a_hop_may_name_another_task() -> None:
    text = resigned(2, lambda hop: replace(hop, task=TaskId("tsk_9")), heal=True)
    assert not accepts(text)
    assert accepts(text, verifier=CAST.verifier(BlindToPlace))


def looping() -> str:
    text, allowed = CAST.root("ada")
    for giver, taker in (("ada", "bob"), ("bob", "ada")):
        text, allowed = CAST.hop(text, allowed, giver, taker)
    return text


@pytest.mark.attack("DE-06")
@pytest.mark.req("N24")
def test_a_loop_is_refused() -> None:
    with pytest.raises(EnvelopeRejected) as refused:
        CAST.verifier().verify(looping(), at=NOON)
    assert (refused.value.step, refused.value.part, refused.value.reason) == (11, 2, "loop")
    assert CAST.verifier(BlindToLoops).verify(looping(), at=NOON).holder == "agt_ada"


@pytest.mark.attack("DE-11")
def test_a_root_of_nobody_is_refused() -> None:
    text, _ = CAST.root("ada", subject="usr_nobody")
    with pytest.raises(EnvelopeRejected) as refused:
        CAST.verifier().verify(text, at=NOON)
    assert (refused.value.step, refused.value.reason) == (3, "unknown_source")


@pytest.mark.twin("DE-11")
def test_without_the_source_check_nobody_can_want_something() -> None:
    text, _ = CAST.root("ada", subject="usr_nobody")
    assert CAST.verifier(BlindToSource).verify(text, at=NOON).root.subject == "usr_nobody"


@pytest.mark.attack("DE-10")
@pytest.mark.promise("P12")
def test_a_dead_instance_or_a_revoked_key_delegates_nothing() -> None:
    for change in ("dead", "revoked"):
        cast = Cast.of(*NAMES)
        text = cast.chain(*NAMES)
        assert cast.verifier().verify(text, at=NOON).holder == "agt_eve"
        if change == "dead":
            cast.dead.add(cast.actors["bob"].instance)
        else:
            cast.revoked.add(cast.actors["bob"].key.record.kid)
        with pytest.raises(EnvelopeRejected) as refused:
            cast.verifier().verify(text, at=NOON)
        assert refused.value.part == 2


@pytest.mark.attack("DE-13")
@pytest.mark.promise("P11")
def test_a_hop_by_another_tenants_agent_is_refused() -> None:
    text, allowed = CAST.root("foreign")
    text, _ = CAST.hop(text, allowed, "foreign", "bob")
    with pytest.raises(EnvelopeRejected) as refused:
        CAST.verifier().verify(text, at=NOON)
    assert (refused.value.step, refused.value.reason) == (6, "other_tenant")


@pytest.mark.attack("DE-06")
@pytest.mark.promise("P13")
@pytest.mark.parametrize("hops", [11, 33, 10_000])
def test_too_many_hops_are_refused_before_any_is_read(hops: int) -> None:
    with pytest.raises(EnvelopeTooLarge):
        parse_envelope(SEPARATOR.join(["a.b.c"] * (hops + 1)))


@pytest.mark.attack("DE-06")
@pytest.mark.promise("P13")
@pytest.mark.parametrize("size", [(16 << 10) + 1, 1 << 20])
def test_a_part_over_its_size_is_refused(size: int) -> None:
    with pytest.raises(EnvelopeTooLarge):
        parse_envelope("a" * size)
    assert parse_envelope("a" * (16 << 10)).parts


@pytest.mark.attack("DE-06")
@pytest.mark.promise("P13")
def test_ten_hops_verify_and_an_eleventh_can_not_be_built() -> None:
    names = [f"n{number}" for number in range(12)]
    cast = Cast.of(*names)
    text, allowed = cast.root("n0", limit=ceiling(depth=10, purpose="booking"))
    for giver, taker in pairwise(names[:11]):
        text, allowed = cast.hop(text, allowed, giver, taker)
    assert len(cast.verifier().verify(text, at=NOON).hops) == 10
    with pytest.raises(RemitError):
        cast.hop(text, allowed, "n10", "n11")


@pytest.mark.attack("DE-17")
def test_a_missing_envelope_is_never_taken_for_a_root() -> None:
    require_envelope("", chain=1)
    for chain in (2, 5, 10):
        with pytest.raises(EnvelopeRejected) as refused:
            require_envelope("", chain=chain)
        assert refused.value.reason == "missing"


@pytest.mark.attack("DE-02", "DE-07", "DE-17")
def test_a_token_fits_one_envelope_only() -> None:
    found = CAST.verifier().verify(valid(), at=NOON)
    right_one = {
        "task": found.task,
        "digest": found.digest,
        "agent": found.holder,
        "chain": len(NAMES),
    }
    bind(found, **right_one)  # type: ignore[arg-type]  # a dict of the four, to vary one at a time
    for name, value in {
        "task": TaskId("tsk_2"),
        "digest": text_digest(valid_elsewhere()),
        "agent": AgentId("agt_dan"),
        "chain": 4,
    }.items():
        with pytest.raises(EnvelopeRejected):
            bind(found, **{**right_one, name: value})  # type: ignore[arg-type]  # as above


@pytest.mark.attack("DE-05")
def test_money_and_constraints_narrow_too() -> None:
    bound = ceiling(
        right(BOOK, "any", at_most("/amount", "100")),
        money=(Money(currency="EUR", minor=10_000),),
        purpose="booking",
    )
    text, allowed = CAST.root("ada", limit=bound)
    wider = (
        replace(allowed, rights=frozenset({right(BOOK)}), depth=7),
        replace(allowed, rights=frozenset({right(BOOK, "any", at_most("/amount", "101"))}), depth=7),
        replace(allowed, caps=replace(allowed.caps, money=()), depth=7),
        replace(allowed, caps=replace(allowed.caps, money=(Money(currency="EUR", minor=10_001),)), depth=7),
    )
    for number, wide in enumerate(wider):
        good, _ = CAST.hop(text, allowed, "ada", "bob")
        hop = replace(read_hop(claims_of(good.split(SEPARATOR)[1])), ceiling=wide)
        with pytest.raises(EnvelopeRejected) as refused:
            CAST.verifier().verify(CAST.sign(text, hop, giver="ada"), at=NOON)
        assert refused.value.reason == "widened", number


@pytest.mark.req("N23")
def test_both_kinds_of_delegation_only_narrow() -> None:
    text, allowed = CAST.root("ada")
    for kind in Delegation:
        found, left = CAST.hop(text, allowed, "ada", "bob", kind=kind)
        assert CAST.verifier().verify(found, at=NOON).hops[0].kind is kind
        assert left.depth == allowed.depth - 1
