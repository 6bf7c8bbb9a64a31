"""A house that speaks SAML, a provider of another make beside it, and browsers between the two."""

import base64
import html
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from lxml import etree
from lxml.etree import _Element as Element

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.identity.upstream.provider import IdentityProvider, Product, Provisioning
from remit.identity.upstream.saml_stated import StatedSamlProvider
from support.composed import composed, populate
from support.house import House
from support.people import ADMIN
from support.saml import ABSENT, SamlProvider, as_form
from support.visitors import Browser

ENTITY = "https://login.example/realms/staff"
ANA = "f3b8-ana"


@dataclass
class Company:
    """A provider, as it sees its visitors: it answers requests, and posts its answers from its own site."""

    house: House
    them: SamlProvider

    @property
    def consumer(self) -> str:
        return f"{self.house.services.people.desk.home}/sign-in/with/company/saml"

    def answer(self, asked: str, **changes: Any) -> Element:
        """A signed answer to the request in an address; a change to `to` answers another one."""
        request = request_in(asked)
        to = changes.pop("to", request.get("ID"))
        around = ABSENT if to is ABSENT else to
        seal = changes.pop("seal", lambda each: each)
        made = seal(self.them.signed(self.house.now(), **{"in_response_to": to, "subject": ANA, **changes}))
        return self.them.response(self.house.now(), made, InResponseTo=around)

    async def post(self, response: Element, **headers: str) -> httpx2.Response:
        """The provider's form, sent by its own page: with no cookie of ours."""
        fields = {"SAMLResponse": as_form(response), "RelayState": "x"}
        sent = {"Origin": "https://login.example", "Sec-Fetch-Site": "cross-site", **headers}
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
            return await http.post(self.consumer, data=fields, headers=sent)


async def leave(one: Browser, query: str = "?next=/me/sessions") -> str:
    """To the provider: the address that the browser is sent to."""
    away = await one.http.get(f"/sign-in/with/company{query}", follow_redirects=False)
    assert away.status_code == 303, away.text
    return str(away.headers["location"])


def onward_in(page: httpx2.Response) -> str:
    """Where a page goes on to by itself."""
    assert page.status_code == 200, page.text
    return html.unescape(page.text.partition('content="0;url=')[2].partition('"')[0])


def request_in(address: str) -> Element:
    """The `AuthnRequest` of an address."""
    packed = parse_qs(urlsplit(address).query)["SAMLRequest"][0]
    return etree.fromstring(zlib.decompress(base64.b64decode(packed), wbits=-zlib.MAX_WBITS))


async def round_trip(
    company: Company, one: Browser, query: str = "?next=/me/sessions", **changes: Any
) -> httpx2.Response:
    """Out and back, as a browser does it."""
    posted = await company.post(company.answer(await leave(one, query), **changes))
    if posted.status_code != 200:
        return posted
    return await one.http.get(onward_in(posted))


async def connected(house: House, them: SamlProvider, **stated: Any) -> IdentityProvider:
    """Connect the provider; whoever comes from it is entered into the directory."""
    assert house.services.saml is not None
    said = {
        "name": "company",
        "metadata": them.metadata(),
        "provisioning": Provisioning.CREATE,
        "product": Product.GENERIC,
    }
    return await house.services.saml.providers.connect(StatedSamlProvider(**{**said, **stated}), by=ADMIN)


@asynccontextmanager
async def company(
    folder: Path, *, make: Callable[[Ground], Services] = build, people: bool = False, **stated: Any
) -> AsyncIterator[tuple[House, Company]]:
    """A house that speaks SAML, and its provider."""
    async with composed(folder, chosen={"federation.saml": True}, make=make) as house:
        if people:
            await populate(house)
        home = house.services.people.desk.home
        them = SamlProvider(
            entity=ENTITY,
            audience=f"{home}/sign-in/with/company/metadata",
            recipient=f"{home}/sign-in/with/company/saml",
        )
        await connected(house, them, **stated)
        yield house, Company(house=house, them=them)
