"""A small installation to measure on: one user, one agent with some instances, one server, real policies.

Set up over the API as the command line does it; then each instance gets its own token for the server.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx2
import msgspec
from bench.load import request

from bench import rules
from remit.kernel.ids import KeyId, UserId
from remit.kernel.jose import dpop, jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import KeyClass, PrivateKey, Signer
from remit.kernel.jose.profiles import TokenType
from remit.platform.settings.operator import OperatorKey, ServerAddress, read_operator
from remit.surface.cli.client import Client
from remit_demo.business.server import mappings

SERVER: Final = "business"
TOOL: Final = "rooms_free"
ARGUMENTS: Final = {"start": "2026-05-15T14:00Z", "end": "2026-05-15T15:00Z"}
POLICIES: Final = (Path(__file__).parent / "policies.cedar").read_text(encoding="utf-8")
VERSION: Final = "2026-07-28"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """One instance with its task token and the key that it is bound to."""

    token: str
    private: PrivateKey

    def proof(self, url: str) -> str:
        """One fresh DPoP proof for a POST."""
        return dpop.make_proof(
            self.private, method="POST", target=url, jti=secrets.token_urlsafe(18),
            at=datetime.now(UTC), access_token=self.token,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """An instance before it has a token: its key is registered."""

    principal: str
    kid: str
    private: PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where it runs, who asks for tasks, the actors of each algorithm, and the ticket of their task."""

    issuer: str
    user: OperatorKey
    envelope: str
    actors: Mapping[Algorithm, Sequence[Actor]]

    @property
    def resource(self) -> str:
        """The server's address at the gateway: audience and proof target."""
        return f"{self.issuer}/mcp/{SERVER}"

    def bearers(self, algorithm: Algorithm) -> list[Bearer]:
        """A fresh task token for each instance (RFC 8693)."""
        with httpx2.Client(trust_env=False, timeout=30.0) as http:
            return [self._bearer(http, each, self.envelope) for each in self.actors[algorithm]]

    def bearers_of_tasks(self, algorithm: Algorithm, count: int) -> list[Bearer]:
        """So many fresh tasks, each with one token, the instances in turn."""
        actors = self.actors[algorithm]
        address = ServerAddress(url=self.issuer, issuer=self.issuer, pid=0)
        with Client(server=address, key=self.user) as person:
            envelopes = [_task(person) for _ in range(count)]
        with httpx2.Client(trust_env=False, timeout=30.0) as http:
            return [
                self._bearer(http, actors[number % len(actors)], envelope)
                for number, envelope in enumerate(envelopes)
            ]

    def _bearer(self, http: httpx2.Client, actor: Actor, envelope: str) -> Bearer:
        own = self._token(http, actor, {"grant_type": "client_credentials", "resource": f"{self.issuer}/api"})
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": envelope,
            "subject_token_type": "urn:ietf:params:oauth:token-type:txn_token",
            "actor_token": own,
            "actor_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "resource": self.resource,
        }
        return Bearer(token=self._token(http, actor, form), private=actor.private)

    def _token(self, http: httpx2.Client, actor: Actor, form: dict[str, str]) -> str:
        url, now = f"{self.issuer}/token", datetime.now(UTC)
        claims: dict[str, Any] = {
            "iss": actor.principal, "sub": actor.principal, "aud": self.issuer,
            "iat": int(now.timestamp()), "exp": int((now + timedelta(seconds=60)).timestamp()),
            "jti": secrets.token_urlsafe(18),
        }  # fmt: skip
        signer = Signer(kid=KeyId(actor.kid), key_class=KeyClass.CLIENT, private=actor.private)
        form = {
            **form,
            "client_id": actor.principal,
            "client_assertion_type": _ASSERTION,
            "client_assertion": jwt.issue(claims, as_type=TokenType.CLIENT_ASSERTION, signer=signer),
        }
        jti = secrets.token_urlsafe(18)
        proof = dpop.make_proof(actor.private, method="POST", target=url, jti=jti, at=now)
        answer = http.post(url, data=form, headers={"DPoP": proof})
        if answer.status_code != httpx2.codes.OK:
            raise RuntimeError(f"no token: {answer.text}")
        return str(answer.json()["access_token"])


