"""A page of ours in somebody's browser, calling the API as a script of it would."""

from dataclasses import dataclass, field
from typing import Any

import httpx2

from support.house import House
from support.portals import Visitor, visitor

OWN_PAGE = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}


@dataclass
class Console:
    """One signed-in browser; `csrf` is what `GET /api/v1/me` told it."""

    house: House
    who: Visitor
    csrf: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    def headers(self, **changes: str | None) -> dict[str, str]:
        """What the browser and the page send; None takes a header away."""
        sent = {**self.who.headers, **OWN_PAGE, "remit-csrf": self.csrf, **self.extra}
        sent |= {name.replace("_", "-"): value for name, value in changes.items() if value is not None}
        gone = {name.replace("_", "-") for name, value in changes.items() if value is None}
        return {name: value for name, value in sent.items() if name not in gone and value}

    async def get(self, path: str, **changes: str | None) -> httpx2.Response:
        return await self.ask("GET", path, **changes)

    async def ask(self, method: str, path: str, body: Any = None, **changes: str | None) -> httpx2.Response:
        url = f"{self.house.issuer}/api/v1{path}"
        return await self.house.http.request(method, url, json=body, headers=self.headers(**changes))


async def console(house: House, name: str = "admin", **proof: Any) -> Console:
    """Somebody signed in, whose page has read its word."""
    found = Console(house, await visitor(house, name, **proof))
    told = await found.get("/me")
    assert told.status_code == httpx2.codes.OK, told.text
    found.csrf = told.json()["csrf"]
    return found
