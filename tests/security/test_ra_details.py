"""Attacks on what is asked (security, class RA): rights and scopes at every endpoint that gives a token."""

import json
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import httpx2
import pytest

from remit.authority.attenuation import covers
from remit.authority.ceiling_json import ceiling_to_json
from remit.authority.oauth.grants.token_exchange import TokenExchange
from remit.authority.oauth.proving.requests import Asking
from remit.authority.oauth.wire import rar
from remit.authority.oauth.wire.scopes import Scope, narrow
from remit.authority.permission import Allowed, Attempt, permits
from remit.authority.rights import Ceiling, Constraint, Right
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import AuthorizingWorld
from support.oauth import BOOK, ISSUER, SEND, World, building, claims_in

RIGHT = {"action": BOOK, "resource_type": "Thing", "resources": "any", "constraints": []}
HONEST: dict[str, Any] = {"type": "remit_action", "rights": [RIGHT]}
MAIL = f"{ISSUER}/mcp/mail"
Door = Callable[..., Awaitable[httpx2.Response]]


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> AuthorizingWorld:
    return await AuthorizingWorld(sqlite_uow).populate()


async def doors(world: AuthorizingWorld) -> dict[str, Door]:
    """Each way in which a request says what it wants; one refused leaves the next as it was."""
    person, held = await world.sign_in(), (await world.tokens())["refresh_token"]

    async def redeem(**asked: str) -> httpx2.Response:
        return await world.redeem(await world.code(person), **asked)

    return {
        "code": redeem,
        "refresh": lambda **asked: world.refresh(held, **asked),
        "exchange": lambda **asked: world.exchange("calendar-bot", **asked),
        "par": world.push,
    }


def written(*rights: Any, **members: Any) -> str:
    """Authorization details with these rights and members."""
    return json.dumps([{**HONEST, "rights": list(rights) or [RIGHT], **members}])


def refused(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]) if answer.status_code == 400 else ""


def granted(answer: httpx2.Response) -> Any:
    """What the token that was given says of its rights."""
    assert answer.status_code == 200, answer.text
    (details,) = claims_in(answer.json()["access_token"])["authorization_details"]
    return details


def lax(read: Callable[[str, Ceiling], Ceiling]) -> type[TokenExchange]:
    """An exchange that reads what is asked in another way."""

    class Lax(TokenExchange):
        def _narrow_rights(self, asking: Asking, parent: Ceiling) -> Ceiling:
            text = asking.request.parameters.get("authorization_details")
            return read(text, parent) if text else parent

    return Lax


async def opened(uow: SqlUnitOfWork, read: Callable[[str, Ceiling], Ceiling]) -> World:
    return await World(uow, build=building(exchange=lax(read))).populate()


# -- RA-01: more than was allowed


WIDER = {
    "another action": written({**RIGHT, "action": "business/customers.delete"}),
    "one more action": written(RIGHT, {**RIGHT, "action": "business/refunds.pay"}),
    "another type": written({**RIGHT, "resource_type": "Ledger"}),
    "a longer window": written(window={"start": 0, "end": 1 << 32}),
    "more hops": written(depth=10),
    "another purpose": written(purpose="refunds"),
    "any purpose": written(purpose="any"),
}


@pytest.mark.attack("RA-01")
@pytest.mark.promise("P6")
@pytest.mark.spec("RFC 9396", "6")
async def test_what_goes_beyond_is_refused_at_every_endpoint_never_clipped(world: AuthorizingWorld) -> None:
    for door, ask in (await doors(world)).items():
        if door == "par":
            continue  # there is no parent yet: the person is shown what is left of it
        for name, wish in WIDER.items():
            answer = await ask(authorization_details=wish)
            assert refused(answer) == "invalid_authorization_details", (door, name, answer.text)
        assert granted(await ask(authorization_details=written()))["rights"] == [RIGHT], door


@pytest.mark.twin("RA-01")
@pytest.mark.parametrize("name", WIDER)
async def test_a_reader_that_does_not_compare_gives_it(sqlite_uow: SqlUnitOfWork, name: str) -> None:
    world = await opened(sqlite_uow, rar._asked)
    answer = await world.exchange("calendar-bot", authorization_details=WIDER[name])
    assert not covers(world.task.ceiling, rar.ceiling_of([granted(answer)]))


# -- RA-02: what is not understood


