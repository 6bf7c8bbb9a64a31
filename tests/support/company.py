"""A run for two people in a composed installation: each with consents of their own, and documents to read."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import httpx2

from remit.authority.consent import Grant
from remit.authority.rights import Caps, Ceiling, Right, Window
from remit.kernel.ids import PrincipalId, UserId
from support.clients import Called
from support.house import House

BOT: Final = "calendar-bot"
READ: Final = "business/documents.read"
ALL: Final = '@id("all") permit (principal, action, resource);'


def documents(house: House, *names: str, calls: int | None = None, purpose: str = "any") -> Ceiling:
    """Leave to read some documents; all of them where none is named."""
    now = house.now().replace(microsecond=0)
    right = Right(action=READ, resource_type="Document", resources=frozenset(names) or "any")
    return Ceiling(
        rights=frozenset({right}),
        window=Window(start=now - timedelta(minutes=5), end=now + timedelta(days=2)),
        caps=Caps(calls=calls),
        depth=3,
        purpose=purpose,
    )


@dataclass
class Run:
    """A started run, as its agent sees it."""

    house: House
    answer: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.answer["task"]["id"])

    @property
    def envelope(self) -> str:
        return str(self.answer["envelope"])

    async def token(self, agent: str = BOT) -> str:
        return await self.house.exchange(self.house[agent], self.envelope)

    async def read(self, document: str, *, token: str = "") -> Called:
        """The agent reads one document through the gateway."""
        token = token or await self.token()
        return await self.house.call(
            self.house[BOT], token, "documents_read", {"document_id": document}, envelope=self.envelope
        )


async def furnish(house: House, policy: str = ALL) -> House:
    """A second person, and leave for the agent to read whatever its people let it."""
    await house.person("bea@company.com")
    admin = PrincipalId(house["admin"].id)
    most = documents(house)
    for name in (BOT, "mail-bot"):
        agent = house[name].principal.parent
        assert agent is not None
        entry = await house.services.identity.get(agent)
        for holder in (entry.blueprint, agent):
            assert holder is not None
            before = await house.services.consent.ceiling_of(PrincipalId(holder))
            assert before is not None
            wide = replace(before, rights=before.rights | most.rights)
            await house.services.consent.set_ceiling(PrincipalId(holder), wide, by=admin, at=house.now())
    await house.policy(policy)
    await house.services.ground.snapshots.catch_up()
    return house


async def consent(house: House, who: str, limit: Ceiling, *, agent: str = BOT) -> Grant:
    """One person's own yes."""
    return await house.services.consent.give(
        user=UserId(house[who].id),
        agent=house[agent].agent,
        ceiling=limit,
        text="read documents for me",
        by=PrincipalId(house[who].id),
        at=house.now(),
    )


async def ask(house: House, *others: Any, by: str = "user", **changes: Any) -> httpx2.Response:
    """Start a run over the API, for its asker and others."""
    body = {
        "agent": BOT,
        "goal": "compare what we know",
        "purpose": "research",
        "deadline": (house.now() + timedelta(minutes=30)).isoformat(),
        **changes,
    }
    if others:
        body["with"] = [each if isinstance(each, dict) else {"user": each} for each in others]
    return await house.api(house[by], "POST", "/tasks", body)


async def started(house: House, *others: Any, **changes: Any) -> Run:
    """A run that began."""
    answer = await ask(house, *others, **changes)
    assert answer.status_code == 201, answer.text
    await house.services.ground.snapshots.catch_up()
    return Run(house=house, answer=answer.json())
