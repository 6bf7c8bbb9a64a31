"""Attacks on signed requests and on references to requests (security, class OA)."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.endpoints.authorize import AuthorizationEndpoint
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.proving.client_auth import ASSERTION_TYPE
from remit.authority.oauth.proving.request_object import RequestObjects
from remit.authority.oauth.repository import View
from remit.authority.oauth.wire.parameters import Parameters
from remit.kernel.canonical import b64u, b64u_decode
from remit.kernel.jose import jws
from remit.kernel.outbound import Outbound, OutboundRequest, OutboundResponse
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import AuthorizingWorld, with_codes
from support.jose import private_key
from support.oauth import ABSENT
from support.request_objects import TYP, request_object, unsigned


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> AuthorizingWorld:
    return await AuthorizingWorld(sqlite_uow).populate()


def forgeries(world: AuthorizingWorld) -> dict[str, str]:
    """Objects that look like one of `web`, each with one thing wrong."""
    good = request_object(world)
    header, payload, signature = good.split(".")
    stranger = private_key("key of a stranger")
    other: dict[str, Any] = {"key": world.actors["calendar-bot"].key, "kid": world.actors["calendar-bot"].kid}
    person: dict[str, Any] = {"key": world.actors["ana"].key, "kid": world.actors["ana"].kid}
    members = json.loads(b64u_decode(payload))
    twice = json.dumps(members)[:-1].encode() + b',"state":"second"}'
    return {
        "alg none": unsigned(world),
        "no signature": f"{header}.{payload}.",
        "another payload": f"{header}.{b64u(json.dumps({**members, 'state': 'x'}).encode())}.{signature}",
        "a stranger's key": request_object(world, key=stranger),
        "another client's key": request_object(world, **other),
        "a person's key": request_object(world, **person),
        "another client_id": request_object(world, client_id=world.clients["strict"].client_id),
        "no client_id": request_object(world, client_id=ABSENT),
        "another issuer": request_object(world, iss=world.clients["strict"].client_id),
        "no issuer": request_object(world, iss=ABSENT),
        "another audience": request_object(world, aud="https://other.example"),
        "the endpoint as audience": request_object(world, aud=f"{world.options.issuer}/authorize"),
        "two audiences": request_object(world, aud=[world.options.issuer, "https://other.example"]),
        "no audience": request_object(world, aud=ABSENT),
        "no end": request_object(world, exp=ABSENT),
        "no type": request_object(world, typ=""),
        "type JWT": request_object(world, typ="JWT"),
        "type of an assertion": request_object(world, typ="client-authentication+jwt"),
        "a subject": request_object(world, sub=world.clients["web"].client_id),
        "a request inside": request_object(world, request=good),
        "a reference inside": request_object(world, request_uri="https://attacker.example/request"),
        "a member twice": jws.sign_named(world.actors["web"].kid, TYP, twice, world.actors["web"].key),
        "no value": request_object(world, state=None),
        "a flag": request_object(world, state=True),
        "a control character": request_object(world, state="a\nb"),
        "no JWT": "e30.e30.",
        "encrypted": "e30.e30.e30.e30.e30",
    }


async def come(world: AuthorizingWorld, **query: str) -> Any:
    asked = {"client_id": world.clients["web"].client_id, **query}
    return await world.get(f"/authorize?{urlencode(asked)}")


@pytest.mark.attack("OA-17", "JW-01")
@pytest.mark.spec("RFC 9101", "6.2")
@pytest.mark.spec("RFC 9101", "10.8")
async def test_nothing_but_its_own_clients_signature_makes_a_request(world: AuthorizingWorld) -> None:
    assert (await come(world, request=request_object(world))).status_code == 303
    passed = []
    for name, forged in forgeries(world).items():
        shown = await come(world, request=forged)
        pushed = await world.send("/par", "web", {"request": forged}, proof=ABSENT)
        if shown.status_code != 400 or pushed.json().get("error") != "invalid_request_object":
            passed.append((name, shown.status_code, pushed.text))
    assert not passed
    # A public client has no key, so nobody signs for it.
    stranger = request_object(world, iss="cli_strict", client_id="cli_strict")
    answer = await world.get(f"/authorize?{urlencode({'client_id': 'cli_strict', 'request': stranger})}")
    assert answer.status_code == 400


@pytest.mark.attack("OA-17")
@pytest.mark.spec("RFC 9101", "10.8")
async def test_a_request_is_no_assertion_and_an_assertion_no_request(world: AuthorizingWorld) -> None:
    assertion = world.form("web")["client_assertion"]
    assert (await come(world, request=assertion)).status_code == 400
    form = {
        "client_assertion": request_object(world),
        "client_assertion_type": ASSERTION_TYPE,
        "grant_type": "client_credentials",
    }
    answer = await world.post("/token", form, headers=[("dpop", world.proof("web"))])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


class Merging(RequestObjects):
    """What stands beside the object counts as well, and whose signature it is does not."""

    def parameters_of(
        self, parameters: Parameters, registration: ClientRegistration, *, view: View, at: datetime
    ) -> Parameters:
        text = parameters.get("request")
        if not text:
            return parameters
        members = json.loads(b64u_decode(text.split(".")[1]))
        inside = {name: (value,) for name, value in members.items() if isinstance(value, str)}
        return Parameters(values={**inside, **parameters.values})


def merging(**parts: Any) -> OAuth:
    whole = with_codes(**parts)
    flow = whole.code_flow
    assert flow is not None
    flow.authorization._objects = Merging(options=whole.options)
    return whole


@pytest.mark.twin("OA-17", "JW-01")
async def test_forged_and_merged_requests_would_be_taken_without_the_check(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    world = await AuthorizingWorld(sqlite_uow, build=merging).populate()
    forged = forgeries(world)
    for name in ("alg none", "a stranger's key", "another payload"):
        assert (await come(world, request=forged[name])).status_code == 303, name


# -- references


class Listener(Outbound):
    """Notes who would have been called."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        self.asked.append(request.url)
        return OutboundResponse(status=404, headers={}, body=b"")


