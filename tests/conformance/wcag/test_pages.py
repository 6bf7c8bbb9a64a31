"""Every page that people see, judged by axe in a real browser: WCAG 2.2, levels A and AA."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from remit.kernel.ids import PrincipalId
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.web.pages import paper
from support import saml_logouts
from support.absent import absent
from support.asking import asked
from support.browsers import CHROMIUM, LOOKS, browser, page_of
from support.companies import beside
from support.devices import GIVEN, DeviceWorld
from support.house import House
from support.npm import installed
from support.portals import asking, portal
from support.saml import SamlProvider
from support.saml_people import ENTITY, company
from support.vault import AGENT, vaulted
from support.visitors import Browser

pytestmark = [pytest.mark.needs("npm"), pytest.mark.timeout(300)]

CSS = Path(paper.__file__).parent / "assets" / "page.css"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
STRANGERS = ("sign-in", "enrol", "authorize", "authorize/none", "approve/none")
OWN = (
    "me", "me/passkeys", "me/sessions", "me/grants", "me/connections", "sign-in?again=1", "sign-out",
    f"connect/acme?server=slow&agent={AGENT}", "connect/none",
)  # fmt: skip
RUN = """async levels => {
  const found = await axe.run(document, { runOnly: levels });
  return found.violations.map(each => [each.id, each.nodes.map(node => node.html)]);
}"""


@pytest.fixture(scope="session")
def axe() -> str:
    if not CHROMIUM.exists():
        absent("Chromium is not installed (apt-get install chromium)")
    return (installed("axe-core", "4.14.1") / "axe.min.js").read_text(encoding="utf-8")


async def faults(page: Page, axe: str) -> list[Any]:
    """What axe finds; evaluated from outside, as the page's own policy lets no script in."""
    await page.evaluate(axe)
    found: list[Any] = await page.evaluate(RUN, LEVELS)
    return found


async def toured(axe: str, person: Browser, paths: Sequence[str], *, signed_in: bool) -> dict[str, list[Any]]:
    """Faults by look and page, of those that have any."""
    found: dict[str, list[Any]] = {}
    cookie: Any = {"name": "remit-session", "value": str(person.secret), "url": person.home}
    async with browser() as started:
        for look, how in LOOKS.items():
            async with page_of(started, **how) as (page, _):
                if signed_in:
                    await page.context.add_cookies([cookie])
                for path in paths:
                    await page.goto(f"{person.home}/{path}")
                    assert not signed_in or "/sign-in?next" not in page.url, path
                    found[f"{look} {path}"] = await faults(page, axe)
    return {place: found for place, found in found.items() if found}


async def test_no_page_of_a_person_shuts_them_out(axe: str, tmp_path: Path) -> None:
    async with vaulted(tmp_path / "data") as on:
        await on.connect("lead")
        person = Browser(on.house)
        await person.enrol("lead")
        assert await toured(axe, person, STRANGERS, signed_in=False) == {}
        assert await toured(axe, person, OWN, signed_in=True) == {}
        await person.http.aclose()


async def test_no_page_around_a_provider_shuts_anybody_out(axe: str, house: House) -> None:
    person = Browser(house)
    await person.enrol("lead")
    long = "a-subject-without-any-blank-" * 8 + "\u202e<b>gnp.exe"
    await beside(house.work, PrincipalId(house["lead"].id), house.now(), subject=long)
    assert await toured(axe, person, ("sign-in",), signed_in=False) == {}
    assert await toured(axe, person, ("me/sign-ins",), signed_in=True) == {}
    await person.http.aclose()


async def test_no_page_around_a_device_shuts_anybody_out(axe: str, sqlite_uow: SqlUnitOfWork) -> None:
    world = await DeviceWorld(sqlite_uow).populate()
    name = "A television without any blank-" * 3 + "\u202e<b>gnp.exe"
    await world.public(name, "calendar-bot", grant_types=GIVEN, redirect_uris=())
    person = await world.sign_in()
    pages = {
        "asking": (await world.see(person, (await world.asked(name))["user_code"])).text,
        "wrong code": (await world.type(person, "BCDF-GHJK")).text,
    }
    dressed = f"<style>{CSS.read_text(encoding='utf-8')}</style>"
    found: dict[str, list[Any]] = {}
    async with browser() as started:
        for look, how in LOOKS.items():
            async with page_of(started, **how) as (page, _):
                for what, text in pages.items():
                    await page.set_content(re.sub(r"<link[^>]*stylesheet[^>]*>", lambda _: dressed, text))
                    found[f"{look} {what}"] = await faults(page, axe)
    assert {place: found for place, found in found.items() if found} == {}


SENT = """fields => {
  const form = document.createElement('form');
  Object.assign(form, {method: 'post', action: fields.to});
  form.innerHTML = '<input name=SAMLResponse>';
  form.firstChild.value = 'PHg+';
  document.body.append(form);
  form.submit();
}"""


async def test_no_page_around_a_saml_provider_shuts_anybody_out(axe: str, tmp_path: Path) -> None:
    """Their messages by address and by form: what is refused, and our answer that a person sends on."""
    metadata = SamlProvider(entity=ENTITY).metadata(sign_out="https://idp.example/slo", binding=POST)
    async with company(tmp_path, metadata=metadata) as (house, them), browser() as started:
        home = house.services.people.desk.home
        slo, found = f"{home}/sign-in/with/company/slo", {}
        for look, how in LOOKS.items():
            async with page_of(started, **how) as (page, _):
                asked = saml_logouts.request(them.them, house.now(), slo)
                for what, path in {
                    "logout answered": f"{slo}?{saml_logouts.query(asked, them.them.key)}",
                    "landing refused": f"{them.consumer}?said=none",
                }.items():
                    await page.goto(path)
                    assert await page.locator("form").count() == int(what == "logout answered")
                    found[f"{look} {what}"] = await faults(page, axe)
                await page.goto(f"{home}/sign-in")
                async with page.expect_navigation():
                    await page.evaluate(SENT, {"to": them.consumer})
                assert await page.inner_text("h1") == "You are not signed in"
                found[f"{look} form refused"] = await faults(page, axe)
        assert {place: found for place, found in found.items() if found} == {}


async def test_no_page_around_an_application_shuts_anybody_out(axe: str, house: House) -> None:
    person = Browser(house)
    await person.enrol("lead")
    wiki = await portal(house, "A name without any blank-" * 4 + "<b>gnp.exe")
    asks = asking(wiki, scope="openid profile email groups").removeprefix("/")
    leaves = f"end_session?client_id={wiki.client_id}"
    assert "See which teams you are in." in (await person.open(f"/{asks}")).text
    assert "Sign out?" in (await person.open(f"/{leaves}")).text
    assert await toured(axe, person, (asks, leaves), signed_in=True) == {}
    assert await toured(axe, person, (leaves,), signed_in=False) == {}
    await person.http.aclose()


async def test_no_question_shuts_anybody_out(axe: str, house: House) -> None:
    person = Browser(house)
    await person.enrol("lead")
    async with asked(house) as ask:
        cards = [ask.url.partition(f":{house.port}/")[2], f"approvals/{ask.approval.id}"]
        assert await toured(axe, person, cards, signed_in=True) == {}
    await person.http.aclose()


async def test_a_page_with_a_picture_without_words_is_found_out(axe: str) -> None:
    async with browser() as started, page_of(started) as (page, _):
        await page.set_content("<html><body><img src='data:,'></body></html>")
        assert {name for name, _ in await faults(page, axe)} >= {"image-alt", "html-has-lang"}
