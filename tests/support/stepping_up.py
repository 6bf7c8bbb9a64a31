"""A client whose person signs in, and signs in again when a resource asks for it (RFC 9470)."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from remit.authority.oauth.clients.registration import (
    ApplicationType,
    AuthMethod,
    ClientRegistration,
    RegistrationKind,
    digest_of,
)
from remit.authority.oauth.wire.pkce import challenge_of
from remit.identity.sessions import ACR_PASSKEY_UV, AMR_PASSKEY_UV, Proof, SessionRule, begin
from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.dpop import make_proof
from remit.kernel.jose.keys import PrivateKey
from remit.kernel.tenancy import DEFAULT_TENANT
from support.gateway import modern, modern_headers
from support.house import BOOKING, House

BACK = "http://127.0.0.1:33418/callback"
VERIFIER = "a-verifier-of-43-characters-or-more-it-must-be"
SERVER = "business"


@dataclass
class Stepper:
    """A public client with a key, and the browser of the person in front of it."""

    house: House
    registration: ClientRegistration
    key: PrivateKey
    cookie: str = ""
    token: str = ""
    renewal: str = ""
    sign_ins: int = 0

    @property
    def url(self) -> str:
        return f"{self.house.issuer}/mcp/{SERVER}"

    async def sign_in(self, *, ago: timedelta = timedelta(0)) -> None:
        """A session of the person, who proved to be there that long ago."""
        house = self.house
        session, secret = begin(
            PrincipalId(house["user"].id),
            tenant=DEFAULT_TENANT,
            proof=Proof(amr=AMR_PASSKEY_UV, acr=ACR_PASSKEY_UV, at=house.now() - ago),
            rule=SessionRule(),
            entropy=house.services.ground.entropy,
        )
        await house.work.commit(lambda tx: tx.sessions.add(session))
        self.cookie = f"remit-session={b64u(secret.reveal())}"

    async def authorize(self, **asked: str) -> dict[str, str]:
        """Send the person to the server and back; they sign in anew where its page says so, and allow."""
        query = {
            "response_type": "code",
            "client_id": self.registration.client_id,
            "redirect_uri": BACK,
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "resource": self.url,
            **asked,
        }
        began = await self._get(f"/authorize?{urlencode(query)}")
        path = began.headers["location"]
        if not path.startswith("/authorize/"):
            return answer_in(path)
        page = await self._get(path)
        if page.status_code == 303 and page.headers["location"].startswith("/sign-in"):
            self.sign_ins += 1
            await self.sign_in()
            page = await self._get(path)
        if page.status_code == 303:
            return answer_in(page.headers["location"])
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
        assert csrf is not None, page.text
        said = await self._browse("POST", path, data={"csrf": csrf.group(1), "answer": "allow"})
        assert said.status_code == 303, said.text
        found = answer_in(said.headers["location"])
        if "code" in found:
            form = {"code": found["code"], "code_verifier": VERIFIER, "redirect_uri": BACK}
            await self._earn({"grant_type": "authorization_code", **form})
        return found

    async def refresh(self) -> None:
        await self._earn({"grant_type": "refresh_token", "refresh_token": self.renewal})

    async def call(self, tool: str = "rooms_book", **arguments: Any) -> httpx2.Response:
        """Call a tool through the gateway."""
        body = modern("tools/call", {"name": tool, "arguments": arguments or BOOKING})
        return await self.send(body, modern_headers("tools/call", tool))

    async def send(self, body: Any, headers: dict[str, str]) -> httpx2.Response:
        proof = self._proof(self.url, access_token=self.token)
        lines = {
            **headers,
            "authorization": f"DPoP {self.token}",
            "dpop": proof,
            "accept": "application/json, text/event-stream",
        }
        return await self.house.http.post(self.url, json=body, headers=lines)

    async def insist(self, *, at_most: int = 5) -> httpx2.Response:
        """Call, and do whatever each challenge says, as often as that."""
        answer = await self.call()
        for _ in range(at_most):
            if answer.status_code != 401:
                break
            wanted = challenge_in(answer)
            asked = {name: wanted[name] for name in ("acr_values", "max_age") if name in wanted}
            if "code" not in await self.authorize(**asked):
                break
            answer = await self.call()
        return answer

    async def _earn(self, form: dict[str, str]) -> None:
        address = f"{self.house.issuer}/token"
        stated = {"client_id": self.registration.client_id, **form}
        answer = await self.house.http.post(address, data=stated, headers={"dpop": self._proof(address)})
        assert answer.status_code == 200, answer.text
        self.token, self.renewal = answer.json()["access_token"], answer.json()["refresh_token"]

    def _proof(self, target: str, **options: Any) -> str:
        jti = b64u(self.house.services.ground.entropy(12))
        return make_proof(self.key, method="POST", target=target, jti=jti, at=self.house.now(), **options)

    async def _get(self, path: str) -> httpx2.Response:
        return await self._browse("GET", path)

    async def _browse(self, method: str, path: str, **options: Any) -> httpx2.Response:
        home = f"localhost:{self.house.port}"
        headers = {"cookie": self.cookie, "host": home, "origin": f"http://{home}"}
        return await self.house.http.request(method, f"{self.house.issuer}{path}", headers=headers, **options)


def answer_in(location: str) -> dict[str, str]:
    """What a redirect tells the client."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def challenge_in(answer: httpx2.Response) -> dict[str, str]:
    """The members of the first challenge."""
    first = answer.headers.get_list("www-authenticate")[0]
    return dict(re.findall(r'(\w+)="([^"]*)"', first))


async def stepper(house: House, agent: str = "calendar-bot") -> Stepper:
    """A client of that agent; nobody is signed in yet."""
    ground, admin = house.services.ground, PrincipalId(house["admin"].id)
    entry = await house.services.identity.get(PrincipalId(house[agent].id))
    assert entry.parent is not None
    ceiling = house.ceiling(purpose="scheduling")
    await house.services.consent.set_ceiling(entry.parent, ceiling, by=admin, at=house.now())
    own = PrivateKey.generate(Algorithm.ED25519, ground.entropy)
    instance, _ = await house.services.credentials.instantiate(
        entry.parent, own.public.jwk(), by=admin, at=house.now()
    )
    shown: dict[str, Any] = {"name": "a client", "redirect_uris": (BACK,), "auth_method": AuthMethod.NONE}
    registration = ClientRegistration(
        client_id="cli_stepper",
        tenant=DEFAULT_TENANT,
        principal=instance.id,
        kind=RegistrationKind.PRE_REGISTERED,
        application_type=ApplicationType.NATIVE,
        digest=digest_of(**shown, jwks=None, jwks_uri=None),
        created_at=house.now(),
        changed_at=house.now(),
        **shown,
    )
    await house.work.commit(lambda tx: tx.registrations.add(registration))
    return Stepper(house=house, registration=registration, key=own)