ADDRESSES = (
    "https://attacker.example/request",
    "http://169.254.169.254/latest",
    "https://remit.example/request",
    "file:///etc/passwd",
    "data:application/jwt,e30.e30.",
    "URN:ietf:params:oauth:request_uri:x",
    "urn:ietf:params:oauth:request_uri",
    "urn:example:x",
)


@pytest.mark.attack("OA-16")
@pytest.mark.spec("RFC 9101", "10.4")
async def test_no_request_is_ever_fetched(sqlite_uow: SqlUnitOfWork) -> None:
    listener = Listener()
    world = await AuthorizingWorld(sqlite_uow, outbound=listener).populate()
    for address in ADDRESSES:
        for name in ("web", "strict"):
            asked = {"client_id": world.clients[name].client_id, "request_uri": address}
            answer = await world.get(f"/authorize?{urlencode(asked)}")
            assert (answer.status_code, "location" in answer.headers) == (400, False), address
        pushed = await world.push(request_uri=address)
        assert pushed.json()["error"] == "invalid_request"
    both = await come(world, request=request_object(world), request_uri=ADDRESSES[0])
    assert both.status_code == 400
    assert listener.asked == []


class Fetching(AuthorizationEndpoint):
    """Goes and gets what a request names."""

    listener: Listener

    async def begin(self, parameters: Parameters, *, at: datetime) -> Any:
        if address := parameters.get("request_uri"):
            await self.listener.send(OutboundRequest(method="GET", url=address))
        return await super().begin(parameters, at=at)


@pytest.mark.twin("OA-16")
async def test_a_server_that_fetches_would_be_seen(sqlite_uow: SqlUnitOfWork) -> None:
    listener = Listener()

    def fetching(**parts: Any) -> OAuth:
        whole = with_codes(**parts)
        flow = whole.code_flow
        assert flow is not None
        planted = Fetching(
            uow=parts["uow"],
            directory=whole.directory,
            options=whole.options,
            tenant=parts["tenant"],
            keys=parts["keys"],
            entropy=parts["entropy"],
        )
        planted.listener = listener
        return replace(whole, code_flow=replace(flow, authorization=planted))

    world = await AuthorizingWorld(sqlite_uow, build=fetching).populate()
    await come(world, request_uri=ADDRESSES[0])
    assert listener.asked == [ADDRESSES[0]]
