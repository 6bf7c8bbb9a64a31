"""One story of three hops, its links made in each of three ways; a forged link fails in each (R32).

`signed`: hops that the agents sign, verified offline, exchanged once at the end. `exchanged`: no agent signs
a link; each asks for it by token exchange with what it was handed. `credentials`: hops as SD-JWT VCs, each
bound to the key of whoever comes next.
"""

import itertools
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import yaml

from remit.authority.credential_hop import bind, sign_credential
from remit.authority.envelope import Delegation, Hop, next_hop, sign_hop
from remit.authority.rights import Ceiling
from remit.kernel.ids import AgentId, InstanceId
from support.domains import DomainWorld
from support.jose import private_key
from support.links import handed_on
from support.oauth import ACCESS_TOKEN, EXCHANGE, World, claims_in

STORY = yaml.safe_load((Path(__file__).parent / "three_hops.yaml").read_text(encoding="utf-8"))
WAYS = ("signed", "exchanged", "credentials")


@dataclass
class Chain:
    """An envelope on its way from agent to agent, with links of one kind."""

    world: World
    way: str
    text: str
    ceiling: Ceiling

    async def go_on(self, hop: dict[str, Any], change: str = "") -> str:
        """One link; `change` is what a forger does to it. The error of who is refused it, or nothing."""
        if change == "dropped":
            return ""
        if self.way == "exchanged":
            return await self._ask(hop, change)
        wanted = self.world.ceiling(*hop["actions"], resources=frozenset(hop["resources"]))
        made = self._made(hop, wanted, change)
        signer = self.world.actors["mail-bot" if change == "signer" else hop["by"]]
        if change == "signer":
            signer = replace(signer, kid=self.world.actors[hop["by"]].kid, key=private_key("a forger's"))
        before = self.text
        if self.way == "credentials":
            holder = self.world.actors[hop["to"]].key.public
            self.text = sign_credential(before, made, signer=signer.signer(), holder=holder)
        else:
            self.text = sign_hop(before, made, signer=signer.signer())
        self.ceiling = made.ceiling
        return ""

    async def _ask(self, hop: dict[str, Any], change: str) -> str:
        """The link, by token exchange alone; `signer`: somebody asks whom nothing names."""
        rights = {"actions": hop["actions"], "resources": hop["resources"]}
        if change == "wider":
            rights = {"actions": [right.action for right in self.ceiling.rights], "resources": None}
        other = begin(self.world, self.way)
        if change == "spliced":
            await other.go_on({**hop, "by": "calendar-bot"})
            self.text += "~" + other.text.rpartition("~")[2]
            return ""
        answer = await handed_on(
            self.world,
            "files-bot" if change == "signer" else hop["by"],
            "dev-bot" if change == "holder" else hop["to"],
            self.text,
            **rights,
        )
        if answer.status_code != 200:
            return str(answer.json()["error"])
        self.text = answer.json()["access_token"]
        return ""

    def _made(self, hop: dict[str, Any], wanted: Ceiling, change: str) -> Hop:
        agent = self.world.actors[hop["to"]].principal.parent
        assert agent is not None
        made = next_hop(
            self.text,
            self.ceiling,
            by=InstanceId(self.world.actors[hop["by"]].id),
            to=AgentId(agent),
            kind=Delegation.ATTENUATE,
            wanted=wanted,
            task=self.world.task.id,
            at=self.world.now,
            expires_at=self.world.task.deadline,
        )
        if change == "wider":
            return replace(made, ceiling=replace(wanted, rights=self.world.task.ceiling.rights, depth=1))
        if change == "spliced":
            return replace(made, previous="0" * 64)
        if change == "holder":
            other = self.world.actors["dev-bot"].principal.parent
            assert other is not None
            return replace(made, next=AgentId(other))
        return made

    async def show(self, who: str, **changes: Any) -> httpx2.Response:
        """Exchange what there is, as that agent."""
        proof_id = self.world.fresh()
        text = self.text
        if self.way == "credentials" and "~" in text:
            key = changes.pop("key", self.world.actors[who].key)
            nonce = changes.pop("nonce", proof_id)
            audience = changes.pop("audience_of_binding", self.world.options.issuer)
            text = bind(text, key=key, audience=audience, nonce=nonce, at=changes.pop("at", self.world.now))
        proof = self.world.proof(who, jti=proof_id)
        return await self.world.exchange(who, **{"subject_token": text, "proof": proof, **changes})


@pytest_asyncio.fixture
async def office(home: DomainWorld) -> World:
    world = home
    for name in ("files-bot", "notes-bot"):
        await world.agent(name)
    root = STORY["root"]
    world.task = await world.start_task(ceiling=world.ceiling(*root["actions"], depth=root["depth"]))
    return world


def begin(world: World, way: str) -> Chain:
    return Chain(world=world, way=way, text=world.root(world.task), ceiling=world.task.ceiling)