UNKNOWN = {
    "another type": json.dumps([{"type": "payment_initiation", "amount": "10"}]),
    "another type beside ours": json.dumps([HONEST, {"type": "payment_initiation"}]),
    "the type in capitals": json.dumps([{**HONEST, "type": "Remit_Action"}]),
    "a member more": written(max_amount=10),
    "a member of a right": written({**RIGHT, "only_if": "weekday"}),
    "a bound of an argument": written({**RIGHT, "constraints": [{"pointer": "/a", "not_in": ["x"]}]}),
    "a cap": written(caps={"calls": 1, "per_hour": 1}),
    "a common member": written(privileges=["none"]),
}
"""Each narrows what it stands beside: whoever drops it gives more than was asked."""


@pytest.mark.attack("RA-02")
@pytest.mark.promise("P5")
@pytest.mark.spec("RFC 9396", "5")
async def test_what_is_not_understood_is_refused_not_dropped(world: AuthorizingWorld) -> None:
    for door, ask in (await doors(world)).items():
        for name, wish in UNKNOWN.items():
            answer = await ask(authorization_details=wish)
            assert refused(answer) == "invalid_authorization_details", (door, name, answer.text)


def known_alone(text: str, parent: Ceiling) -> Ceiling:
    """Takes of a request what it knows."""
    (body,) = [each for each in json.loads(text) if str(each["type"]).lower() == "remit_action"]
    form = ceiling_to_json(parent)
    kept: dict[str, Any] = {name: value for name, value in body.items() if name in form}
    kept["rights"] = [{name: right[name] for name in RIGHT} for right in kept["rights"]]
    for right in kept["rights"]:
        right["constraints"] = [
            bound for bound in right["constraints"] if bound.keys() <= {"pointer", "one_of", "at_most"}
        ]
    kept["caps"] = {n: v for n, v in kept.get("caps", {}).items() if n in {"calls", "per_minute", "money"}}
    return rar.narrow(json.dumps([{"type": "remit_action", **kept}]), parent)


@pytest.mark.twin("RA-02")
@pytest.mark.parametrize("name", [name for name in UNKNOWN if name != "another type"])
async def test_a_reader_that_drops_it_gives_more_than_was_asked(sqlite_uow: SqlUnitOfWork, name: str) -> None:
    world = await opened(sqlite_uow, known_alone)
    answer = await world.exchange("calendar-bot", authorization_details=UNKNOWN[name])
    assert granted(answer)["rights"] == [RIGHT]


# -- RA-03: what two readers read differently


TEXT = json.dumps([HONEST])
SENDING = json.dumps([{**RIGHT, "action": SEND}])
AMBIGUOUS = {
    "a member twice": TEXT.replace('"rights":', f'"rights": {SENDING}, "rights":'),
    "a member of a right twice": TEXT.replace('"resources":', '"resources": ["room-1"], "resources":'),
    "a member twice by an escape": TEXT.replace('"rights":', f'"right\\u0073": {SENDING}, "rights":'),
    "a member in another case": TEXT.replace('"rights":', f'"Rights": {SENDING}, "rights":'),
    "a member in another case alone": TEXT.replace('"resources":', '"Resources":'),
    "an array for a text": written({**RIGHT, "action": [BOOK]}),
    "a text for an array": written({**RIGHT, "resources": "room-1"}),
    "an object for the array": json.dumps(HONEST),
    "null for any": written({**RIGHT, "resources": None}),
    "null for none": written({**RIGHT, "constraints": None}),
    "null for all rights": json.dumps([{**HONEST, "rights": None}]),
    "an empty list for all resources": written({**RIGHT, "resources": []}),
    "an empty list for all rights": json.dumps([{**HONEST, "rights": []}]),
    "an empty list of details": "[]",
    "null for no details": "null",
    "a number as text": written(depth="1"),
    "true for a number": written(depth=True),
    "a fraction for a number": written(depth=1.5),
}


@pytest.mark.attack("RA-03")
@pytest.mark.promise("P5")
@pytest.mark.spec("RFC 9396", "5")
async def test_what_can_be_read_in_two_ways_is_refused(world: AuthorizingWorld) -> None:
    for door, ask in (await doors(world)).items():
        for name, wish in AMBIGUOUS.items():
            if door == "par" and name.startswith("an empty list for all"):
                continue  # its form is good: it asks for nothing, as the person is then shown
            answer = await ask(authorization_details=wish)
            assert refused(answer) == "invalid_authorization_details", (door, name, answer.text)


def forgiving(text: str, parent: Ceiling) -> Ceiling:
    """Takes the last of two, any case, one for a list of one, and nothing for all."""

    def folded(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name.lower(): value for name, value in pairs}

    body = json.loads(text, object_pairs_hook=folded)
    body = body[0] if isinstance(body, list) and body else body or {}
    everything: Any = ceiling_to_json(parent)
    rights = body.get("rights") or everything["rights"]
    for right in rights:
        named = right["resources"] or "any"
        right["resources"] = [named] if named not in ("any", []) and isinstance(named, str) else named
        right["action"] = right["action"][0] if isinstance(right["action"], list) else right["action"]
        right["constraints"] = right["constraints"] or []
    depth = {"depth": int(body["depth"])} if "depth" in body else {}
    return rar.narrow(json.dumps([{"type": "remit_action", "rights": rights, **depth}]), parent)


