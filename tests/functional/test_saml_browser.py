"""A real browser between a provider's site and ours: on what its cookie rules let through we count."""

import html
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Route

from support.browsers import LOOKS, browser, page_of
from support.saml import as_form
from support.saml_people import company

pytestmark = pytest.mark.usefixtures("chromium")


@pytest.mark.req("R159")
async def test_a_form_of_another_site_signs_the_browser_in_that_asked(tmp_path: Path) -> None:
    async with company(tmp_path) as (house, them), AsyncExitStack() as stack:
        started = await stack.enter_async_context(browser())
        page, _ = await stack.enter_async_context(page_of(started, **LOOKS["light"]))
        posted: list[str] = []

        async def provider(route: Route) -> None:
            """The provider's page: a form of its own site that sends itself."""
            response = as_form(them.answer(route.request.url))
            form = (
                f'<form method="post" action="{html.escape(them.consumer)}">'
                f'<input type="hidden" name="SAMLResponse" value="{response}"></form>'
                "<script>document.forms[0].submit()</script>"
            )
            await route.fulfill(status=200, content_type="text/html", body=form)

        async def ours(route: Route) -> None:
            posted.append((await route.request.all_headers()).get("cookie", ""))
            await route.continue_()

        await page.route("https://idp.example/**", provider)
        await page.route(them.consumer, ours)
        await page.goto(f"{house.services.people.desk.home}/sign-in?next=/me/sessions")
        await page.click("text=Sign in with company")
        await page.wait_for_url("**/me/sessions")
        assert "Sign out" in await page.inner_text("main")
        # The form came without our cookies, as browsers have it; the step on our own site had them.
        assert posted == [""]
