"""What a client and an application hold of a person's session, and every place at which it could go on."""

import re
import zlib
from dataclasses import replace
from typing import Any, Self

import httpx2

from remit.authority.envelope import text_digest
from remit.authority.oauth.clients.registration import CIBA, OFFERED
from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.oauth.wire.errors import OAuthError
from remit.kernel.canonical import b64u_decode
from remit.platform.settings.options import HttpOptions
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.platform.telemetry.metrics import Metrics
from remit.surface.web.app import build_app
from remit.surface.web.pages.asks import ASKS, AskPages
from remit.surface.web.pages.mine import Own
from remit.surface.web.pages.paper import Paper
from remit.surface.web.routes.authorize import AuthorizeRoutes
from remit.surface.web.routes.device import DeviceRoutes
from remit.surface.web.routes.oauth import OAuthRoutes
from remit.surface.web.routes.oidc import OpenIdRoutes
from remit.surface.web.routes.register import RegisterRoutes
from support.authorizing import Shown, told
from support.backchannel import flow_of
from support.devices import DeviceWorld
from support.links import handed_on
from support.oauth import ABSENT, ACCESS_TOKEN, EXCHANGE, OPTIONS, TXN_TOKEN, claims_in

BEN = "ben"
"""The person: somebody else owns the agents."""


class SessionWorld(DeviceWorld):
    """One server with every way to a token that begins with a person."""

    def __init__(self, uow: SqlUnitOfWork, **options: Any) -> None:
        values = {"options": replace(OPTIONS, devices=True, status_lists=True), **options}
        super().__init__(uow, **values)
        issuer, flow, devices = self.options.issuer, self.oauth.code_flow, self.oauth.devices
        assert flow is not None
        assert devices is not None
        paper = Paper(issuer=issuer, origin=issuer)
        own = Own(paper=paper, door=self.door, name_of=lambda ident: ident)
        self.app = build_app(
            [
                *OAuthRoutes(self.oauth).routes(),
                *RegisterRoutes(self.oauth).routes(),
                *OpenIdRoutes(self.oauth, flow).routes(),
                *DeviceRoutes(self.oauth, devices, door=self.door, paper=paper).routes(),
                *AskPages(own=own, flow=flow_of(self.oauth), now=self.clock.now).routes(),
                *AuthorizeRoutes(self.oauth, flow, door=self.door, paper=paper).routes(),
            ],
            options=HttpOptions(),
            issuer=issuer,
            metrics=Metrics(),
            entropy=self.entropy,
        )
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url=issuer)

    async def populate(self) -> Self:
        await super().populate()
        await self.change("web", grant_types=OFFERED | {"client_credentials", EXCHANGE})
        await self.application("wiki", scope="openid profile")
        return self


