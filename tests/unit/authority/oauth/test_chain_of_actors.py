"""`act` is built from verified links, nests newest outermost, and never loops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.authority.oauth.wire.actors import CHAIN_LIMIT, extend, nest, unnest
from remit.authority.oauth.wire.errors import AccessDenied
from remit.kernel.canonical import Json


def actor(name: str, instance: str = "ins_1") -> str:
    return f"spiffe://remit.example/agent/{name}/{instance}"


NAMES = st.lists(st.sampled_from([actor(f"bot-{n}") for n in range(20)]), unique=True, max_size=CHAIN_LIMIT)


@given(NAMES)
def test_nesting_and_reading_are_inverse(names: list[str]) -> None:
    assert unnest(nest(tuple(names))) == tuple(names)


@pytest.mark.spec("RFC 8693", "4.1")
def test_the_newest_actor_is_outermost() -> None:
    assert nest((actor("a"), actor("b"))) == {"sub": actor("b"), "act": {"sub": actor("a")}}


@pytest.mark.attack("TX-07")
def test_a_loop_is_refused_also_through_another_instance() -> None:
    chain = (actor("a"), actor("b"))
    for again in (actor("a"), actor("a", "ins_9")):
        with pytest.raises(AccessDenied) as refused:
            extend(chain, again)
        assert refused.value.reason == "chain_loops"


@pytest.mark.attack("TX-07")
def test_the_eleventh_member_is_refused() -> None:
    chain: tuple[str, ...] = ()
    for number in range(CHAIN_LIMIT):
        chain = extend(chain, actor(f"bot-{number}"))
    with pytest.raises(AccessDenied) as refused:
        extend(chain, actor("one-too-many"))
    assert refused.value.reason == "chain_too_deep"


def test_the_same_actor_again_changes_nothing() -> None:
    assert extend((actor("a"),), actor("a")) == (actor("a"),)


@pytest.mark.parametrize(
    "act", ["x", 1, True, [], {}, {"sub": ""}, {"sub": 1}, {"sub": "a", "iss": "b"}, {"sub": "a", "act": "b"}]
)
def test_an_odd_act_is_never_read(act: Json) -> None:
    with pytest.raises(ValueError, match="act"):
        unnest(act)


@pytest.mark.attack("TX-07")
def test_a_chain_deeper_than_the_limit_is_never_read() -> None:
    deep: Json = None
    for number in range(CHAIN_LIMIT + 1):
        deep = {"sub": actor(str(number)), "act": deep} if deep else {"sub": actor(str(number))}
    with pytest.raises(ValueError, match="act"):
        unnest(deep)
