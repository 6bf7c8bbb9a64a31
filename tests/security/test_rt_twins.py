"""Class RT against servers without the defence: what a thief, a stranger and a greedy client then get."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pytest

from remit.authority.oauth.asking.families import Family, Presenter
from remit.authority.oauth.clients.registration import REFRESH
from remit.authority.oauth.endpoints.introspect import INACTIVE, Asked, IntrospectionEndpoint
from remit.authority.oauth.endpoints.revoke import RevocationEndpoint
from remit.authority.oauth.grants.refresh_token import RefreshTokenGrant, SpendRefresh
from remit.authority.oauth.issuing.client_sessions import SessionMint
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.proving.client_auth import Authenticated
from remit.authority.oauth.proving.requests import Asking, Draft
from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.scopes import Scope
from remit.authority.tasks import Task
from remit.kernel.ids import PrincipalId
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import AuthorizingWorld, with_codes
from support.jose import private_key
from support.oauth import ISSUER, World, claims_in


def refreshing(change: Callable[[Any], None]) -> Callable[..., OAuth]:
    """A server whose refresh grant was changed."""

    def build(**parts: Any) -> OAuth:
        whole = with_codes(**parts)
        change(whole.token._grants[REFRESH])
        return whole

    return build


# -- RT-03: more than was allowed


class Generous(SessionMint):
    """Takes what a request asks for what was allowed."""

    def token(self, asking: Asking, family: Family) -> AccessToken:
        asked = asking.request.parameters
        return super().token(
            asking,
            replace(
                family,
                scopes=family.scopes | set(asked.get("scope").split()),
                resource=asked.only("resource") or family.resource,
            ),
        )

    def _of_agent(self, asking: Asking, family: Family, target: Any, scopes: Any, task: Task) -> AccessToken:
        agent = asking.who.client.agent
        assert agent is not None
        most = asking.tx.ceilings.get(PrincipalId(agent))
        assert most is not None
        return super()._of_agent(asking, family, target, scopes, replace(task, ceiling=most))


BOOKING = (
    '[{"type":"remit_action","rights":[{"action":"business/rooms.book","resource_type":"Thing",'
    '"resources":"any","constraints":[]}]}]'
)


def generous(grant: Any) -> None:
    grant._mint = Generous(mint=grant._mint._mint, issuer=grant._mint._issuer)


@pytest.mark.twin("RT-03")
async def test_a_mint_that_believes_the_request_gives_more_than_the_person_did(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    world = await AuthorizingWorld(sqlite_uow, build=refreshing(generous)).populate()
    first = await world.tokens(authorization_details=BOOKING)
    asked = {"scope": "mcp remit.act", "resource": world.options.mcp("mail")}
    answer = await world.refresh(first["refresh_token"], **asked)
    assert answer.status_code == 200, answer.text
    before, after = (claims_in(each["access_token"]) for each in (first, answer.json()))
    assert set(before["scope"].split()) < set(after["scope"].split()) == {"mcp", str(Scope.ACT)}
    assert after["aud"] == world.options.mcp("mail") != before["aud"]
    assert "mail/mail.send" in str(after["authorization_details"])
    assert "mail/mail.send" not in str(before["authorization_details"])


# -- RT-04: whoever has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Whoever(SpendRefresh):
    """Sees in whoever comes the one that it was given to."""

    def judged(self, tx: Any, *, at: datetime) -> Any:
        token = tx.families.token(opaque.digest_of(self.text))
        family = tx.families.get(token.family)
        theirs = replace(self.presenter, client_id=family.client_id, key=family.key)
        honest = SpendRefresh(
            text=self.text, presenter=theirs, successors=self.successors, limits=self.limits
        )
        return honest.judged(tx, at=at)


class Open(RefreshTokenGrant):
    """Asks for the token alone."""

    def draft(self, asking: Asking) -> Draft:
        registration = asking.who.registration
        assert registration is not None
        text = asking.request.parameters.need("refresh_token")
        nobody = Presenter(client_id="", authenticated=False, key="")
        spend = Whoever(text=text, presenter=nobody, successors=self._successors, limits=registration.limits)
        family = spend.judged(asking.tx, at=asking.request.at).family
        return Draft(token=self._mint.token(asking, family), spend=spend)


def opened(grant: Any) -> None:
    grant.__class__ = Open


@pytest.mark.twin("RT-04")
async def test_a_grant_that_asks_for_the_token_alone_serves_the_thief(sqlite_uow: SqlUnitOfWork) -> None:
    world = await AuthorizingWorld(sqlite_uow, build=refreshing(opened)).populate()
    await world.public("other")
    thief = world.device_proof(key=private_key("key of a thief"))
    stolen = (await world.tokens())["refresh_token"]
    assert (await world.refresh(stolen, proof=thief)).status_code == 200
    stolen = (await world.tokens())["refresh_token"]
    assert (await world.refresh(stolen, "other")).status_code == 200


# -- RT-07, RT-08: somebody else's


class Talkative(IntrospectionEndpoint):
    """Tells whoever asks about any token that is ours."""

    def _say(self, tx: Any, text: str, caller: Authenticated, token: AccessToken | None, asked: Asked) -> Any:
        owned = None if token is None else replace(caller, client=replace(caller.client, id=token.client))
        return super()._say(tx, text, owned or caller, token, asked)


class Obliging(RevocationEndpoint):
    """Ends any token that is ours for whoever asks."""

    def _revoke(self, tx: Any, wanted: Any, *, at: datetime) -> None:
        token = wanted.token and replace(wanted.token, client=wanted.caller.client.id)
        super()._revoke(tx, replace(wanted, token=token), at=at)


def obliging(**parts: Any) -> OAuth:
    whole = OAuth.build(**parts)
    whole.introspection.__class__ = Talkative
    whole.revocation.__class__ = Obliging
    return whole


@pytest.mark.twin("RT-07", "RT-08")
async def test_an_endpoint_that_asks_not_whose_it_is_tells_and_ends_for_anybody(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    world = await World(sqlite_uow, build=obliging).populate()
    token = await world.task_token()
    await world.workload("other", attributes=(("resource_server", f"{ISSUER}/mcp/mail"),))
    for stranger in ("other", "mail-bot"):
        told = (await world.introspect(stranger, token)).json()
        assert told["active"] is True
        assert told["sub"] == world.actors["ana"].id
    assert (await world.revoke("mail-bot", token)).status_code == 200
    assert (await world.introspect("calendar-bot", token)).json() == INACTIVE