@pytest.mark.twin("RA-03")
@pytest.mark.parametrize("name", AMBIGUOUS)
async def test_a_forgiving_reader_gives_what_another_reads_otherwise(
    sqlite_uow: SqlUnitOfWork, name: str
) -> None:
    world = await opened(sqlite_uow, forgiving)
    assert granted(await world.exchange("calendar-bot", authorization_details=AMBIGUOUS[name]))["rights"]


# -- RA-04: where it is for


ELSEWHERE = {
    "another resource": written(locations=[MAIL]),
    "two resources": written(locations=[f"{ISSUER}/mcp/business", MAIL]),
    "no resource": written(locations=[]),
    "a text": written(locations=MAIL),
    "within the right": written({**RIGHT, "locations": [MAIL]}),
    "the very resource twice": written(locations=[f"{ISSUER}/mcp/business"] * 2),
    "the very resource, with a slash": written(locations=[f"{ISSUER}/mcp/business/"]),
    "no address": written(locations=["business"]),
    "a number": written(locations=[1]),
    "null": written(locations=None),
}
HERE = written(locations=[f"{ISSUER}/mcp/business"])


@pytest.mark.attack("RA-04")
@pytest.mark.promise("P7")
@pytest.mark.spec("RFC 9396", "2.2")
async def test_only_the_resource_says_where_a_token_is_for(world: AuthorizingWorld) -> None:
    """Two statements of one thing can differ: `locations` agree with `resource`, or are refused."""
    for door, ask in (await doors(world)).items():
        for name, wish in ELSEWHERE.items():
            answer = await ask(authorization_details=wish)
            assert refused(answer) == "invalid_authorization_details", (door, name, answer.text)
        if door == "par":
            assert (await ask(authorization_details=HERE)).status_code == 201
        else:
            answer = await ask(authorization_details=HERE)
            claims = claims_in(answer.json()["access_token"])
            assert claims["aud"] == f"{ISSUER}/mcp/business"
            assert "locations" not in json.dumps(claims)


@pytest.mark.twin("RA-04")
@pytest.mark.parametrize("name", ELSEWHERE)
async def test_a_reader_that_drops_locations_gives_a_token_for_elsewhere(
    sqlite_uow: SqlUnitOfWork, name: str
) -> None:
    world = await opened(sqlite_uow, known_alone)
    answer = await world.exchange("calendar-bot", authorization_details=ELSEWHERE[name])
    assert granted(answer)["rights"] == [RIGHT]
    assert claims_in(answer.json()["access_token"])["aud"] != MAIL


# -- RA-06: a pattern is a name like any other


PATTERNS = (
    "*",
    "room-*",
    "room-?",
    "room-[0-9]",
    ".*",
    "room-.*",
    "^room-1$",
    "%",
    "room-_",
    "**",
    "room-1|x",
)


def at_room(world: World, **changes: Any) -> Attempt:
    given = {"resource": "room-1", "arguments": {"room": "room-1"}, **changes}
    return Attempt(action=BOOK, resource_type="Thing", at=world.now, purpose="booking", **given)


def named(world: World, pattern: str, *, argument: bool) -> Ceiling:
    """A ceiling whose one resource, or one value of an argument, is that text."""
    values = frozenset({pattern})
    right = Right(
        action=BOOK,
        resource_type="Thing",
        resources="any" if argument else values,
        constraints=(Constraint(pointer="/room", one_of=values),) if argument else (),
    )
    return replace(world.task.ceiling, rights=frozenset({right}))


async def given(world: World, ceiling: Ceiling) -> Ceiling:
    """What an exchange gives whoever asks for that."""
    text = json.dumps(rar.details_of(ceiling))
    return rar.ceiling_of([granted(await world.exchange("calendar-bot", authorization_details=text))])


@pytest.mark.attack("RA-06")
@pytest.mark.promise("P6")
async def test_a_pattern_in_a_right_stands_for_itself_alone(world: AuthorizingWorld) -> None:
    for pattern in PATTERNS:
        token = await given(world, named(world, pattern, argument=False))
        assert not isinstance(permits(token, at_room(world)), Allowed), pattern
        assert isinstance(permits(token, at_room(world, resource=pattern)), Allowed), pattern
        token = await given(world, named(world, pattern, argument=True))
        assert not isinstance(permits(token, at_room(world)), Allowed), pattern
        assert isinstance(permits(token, at_room(world, arguments={"room": pattern})), Allowed), pattern


