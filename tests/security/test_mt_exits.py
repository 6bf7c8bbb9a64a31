"""A tenant at work: its agents call its servers, and its administrators open nothing of the operator's."""

from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from remit.app.bindings.tenancy import NoPrograms, TenantRule
from remit.enforcement.mcp.exit import ExitFailed
from remit.kernel.outbound import AddressRule, Destination, OutboundRefused
from support.composed import business_tools, composed
from support.house import BOOKING, House
from support.tenancy import opened
from support.upstreams import Business, business

INSIDE = Destination(host="10.0.0.7", port=8443)
OUTSIDE = Destination(host="tools.example.com", port=443)


def named_by_the_tenant() -> AddressRule:
    return AddressRule(registered=frozenset({INSIDE, OUTSIDE}))


@pytest.mark.promise("P11")
def test_what_a_tenant_names_opens_nothing_private() -> None:
    rule = TenantRule(named_by_the_tenant(), frozenset())
    rule.check(OUTSIDE, ip_address("93.184.216.34"))
    for destination in (INSIDE, OUTSIDE):
        with pytest.raises(OutboundRefused):
            rule.check(destination, ip_address("10.0.0.7"))
    TenantRule(named_by_the_tenant(), frozenset({INSIDE})).check(INSIDE, ip_address("10.0.0.7"))
    # The rule of the installation itself does: that is what its administrators register.
    named_by_the_tenant().check(INSIDE, ip_address("10.0.0.7"))


async def test_a_tenant_starts_no_program_here() -> None:
    with pytest.raises(ExitFailed):
        await NoPrograms().spawn(("/bin/sh", "-c", "id"), ())


async def at_work(house: House, upstream: Business) -> House:
    """A tenant with a person, an agent, and the business as its server."""
    acme = await opened(house, "acme")
    await acme.person("admin@acme.example", roles="admin")
    await acme.person("user@acme.example")
    await acme.agent("calendar-bot", blueprint=await acme.blueprint())
    await acme.server("business", upstream.url, await business_tools(upstream.url))
    text = files("remit_demo").joinpath("policies.cedar").read_text(encoding="utf-8")
    await acme.policy(text.partition('@id("git.read")')[0])
    return acme


@pytest.mark.req("N53")
@pytest.mark.promise("P11")
@pytest.mark.parametrize("listed", [True, False])
async def test_a_governed_call_of_a_tenant_is_on_its_own_record(tmp_path: Path, listed: bool) -> None:
    async with business(jwks=None, issuer="https://remit.example.com", audience="x") as upstream:
        hosts = [urlsplit(upstream.url).netloc] if listed else []
        async with composed(tmp_path / "one", chosen={"tenants.private_hosts": hosts}) as house:
            acme = await at_work(house, upstream)
            started = await acme.task("calendar-bot")
            token = await acme.exchange(acme["calendar-bot"], started.envelope)
            called = await acme.call(acme["calendar-bot"], token, "rooms_book", BOOKING)
            assert (called.ran, len(upstream.hits)) == (listed, int(listed))
            decided = await acme.records("decision.action.decided")
            assert [each.tenant for each in decided] == ["acme"] * listed
            assert not await house.records("decision.action.decided")
