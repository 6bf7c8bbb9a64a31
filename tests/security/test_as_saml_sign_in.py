"""AS-13 at sign-in: an answer that this browser did not ask for lets nobody in."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.identity.upstream.errors import ArrivalRefused
from remit.identity.upstream.links import Proposal
from remit.identity.upstream.saml_signing import SamlSignIn
from remit.identity.upstream.signing import SignedIn
from support.saml import ABSENT
from support.saml_people import company, leave, onward_in
from support.visitors import browser


@pytest.mark.attack("AS-13")
@pytest.mark.req("R159")
async def test_an_answer_that_nobody_asked_for_is_refused(tmp_path: Path) -> None:
    async with company(tmp_path) as (house, them), browser(house) as one:
        asked = await leave(one)
        assert (await them.post(them.answer(asked, to=ABSENT))).status_code == 403
        # In answer to a request that nobody made: judged by its own site, it is only refused where it lands.
        other = await them.post(them.answer(asked, to="_never-asked"))
        assert (await one.http.get(onward_in(other))).status_code == 403
        assert one.secret is None
        assert await house.records("identity.session.begun") == []


@pytest.mark.attack("AS-13")
async def test_an_attackers_answer_signs_no_other_browser_in(tmp_path: Path) -> None:
    """Login CSRF: the attacker's own, honest answer, brought to somebody else's browser."""
    async with company(tmp_path) as (house, them), browser(house) as thief, browser(house) as victim:
        stolen = onward_in(await them.post(them.answer(await leave(thief), subject="thief")))
        assert (await victim.http.get(stolen)).status_code == 403
        await leave(victim)
        assert (await victim.http.get(stolen)).status_code == 403
        assert victim.secret is None
        # The other way round: the victim's answer, seen by the thief, opens nothing in the thief's browser.
        seen = onward_in(await them.post(them.answer(await leave(victim))))
        assert (await thief.http.get(seen)).status_code == 403
        assert thief.secret is None
        assert (await victim.http.get(seen)).status_code == 200
        # What was said of one provider is nothing to another one's address, nor if a letter of it changes.
        assert (await victim.http.get(seen[:-4] + "AAAA")).status_code == 403


class Unasking(SamlSignIn):
    """Takes an answer without asking who asked."""

    __slots__ = ()

    async def land(self, name: str, said: str, **given: Any) -> SignedIn | Proposal:
        provider, _ = await self._named(name)
        found = self._opened(said, provider)
        if found is None:
            raise ArrivalRefused(2, "unsolicited")
        opened, cookie = await self.arrivals.arrive(found.arrival, leaving=None, client="")
        return SignedIn(session=opened, secret=cookie, onward="/me/sessions")


def unasking(ground: Ground) -> Services:
    services = build(ground)
    assert services.saml is not None
    honest = services.saml.signing
    planted = Unasking(**{each.name: getattr(honest, each.name) for each in fields(honest)})
    return replace(services, saml=replace(services.saml, signing=planted))


@pytest.mark.twin("AS-13")
async def test_without_the_question_an_attacker_signs_a_victim_in(tmp_path: Path) -> None:
    async with company(tmp_path, make=unasking) as (house, them), browser(house) as thief:
        stolen = onward_in(await them.post(them.answer(await leave(thief), subject="thief")))
        async with browser(house) as victim:
            assert (await victim.http.get(stolen)).status_code == 200
            assert victim.secret is not None
        never = onward_in(await them.post(them.answer(await leave(thief), to="_never-asked")))
        assert (await thief.http.get(never)).status_code == 200