@pytest.mark.attack("RA-06")
async def test_no_pattern_reaches_what_it_would_match(world: AuthorizingWorld) -> None:
    task = await world.start_task(ceiling=world.ceiling(BOOK, resources=frozenset({"room-1", "room-2"})))
    envelope = world.root(task)
    for pattern in PATTERNS:
        wish = written({**RIGHT, "resources": [pattern]})
        answer = await world.exchange("calendar-bot", subject_token=envelope, authorization_details=wish)
        assert refused(answer) == "invalid_authorization_details", pattern
    for action in ("business/*", "business/.*", "*", "business/rooms.*", "business/rooms?book"):
        answer = await world.exchange(
            "calendar-bot", authorization_details=written({**RIGHT, "action": action})
        )
        assert refused(answer) == "invalid_authorization_details", action


def globbing(ceiling: Ceiling, attempt: Attempt) -> bool:
    """Judges as we do, but takes the resources of a right for patterns."""

    def meant(right: Right) -> Right:
        fits = right.resources != "any" and any(
            fnmatchcase(attempt.resource, each) for each in right.resources
        )
        return replace(right, resources=frozenset({attempt.resource})) if fits else right

    unfolded = replace(ceiling, rights=frozenset(meant(right) for right in ceiling.rights))
    return isinstance(permits(unfolded, attempt), Allowed)


@pytest.mark.twin("RA-06")
async def test_a_judge_that_matches_patterns_opens_every_room(world: AuthorizingWorld) -> None:
    for pattern in ("*", "room-*", "room-?", "room-[0-9]", "**"):
        token = await given(world, named(world, pattern, argument=False))
        assert globbing(token, at_room(world)), pattern
        assert not isinstance(permits(token, at_room(world)), Allowed), pattern


# -- RA-07: scopes that only look like ours


ALIKE = {
    "capitals": "MCP",
    "one capital": "remit.Act",
    "a Cyrillic letter": "m\u0441p",
    "full width": "\uff4d\uff43\uff50",
    "a blank before": " mcp",
    "a blank behind": "mcp ",
    "two blanks": "mcp  mcp",
    "a blank that breaks no line": "mcp\u00a0mcp",
    "a joiner": "mcp\u200b",
    "a comma": "mcp,mcp",
    "a quote": '"mcp"',
    "a prefix": "mc",
    "a wildcard": "*",
    "65 names": " ".join(["mcp"] * 65),
}
UNREADABLE = {
    "a tab": "mcp\tmcp",
    "a line": "mcp\nmcp",
    "10^5 names": " ".join(["mcp"] * 100_000),
    "10^5 names beside `openid`": " ".join(["openid", *["x"] * 100_000]),
}


@pytest.mark.attack("RA-07")
@pytest.mark.promise("P5", "P13")
@pytest.mark.spec("RFC 6749", "3.3")
async def test_only_the_very_name_is_a_scope(world: AuthorizingWorld) -> None:
    for door, ask in (await doors(world)).items():
        for name, scope in ALIKE.items():
            answer = await ask(scope=scope)
            assert refused(answer) == "invalid_scope", (door, name, answer.text)
        for name, scope in UNREADABLE.items():
            answer = await ask(scope=scope)
            assert answer.status_code in {400, 413}, (door, name, answer.text)
            assert "access_token" not in answer.text
        # A name adds its range once, however often it stands there (RFC 6749 §3.3).
        if door != "par":
            again = (await ask(scope="mcp mcp")).json()
            assert claims_in(again["access_token"])["scope"] == again["scope"] == "mcp"


class Folding(TokenExchange):
    """Reads scopes as people read them."""

    def _narrow_scopes(self, asking: Asking, allowed: frozenset[Scope]) -> frozenset[Scope]:
        text = unicodedata.normalize("NFKC", asking.request.parameters.get("scope")).casefold()
        alike = text.replace("\u0441", "c").replace("\u200b", "").replace(",", " ").replace('"', "")
        asked = {each for each in allowed for name in alike.split() if each.startswith(name) or name == "*"}
        return narrow(frozenset(asked), allowed)


@pytest.mark.twin("RA-07")
@pytest.mark.parametrize("name", [name for name in ALIKE if name != "one capital"])
async def test_a_reader_that_folds_takes_what_only_looks_like_ours(
    sqlite_uow: SqlUnitOfWork, name: str
) -> None:
    world = await World(sqlite_uow, build=building(exchange=Folding)).populate()
    answer = await world.exchange("calendar-bot", scope=ALIKE[name])
    assert answer.status_code == 200, answer.text
