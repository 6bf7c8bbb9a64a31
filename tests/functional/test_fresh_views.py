"""A token may be younger than the view of the world that a node holds: it is looked at again before a no."""

import pytest

from remit.app.bindings.standing import SnapshotStandings
from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.oauth.wire.errors import LifelessToken
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.surface.web.errors import status_of
from support.house import House


class Counting(SnapshotStandings):
    """Counts how often somebody had it read the store."""

    asked = 0

    async def catch_up(self) -> None:
        self.asked += 1
        await super().catch_up()


async def lagging(house: House) -> tuple[AccessTokenVerifier, Counting]:
    """The verifier of a node whose view is of this moment, and stays there."""
    ground = house.services.ground
    keeper = SnapshotKeeper(ground.work, tenant=ground.tenant, keys=ground.keys)
    await keeper.catch_up()
    standings = Counting(keeper)
    return AccessTokenVerifier(keys=ground.keys, standings=standings, clock=house.clock), standings


@pytest.mark.promise("P9")
async def test_a_token_younger_than_the_view_is_looked_at_again(house: House) -> None:
    verifier, standings = await lagging(house)
    started = await house.task("calendar-bot")
    bot, url = house["calendar-bot"], f"{house.issuer}/mcp/business"
    token = await house.exchange(bot, started.envelope)
    shown = (f"DPoP {token}", [bot.proof("POST", url, token)], "POST", url, url)
    with pytest.raises(LifelessToken):  # what a node without the second look says
        verifier.verify(*shown, house.now())
    assert (await verifier.verify_now(*shown)).task == started.task.id
    assert standings.asked == 1
    await house.services.tasks.end(started.task.id, by=house["user"].principal.id, at=house.now())
    later, standings = await lagging(house)
    with pytest.raises(LifelessToken) as dead:
        await later.verify_now(*shown)
    assert (standings.asked, status_of(dead.value)) == (1, 401)


@pytest.mark.attack("DS-07")
async def test_what_bears_no_signature_of_ours_costs_no_reading(house: House) -> None:
    verifier, standings = await lagging(house)
    bot, url = house["calendar-bot"], f"{house.issuer}/api"
    token = await house.own_token(bot)
    for forged in (token[:-8] + "AAAAAAAA", f"{token[:-8]}=", "eyJ.eyJ.x", "x" * 20_000, ""):
        with pytest.raises(Exception) as refused:  # noqa: PT011 — each form has its own error, none a reading
            await verifier.verify_now(f"DPoP {forged}", ["x"], "POST", url, url)
        assert status_of(refused.value) == 401  # type: ignore[arg-type]  # all are errors of ours
    assert standings.asked == 0