def build(
    issuer: str, data: Path, *, upstream: str, tools: Sequence[dict[str, Any]], instances: int,
    many_rules: bool = False,
) -> World:  # fmt: skip
    """Set everything up; `upstream` is the business server, `tools` what it lists.

    With `many_rules` 1,000 policies, relations and rules over history are in force (`bench.rules`).
    """
    address = ServerAddress(url=issuer, issuer=issuer, pid=0)
    ceiling = _ceiling()
    with Client(server=address, key=read_operator(data / "operator.key")) as admin:
        user = _person(admin, "user@company.com")
        blueprint = admin.post("/blueprints", _named("office"))
        admin.post(f"/blueprints/{blueprint['id']}/activate")
        admin.put("/blueprints/office/ceiling", ceiling)
        stated = {"transport": "http", "url": upstream, "allow_legacy": True}
        admin.post("/servers", _named(SERVER) | stated)
        admin.post(f"/servers/{SERVER}/tools", {"tools": list(_pins(tools, many_rules=many_rules))})
        agent = admin.post("/agents", _named("calendar-bot") | {"blueprint": "office"})
        actors = {
            algorithm: [_instance(admin, agent["id"], algorithm) for _ in range(instances)]
            for algorithm in (Algorithm.ED25519, Algorithm.ES256)
        }
        admin.post(f"/agents/{agent['id']}/activate")
        admin.put("/agents/calendar-bot/ceiling", ceiling)
        if many_rules:
            _relate(admin, "user@company.com")
        admin.post("/policies", {"text": rules.policies(history=True) if many_rules else POLICIES})
    with Client(server=address, key=user) as person:
        person.post("/grants", {"agent": "calendar-bot", "ceiling": ceiling, "text": "may book rooms"})
        envelope = _task(person)
    return World(issuer=issuer, user=user, envelope=envelope, actors=actors)


def tool_call(
    path: str, *, host: str, headers: Iterable[tuple[str, str]] = (), arguments: dict[str, Any] = ARGUMENTS,
    legacy: bool = False, tool: str = TOOL, number: int = 1,
) -> bytes:  # fmt: skip
    """One `tools/call` over Streamable HTTP, in either era."""
    params: dict[str, Any] = {"name": tool, "arguments": arguments}
    said = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream")]
    if legacy:
        said.append(("MCP-Protocol-Version", "2025-11-25"))
    else:
        who = {"name": "bench", "version": "1"}
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": who,
        }
        said += [("MCP-Protocol-Version", VERSION), ("Mcp-Method", "tools/call"), ("Mcp-Name", tool)]
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})
    return request(path, host=host, headers=[*said, *headers], body=body)


def governed_calls(world: World, bearers: Sequence[Bearer], count: int) -> list[bytes]:
    """So many calls through the gateway, each with a proof of its own, the instances in turn."""
    host = world.issuer.partition("://")[2]
    made = []
    for number in range(count):
        bearer = bearers[number % len(bearers)]
        proofs = [("Authorization", f"DPoP {bearer.token}"), ("DPoP", bearer.proof(world.resource))]
        made.append(tool_call(f"/mcp/{SERVER}", host=host, headers=proofs, number=number))
    return made


def _task(person: Client) -> str:
    """Start one; its ticket."""
    deadline = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    task = {"agent": "calendar-bot", "goal": "book a room", "purpose": "scheduling", "deadline": deadline}
    return str(person.post("/tasks", task)["envelope"])


def _named(name: str) -> dict[str, Any]:
    return {"name": name, "purpose": "office work", "environment": "production"}


def _person(admin: Client, name: str) -> OperatorKey:
    person = admin.post("/users", {"name": name, "email": name})
    private = PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes)
    key = admin.post(f"/users/{person['id']}/keys", {"jwk": private.public.jwk()})
    admin.post(f"/users/{person['id']}/activate")
    return OperatorKey(
        user=UserId(person["id"]), kid=KeyId(key["id"]), algorithm="Ed25519", private=private.export()
    )


def _instance(admin: Client, agent: str, algorithm: Algorithm) -> Actor:
    private = PrivateKey.generate(algorithm, secrets.token_bytes)
    made = admin.post(f"/agents/{agent}/instances", {"jwk": private.public.jwk()})
    return Actor(principal=made["instance"]["id"], kid=made["key"]["id"], private=private)


def _relate(admin: Client, person: str) -> None:
    """A store of relations that decisions look into."""
    store = str(admin.post("/relations/stores", {"name": rules.STORE})["id"])
    admin.post("/relations/model", {"text": rules.MODEL, "store": store})
    for batch in rules.batches(list(rules.tuples(person))):
        admin.post("/relations/write", {"writes": batch, "store": store})
    admin.put("/relations/enforced", {"store": store})


def _pins(tools: Sequence[dict[str, Any]], *, many_rules: bool) -> Iterable[dict[str, Any]]:
    known = {entry["tool"]: entry for entry in mappings()}
    for tool in tools:
        entry = known[tool["name"]]
        demanded = {"relation": rules.RELATION} if many_rules and tool["name"] == "rooms_book" else {}
        yield {
            "name": tool["name"],
            "definition": tool,
            "mapping": entry["mapping"] | demanded,
            "consequential": entry["consequential"],
            "reversible": entry["reversible"],
        }


def _ceiling() -> dict[str, Any]:
    now = datetime.now(UTC).replace(microsecond=0)
    kinds = {
        "rooms.read": "Calendar", "rooms.book": "Room", "mail.send": "Recipient",
        "customers.read": "Customer", "refunds.create": "Order",
    }  # fmt: skip
    rights = [
        {"action": f"{SERVER}/{action}", "resource_type": kind, "any": True, "constraints": []}
        for action, kind in kinds.items()
    ]
    return {
        "rights": rights,
        "start": (now - timedelta(minutes=1)).isoformat(),
        "end": (now + timedelta(days=30)).isoformat(),
        "purpose": "any",
        "depth": 1,
    }