class Held:
    """What is held once, before anything happens; each place says whether it still serves."""

    def __init__(self, world: SessionWorld) -> None:
        self.world = world

    async def gather(self) -> Self:
        world = self.world
        self.person = person = await world.sign_in(BEN)
        self.issued = await self._session(await world.code(person, "web"))
        self.access, self.renewal = self.issued["access_token"], self.issued["refresh_token"]
        self.code = await world.code(person, "web")
        asked = await world.asked("web")
        await world.answer(person, asked["user_code"])
        self.device = asked["device_code"]
        self.asked = await self._asked()
        await world.say(person, await self._ask_page())
        self.left = await self._asked()
        self.ask_page = await self._ask_page()
        self.page = await world.show(person, "web", state="another")
        wanted = {"resource": ABSENT, "scope": "openid profile"}
        answer = await world.redeem(await world.code(person, "wiki", **wanted), "wiki")
        assert answer.status_code == 200, answer.text
        self.wiki = answer.json()
        self.envelope = await self._ticket()
        assert await self.resource()
        return self

    async def _ticket(self) -> str:
        """The envelope of the session's task, to the byte: its client is told the digest alone."""
        world, claims = self.world, claims_in(self.access)
        task = await world.uow.read(lambda tx: tx.tasks.get(claims["txn"]))
        assert task is not None
        text = world.root(task, issued_at=task.started_at)
        assert text_digest(text) == claims["dev.remit"]["env"]
        return text

    async def _session(self, code: str) -> dict[str, Any]:
        answer = await self.world.redeem(code, "web", proof=self.world.proof("web"))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def _asked(self) -> str:
        """What the client asks this person behind the scenes, by the name that it polls with."""
        answer = await self._ask()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["auth_req_id"])

    async def _ask(self) -> httpx2.Response:
        world = self.world
        form = {
            **world.form("web"),
            "scope": "openid",
            "login_hint": world.actors[BEN].id,
            "resource": world.options.mcp("business"),
        }
        return await world.post("/bc-authorize", form)

    async def _ask_page(self) -> Shown:
        listed = await self.world.get(ASKS, self.person)
        found = re.search(r'href="(/me/asks/[0-9a-f]{64})"', listed.text)
        assert found is not None, listed.text
        return await self.world.open(self.person, found.group(1))

    # -- the client itself

    async def own(self) -> bool:
        return (await self.world.ask("web", grant_type="client_credentials")).status_code == 200

    async def par(self) -> bool:
        return (await self.world.push("web")).status_code == 201

    async def device_request(self) -> bool:
        return (await self.world.ask_device("web")).status_code == 200

    async def backchannel_request(self) -> bool:
        return (await self._ask()).status_code == 200

    # -- what a person began and nobody has finished

    async def backchannel_page(self) -> bool:
        answer = await self.world.say(self.person, self.ask_page)
        return answer.status_code == 200 and "goes on by itself" in answer.text

    async def backchannel_poll(self) -> bool:
        answer = await self.world.ask("web", grant_type=CIBA, auth_req_id=self.asked)
        return answer.status_code == 200

    async def consent_page(self) -> bool:
        answer = await self.world.say(self.person, self.page)
        return answer.status_code == 303 and "code" in told(answer)

    async def redeem(self) -> bool:
        answer = await self.world.redeem(self.code, "web", proof=self.world.proof("web"))
        return answer.status_code == 200

    async def poll(self) -> bool:
        return (await self.world.poll(self.device, "web")).status_code == 200

    # -- what came of it

    async def refresh(self) -> bool:
        answer = await self.world.refresh(self.renewal, "web", proof=self.world.proof("web"))
        return answer.status_code == 200

    async def exchange(self) -> bool:
        answer = await self.world.ask(
            "web",
            grant_type=EXCHANGE,
            subject_token=self.access,
            subject_token_type=ACCESS_TOKEN,
            resource=self.world.options.mcp("business"),
        )
        return answer.status_code == 200

    async def hand_on(self) -> bool:
        """The same grant, for another agent's sake (R32)."""
        answer = await handed_on(
            self.world,
            "web",
            "calendar-bot",
            subject_token=self.access,
            subject_token_type=ACCESS_TOKEN,
            actor_token=ABSENT,
            **{"dev.remit.envelope": self.envelope},
        )
        return answer.status_code == 200

    async def introspect_access(self) -> bool:
        return await self._active(self.access)

    async def introspect_refresh(self) -> bool:
        return await self._active(self.renewal)

    async def _active(self, token: str) -> bool:
        """Exactly `{"active": false}` of what is dead; whoever may not ask any more is refused."""
        answer = await self.world.introspect("web", token)
        assert answer.status_code == 401 or answer.json()["active"] or answer.json() == {"active": False}
        return answer.status_code == 200 and bool(answer.json()["active"])

    async def status_list(self) -> bool:
        world, place = self.world, claims_in(self.access)["status"]["status_list"]
        world.clock.advance(1)  # the list is signed once a second
        answer = await world.http.get(place["uri"], headers={"accept": "application/statuslist+jwt"})
        bits = zlib.decompress(b64u_decode(claims_in(answer.text)["status_list"]["lst"]))
        return not bits[place["idx"] // 8] >> (place["idx"] % 8) & 1

    async def resource(self) -> bool:
        """A verifier that has seen the token before."""
        return await self._accepts(self.world.verifier)

    async def resource_elsewhere(self) -> bool:
        """A verifier that has not."""
        world = self.world
        return await self._accepts(
            AccessTokenVerifier(keys=world.keyring, standings=world.view, clock=world.clock)
        )

    async def _accepts(self, verifier: AccessTokenVerifier) -> bool:
        try:
            await self.world.verify(self.access, who="web", verifier=verifier)
        except OAuthError:
            return False
        return True

    # -- an application that only signs people in

    async def userinfo(self) -> bool:
        token = self.wiki["access_token"]
        proof = self.world.device_proof("/userinfo", access_token=token)
        headers = {"authorization": f"DPoP {token}", "dpop": proof}
        return (await self.world.http.post("/userinfo", headers=headers)).status_code == 200

    async def application_refresh(self) -> bool:
        return (await self.world.refresh(self.wiki["refresh_token"], "wiki")).status_code == 200


CLIENT = frozenset({"own", "par", "device_request", "backchannel_request"})
BEGUN = frozenset({"consent_page", "backchannel_page", "redeem", "poll", "backchannel_poll"})
TOKEN = frozenset(
    {"exchange", "hand_on", "introspect_access", "status_list", "resource", "resource_elsewhere"}
)
FAMILY = TOKEN | {"refresh", "introspect_refresh"}
APPLICATION = frozenset({"userinfo", "application_refresh"})
PLACES = CLIENT | BEGUN | FAMILY | APPLICATION
GRANTS_OF_PLACES = {
    "authorization_code": "redeem",
    "refresh_token": "refresh",
    "device_code": "poll",
    "ciba": "backchannel_poll",
    "client_credentials": "own",
    "token_exchange": "exchange",
}
"""By the module of each grant: where it is asked here."""
USES_OF_EXCHANGE = {TXN_TOKEN: "hand_on"}
"""By the type of token that an exchange is asked for, besides access tokens: where it is asked here."""
