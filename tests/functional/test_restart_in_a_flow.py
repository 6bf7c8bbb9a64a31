"""The installation is stopped and started between any two steps of a client's flow, and the flow goes on."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest

from remit.authority.oauth.wire.pkce import challenge_of
from support.composed import composed, populate
from support.gateway import modern, modern_headers
from support.house import House
from support.oauth import claims_in
from support.ports import free_port
from support.stepping_up import BACK, VERIFIER, Stepper, answer_in, stepper

HTTP_CODES = httpx2.codes
LISTING = (modern("server/discover", {}), modern_headers("server/discover"))


class Life:
    """One data directory and one port; each `again` is another run of the server over them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.client: Stepper | None = None

    @asynccontextmanager
    async def again(self) -> AsyncIterator[Stepper]:
        """The server, from its store alone; the client is the one of the first run."""
        async with composed(self.folder, port=self.port) as house:
            if self.client is None:
                self.client = await first(house)
            self.client.house = house
            yield self.client


async def first(house: House) -> Stepper:
    await populate(house)
    client = await stepper(house)
    await client.sign_in()
    return client


async def ask(client: Stepper, **form: str) -> httpx2.Response:
    url = f"{client.house.issuer}/token"
    stated = {"client_id": client.registration.client_id, **form}
    return await client.house.http.post(url, data=stated, headers={"dpop": client._proof(url)})


async def pushed(client: Stepper) -> str:
    """Its request, pushed: the browser is only told the reference."""
    house = client.house
    query = {
        "response_type": "code",
        "client_id": client.registration.client_id,
        "redirect_uri": BACK,
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        "resource": client.url,
    }
    headers = {"dpop": client._proof(f"{house.issuer}/par")}
    answer = await house.http.post(f"{house.issuer}/par", data=query, headers=headers)
    assert answer.status_code == HTTP_CODES.CREATED, answer.text
    return str(answer.json()["request_uri"])


def csrf_of(page: httpx2.Response) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
    assert found is not None, page.text
    return found.group(1)


@pytest.mark.req("N34")
@pytest.mark.promise("P12")
async def test_a_flow_survives_a_restart_between_any_two_of_its_steps(tmp_path: Path) -> None:
    life = Life(tmp_path / "data")
    async with life.again() as client:
        reference = await pushed(client)
    async with life.again() as client:
        query = urlencode({"client_id": client.registration.client_id, "request_uri": reference})
        path = (await client._get(f"/authorize?{query}")).headers["location"]
    async with life.again() as client:
        page = await client._get(path)
        assert page.status_code == HTTP_CODES.OK, page.headers
    async with life.again() as client:
        # The page of the run before is still the person's to answer, by the same cookie.
        form = {"csrf": csrf_of(page), "answer": "allow"}
        said = await client._browse("POST", path, data=form)
        code = answer_in(said.headers["location"])["code"]
        redeem = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}
    async with life.again() as client:
        got = (await ask(client, **redeem, redirect_uri=BACK)).json()
        task = claims_in(got["access_token"])["txn"]
    async with life.again() as client:
        # The answer of a refresh is lost with the server; the client asks again, and is no thief.
        lost = (await ask(client, grant_type="refresh_token", refresh_token=got["refresh_token"])).json()
    async with life.again() as client:
        again = (await ask(client, grant_type="refresh_token", refresh_token=got["refresh_token"])).json()
        assert again["refresh_token"] == lost["refresh_token"]
    async with life.again() as client:
        renewed = (await ask(client, grant_type="refresh_token", refresh_token=lost["refresh_token"])).json()
        client.token = renewed["access_token"]
        assert claims_in(client.token)["txn"] == task, "one task, by one consent, over eight runs"
        records = await client.house.records("authority.task.started")
        assert [each.task for each in records] == [task]
        served = await client.send(*LISTING)
        assert served.status_code == HTTP_CODES.OK, served.text
    async with life.again() as client:
        # What was used once was used once in every run: the code comes again, and everything of it ends.
        replayed = await ask(client, **redeem, redirect_uri=BACK)
        assert replayed.json()["error"] == "invalid_grant"
    async with life.again() as client:
        over = await ask(client, grant_type="refresh_token", refresh_token=renewed["refresh_token"])
        assert over.json()["error"] == "invalid_grant"
        assert (await client.send(*LISTING)).status_code == HTTP_CODES.UNAUTHORIZED