@pytest.mark.req("R32", "R31", "N24")
@pytest.mark.spec("RFC 9901", "7.3")
@pytest.mark.parametrize("way", WAYS)
async def test_the_same_story_holds_with_each_kind_of_link(office: World, way: str) -> None:
    chain = begin(office, way)
    for hop in STORY["hops"]:
        await chain.go_on(hop)
    answer = await chain.show(STORY["then"]["actor"])
    assert answer.status_code == 200, answer.text
    claims = claims_in(answer.json()["access_token"])
    (details,) = claims["authorization_details"]
    assert [(right["action"], right["resources"]) for right in details["rights"]] == [
        (action, STORY["then"]["resources"]) for action in STORY["then"]["actions"]
    ]
    chained, act = [], claims["act"]
    while act:
        chained.append(act["sub"].split("/")[-2])
        act = act.get("act")
    assert chained[::-1] == STORY["then"]["chain"], "each hop, in order, from the root on"
    assert claims["sub"] == office.actors["ana"].id
    # An exchanged token is exchanged again, and only narrows (RFC 8693 §2.1).
    again = await office.ask(
        STORY["then"]["actor"],
        grant_type=EXCHANGE,
        subject_token=answer.json()["access_token"],
        subject_token_type=ACCESS_TOKEN,
        resource=f"{office.options.issuer}/mcp/business",
    )
    assert claims_in(again.json()["access_token"])["act"] == claims["act"]


@pytest.mark.req("R32")
@pytest.mark.attack("DE-01", "DE-02", "DE-05")
@pytest.mark.parametrize("way", WAYS)
async def test_a_forged_link_fails_with_each_kind_of_link(office: World, way: str) -> None:
    for name, forged in STORY["forged"].items():
        chain, stopped = begin(office, way), ""
        for number, hop in enumerate(STORY["hops"], start=1):
            stopped = stopped or await chain.go_on(hop, forged["change"] if number == forged["hop"] else "")
        answer = await chain.show(STORY["then"]["actor"])
        assert answer.status_code == 400, (way, name)
        assert answer.json()["error"] in {"invalid_request", "access_denied"}, name
        # Of an exchange there is hardly a forged link to show: it is refused where it is asked.
        assert stopped == (forged["exchanged"] if way == "exchanged" else ""), (way, name)


@pytest.mark.spec("RFC 9901", "7.3")
@pytest.mark.req("R32")
async def test_a_credential_is_no_use_without_its_holders_key_here_and_now(office: World) -> None:
    chain = begin(office, "credentials")
    await chain.go_on(STORY["hops"][0])
    stale = office.now - timedelta(minutes=6)
    wrong: dict[str, dict[str, Any]] = {
        "another key": {"key": private_key("somebody")},
        "another proof": {"nonce": "a proof of yesterday"},
        "another verifier": {"audience_of_binding": "https://other.example"},
        "an old binding": {"at": stale},
        "no binding": {"subject_token": chain.text},
        "somebody else": {"subject_token": chain.text + "~" + "a.b.c"},
    }
    for name, changes in wrong.items():
        answer = await chain.show("mail-bot", **changes)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), name
    assert (await chain.show("mail-bot")).status_code == 200
    # Another instance of the very agent that it names has another key.
    agent = office.actors["mail-bot"].principal.parent
    assert agent is not None
    await office.instance("mail-bot-2", agent)
    assert (await chain.show("mail-bot-2")).json()["error"] == "invalid_request"
    # A binding where nothing is bound says nothing that anybody asked for.
    plain = begin(office, "signed")
    await plain.go_on(STORY["hops"][0])
    text = bind(plain.text, key=office.actors["mail-bot"].key, audience="x", nonce="y", at=office.now)
    assert (await plain.show("mail-bot", subject_token=text)).json()["error"] == "invalid_request"


@pytest.mark.req("R37", "R31")
async def test_five_hops_over_two_servers_and_sessions_only_narrow_and_lead_to_the_root(
    office: World,
) -> None:
    names = ("calendar-bot", "mail-bot", "files-bot", "notes-bot", "tickets-bot", "print-bot")
    for name in names[4:]:
        await office.agent(name)
    resources = [f"Room-{number}" for number in range(6)]
    chain = begin(office, "signed")
    seen = []
    for number, (giver, taker) in enumerate(itertools.pairwise(names)):
        await chain.go_on({"by": giver, "to": taker, "actions": ["business/rooms.book", "mail/mail.send"],
                           "resources": resources[: 6 - number]})  # fmt: skip
        # The person's session is another at each hop; nothing of the chain stands on it.
        office.clock.advance(timedelta(minutes=2))
        for server in ("business", "mail"):
            answer = await chain.show(taker, resource=f"{office.options.issuer}/mcp/{server}")
            assert answer.status_code == 200, answer.text
            (details,) = claims_in(answer.json()["access_token"])["authorization_details"]
            seen.append({name for right in details["rights"] for name in right["resources"]})
    assert all(later <= earlier for earlier, later in itertools.pairwise(seen))
    assert len(seen[-1]) < len(seen[0])
    issued = [each for each in await office.records("authority.token.issued") if each.task == office.task.id]
    last = issued[-1]
    # From the last record alone: who asked, through whom, by which consent, in the order of the hops.
    assert last.chain == tuple(office.actors[name].id for name in names)
    assert (last.user, last.grant) == (office.actors["ana"].id, office.task.grant)
    hops = list(await office.records("authority.envelope.extended"))
    assert [each.chain[-1] for each in hops] == [office.actors[name].id for name in names[:-1]]
