"""A device from its registration to its first call, by the whole installation; and one as it comes."""

from pathlib import Path

import pytest

from remit.authority.oauth.clients.registration import DEVICE
from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.dpop import make_proof
from remit.kernel.jose.keys import PrivateKey
from support.composed import populated
from support.gateway import modern, modern_headers
from support.house import BOOKING, House
from support.visitors import Browser, field


@pytest.mark.req("R26", "R35")
@pytest.mark.spec("RFC 8628", "3")
async def test_a_device_asks_a_person_answers_and_its_agent_books_a_room(tmp_path: Path) -> None:
    async with populated(tmp_path / "data", chosen={"oauth.devices": True}) as house:
        client_id = await registered(house)
        key = PrivateKey.generate(Algorithm.ED25519, house.services.ground.entropy)

        def proof(target: str, **options: str) -> str:
            jti = b64u(house.services.ground.entropy(12))
            return make_proof(key, method="POST", target=target, jti=jti, at=house.now(), **options)

        url = f"{house.issuer}/mcp/business"
        asked = await house.http.post(
            f"{house.issuer}/device_authorization", data={"client_id": client_id, "resource": url}
        )
        assert asked.status_code == 200, asked.text
        person = Browser(house)
        await person.enrol("user")
        await allow(person, asked.json()["user_code"])
        polled = await house.http.post(
            f"{house.issuer}/token",
            data={"grant_type": DEVICE, "client_id": client_id, "device_code": asked.json()["device_code"]},
            headers={"dpop": proof(f"{house.issuer}/token")},
        )
        assert polled.status_code == 200, polled.text
        token = polled.json()["access_token"]
        called = await house.http.post(
            url,
            json=modern("tools/call", {"name": "rooms_book", "arguments": BOOKING}),
            headers={
                **modern_headers("tools/call", "rooms_book"),
                "authorization": f"DPoP {token}",
                "dpop": proof(url, access_token=token),
                "accept": "application/json, text/event-stream",
            },
        )
        assert called.json()["result"].get("isError") is not True, called.text
        assert len(house.hits) == 1
        (decided,) = await house.records("decision.action.decided")
        assert (decided.user, decided.effect) == (house["user"].id, "permit")
        await person.http.aclose()


async def registered(house: House) -> str:
    """A client of devices alone, an instance of the calendar's agent."""
    admin = house["admin"]
    agent = (await house.services.identity.get(PrincipalId(house["calendar-bot"].id))).parent
    assert agent is not None
    ceiling = house.ceiling(purpose="scheduling")
    await house.services.consent.set_ceiling(agent, ceiling, by=PrincipalId(admin.id), at=house.now())
    stated = {
        "metadata": {"client_name": "Wall display", "grant_types": [DEVICE], "application_type": "native"},
        "agent": "calendar-bot",
    }
    made = await house.api(admin, "POST", "/clients", stated)
    assert made.status_code == 201, made.text
    return str(made.json()["client_id"])


async def allow(person: Browser, code: str) -> None:
    page = await person.open("/device")
    typed = await person.post("/device", {"csrf": field(page.text, "csrf"), "user_code": code})
    assert typed.status_code == 303, typed.text
    shown = await person.open(typed.headers["location"])
    assert "Wall display" in shown.text
    said = await person.post(
        typed.headers["location"], {"csrf": field(shown.text, "csrf"), "answer": "allow"}
    )
    assert "Go back to the device" in said.text


@pytest.mark.attack("CB-11")
async def test_an_installation_as_it_comes_knows_no_devices(house: House) -> None:
    named = (await house.http.get(f"{house.issuer}/.well-known/oauth-authorization-server")).json()
    assert "device_authorization_endpoint" not in named
    assert DEVICE not in named["grant_types_supported"]
    for path in ("device", "device_authorization"):
        assert (await house.http.post(f"{house.issuer}/{path}", data={"x": "y"})).status_code == 404
