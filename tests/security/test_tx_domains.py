"""TX-06 across domains: each part of the trust matrix bites, and without it the attack succeeds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from remit.authority.domains.trust import Direction, TrustedDomain
from remit.authority.oauth.domains import outbound
from remit.authority.oauth.domains.beginning import Beginning
from remit.authority.oauth.domains.grant import DomainGrant
from remit.authority.oauth.domains.inbound import Arrivals
from remit.authority.oauth.domains.outbound import ChainedGrants
from remit.authority.oauth.grants.jwt_bearer import JwtBearer
from remit.authority.oauth.grants.token_exchange import TokenExchange
from remit.authority.oauth.issuing.minting import Mint, Subject, Subjects
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.proving.requests import Asking, Draft
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import with_codes
from support.domains import PARTNER, Border, DomainWorld, Enterprise, neighbours
from support.oauth import claims_in


class Untold(ChainedGrants):
    """Forgets where a task came from: whoever trusts us is trusted by whomever we trust."""

    def draft(self, asking: Asking, subjects: Subjects) -> Draft:
        class Clean:
            def subject(self, asked: Asking) -> Subject:
                found = subjects.subject(asked)
                return replace(found, delegated=replace(found.delegated, before=""))

        return super().draft(replace(asking, reading=_NoRuns(asking.tx)), Clean())


class _NoRuns:
    def __init__(self, tx: Any) -> None:
        self._tx = tx

    def __getattr__(self, name: str) -> Any:
        return self if name == "domains" else getattr(self._tx, name)

    def came_with(self, task: Any) -> None:
        return None

    def trusted(self, issuer: str, direction: Direction) -> Any:
        return self._tx.domains.trusted(issuer, direction)

    def rules(self, domain: Any) -> Any:
        return self._tx.domains.rules(domain)


class AnyHolder(Arrivals):
    """Believes that whoever brings a grant is whom it was made out to."""

    def _check_holder(self, asking: Asking, domain: TrustedDomain, said: DomainGrant) -> None:
        return


class Lax:
    """An authorization server whose ways over the border are these."""

    def __init__(
        self, chained: type[ChainedGrants] = ChainedGrants, arrivals: type[Arrivals] = Arrivals
    ) -> None:
        self.chained, self.arrivals = chained, arrivals

    def __call__(self, **parts: Any) -> OAuth:
        whole = with_codes(**parts)
        options, keys, entropy, uow = (parts[name] for name in ("options", "keys", "entropy", "uow"))
        mint = Mint(options=options, entropy=entropy)
        assert whole.code_flow is not None
        tasks = whole.code_flow.consent._tasks
        chained = self.chained(mint=mint, options=options, keys=keys, entropy=entropy)
        arrivals = self.arrivals(
            uow=uow,
            mint=mint,
            options=options,
            keys=parts["domain_keys"],
            beginning=Beginning(tasks=tasks, entropy=entropy),
        )
        exchange = TokenExchange(
            mint=mint, options=options, keys=keys, delegations=parts["delegations"], elsewhere=(chained,)
        )
        bearer = JwtBearer(mint=mint, arrivals=arrivals)
        whole.token._grants = {**whole.token._grants, exchange.type: exchange, bearer.type: bearer}
        return whole


async def passed_on(border: Border) -> Any:
    """Home's task, asked on to a third domain by the partner, who trusts it."""
    partner = border.partner
    third = await partner.trust("https://third.example", Direction.OUTBOUND, name="third")
    await partner.allow(third, there="cli_there", scopes=frozenset({"mcp"}))
    grant = (await border.home.chained()).json()["access_token"]
    token = (await partner.redeem_grant(grant, resource=partner.mcp())).json()["access_token"]
    return await partner.chained(subject_token=token, audience="https://third.example")


Build = Callable[..., OAuth]


@pytest.mark.attack("TX-06")
@pytest.mark.promise("P11")
async def test_a_task_of_one_domain_goes_to_no_other(border: Border) -> None:
    answer = await passed_on(border)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


@pytest.mark.twin("TX-06")
async def test_a_task_would_go_on_where_nobody_asks_whence_it_came(
    sqlite_uow: SqlUnitOfWork, second_uow: SqlUnitOfWork
) -> None:
    border = await neighbours(sqlite_uow, second_uow, build=Lax(chained=Untold))
    answer = await passed_on(border)
    assert answer.status_code == 200, answer.text
    assert claims_in(answer.json()["access_token"])["aud"] == "https://third.example"


async def stolen(world: DomainWorld) -> Any:
    """A grant for calendar-bot, in the hands of mail-bot, which has a rule of its own."""
    idp = Enterprise()
    domain = await world.inbound(idp, "00u1", name="enterprise")
    await world.allow(domain, client=world.agent_id("mail-bot"), ceiling=world.over("business/rooms.book"))
    await world.allow_agent("mail-bot", world.over("business/rooms.book"))
    return await world.redeem_grant(idp.grant(world), "mail-bot")


@pytest.mark.attack("TX-06", "TX-10")
async def test_a_grant_is_its_clients(home: DomainWorld) -> None:
    answer = await stolen(home)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


@pytest.mark.twin("TX-06")
async def test_a_grant_would_be_anybodys_where_its_client_is_not_compared(sqlite_uow: SqlUnitOfWork) -> None:
    world = await DomainWorld(sqlite_uow, build=Lax(arrivals=AnyHolder)).populate()
    assert (await stolen(world)).status_code == 200


@pytest.mark.attack("TX-06")
async def test_whom_nobody_named_gets_no_grant_and_does_not_learn_whom_we_trust(border: Border) -> None:
    home = border.home
    (rule,) = (await home.domains.get("partner")).rules
    await home.domains.disallow(rule.id, by=home.ana, because="over", at=home.now)
    known, unknown = await home.chained(), await home.chained(audience="https://nobody.example")
    assert known.text == unknown.text
    assert known.json()["error"] == "invalid_target"
    assert PARTNER not in known.text
    assert outbound.JWT_TYPE not in known.text
