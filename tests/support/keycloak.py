"""A real Keycloak, started or found, and its administrator: realms, people, clients and their tokens."""

import os
import secrets
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2

from support.house import ACCESS_TOKEN, TOKEN_EXCHANGE
from support.ports import free_port

WHERE = os.environ.get("REMIT_KEYCLOAK", "")
PATIENCE = 900
"""Seconds that its first start may take: it builds itself."""
PASSWORD = "pw"


@contextmanager
def keycloak() -> Iterator[str]:
    """The address of a Keycloak that answers."""
    if WHERE.startswith("http"):
        yield WHERE.rstrip("/")
        return
    port = free_port()
    command = [f"{WHERE}/bin/kc.sh", "start-dev", f"--http-port={port}", "--http-host=127.0.0.1"]
    named = {"KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": "admin"}
    with subprocess.Popen(command, env={**os.environ, **named}, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        # The tests' own limit of time stops one that neither listens nor ends.
        assert any(b"Listening on" in line for line in started.stdout), "Keycloak ended before it listened"
        draining = threading.Thread(target=list, args=(started.stdout,), daemon=True)
        draining.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            started.terminate()
            draining.join(timeout=60)


def trusting(address: str) -> dict[str, Any]:
    """What our operator sets for a Keycloak without TLS on this machine."""
    return {"federation.private_hosts": [urlsplit(address).netloc], "federation.unsafe_loopback_http": True}


def audience(*, text: str = "", client: str = "") -> dict[str, Any]:
    """A mapper that puts a text, or a client of the realm, into `aud`."""
    kind = "client" if client else "custom"
    return _mapper("oidc-audience-mapper", f"to {kind}", {f"included.{kind}.audience": client or text})


def stated(name: str, value: str) -> dict[str, Any]:
    """A mapper that puts one and the same text into a claim."""
    config = {"claim.name": name, "claim.value": value, "jsonType.label": "String"}
    return _mapper("oidc-hardcoded-claim-mapper", f"states {name}", config)


def _mapper(kind: str, name: str, config: dict[str, str]) -> dict[str, Any]:
    shown = {**config, "access.token.claim": "true", "id.token.claim": "false"}
    return {"name": name, "protocol": "openid-connect", "protocolMapper": kind, "config": shown}


class Administrator:
    """Sets up a realm of its own."""

    def __init__(self, address: str) -> None:
        self.address, self.realm = address, f"staff-{secrets.token_hex(4)}"
        self.http = httpx2.AsyncClient(base_url=address, trust_env=False, timeout=60)
        self.secrets: dict[str, str] = {}

    @classmethod
    async def with_realm(cls, address: str) -> Self:
        """One whose realm is there, and answers."""
        made = cls(address)
        await made.sign_in()
        await made.post("", {"realm": made.realm, "enabled": True, "sslRequired": "none"})
        # Its first answers are slow, and whoever asks for keys waits for three seconds only.
        for path in ("/.well-known/openid-configuration", "/protocol/openid-connect/certs"):
            assert (await made.http.get(f"/realms/{made.realm}{path}")).status_code == httpx2.codes.OK
        return made

    @property
    def issuer(self) -> str:
        return f"{self.address}/realms/{self.realm}"

    @property
    def keys(self) -> str:
        """Where its keys are."""
        return f"{self.issuer}/protocol/openid-connect/certs"

    async def sign_in(self) -> None:
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": "admin"}
        answer = await self.http.post("/realms/master/protocol/openid-connect/token", data=form)
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    async def post(self, path: str, body: dict[str, Any]) -> str:
        """Make something; what it is called there."""
        answer = await self.http.post(f"/admin/realms{path}", json=body)
        assert answer.status_code == httpx2.codes.CREATED, answer.text
        return answer.headers["location"].rpartition("/")[2]

    async def person(self, name: str = "ana") -> str:
        """Somebody with a password; the `sub`."""
        person = {
            "username": name,
            "enabled": True,
            "email": f"{name}@company.com",
            "emailVerified": True,
            "firstName": name.title(),
            "lastName": "Example",
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        }
        return await self.post(f"/{self.realm}/users", person)

    async def client(
        self, name: str, *mappers: dict[str, Any], exchanges: bool = False, **changes: Any
    ) -> str:
        """A confidential client without roles, that knows a secret; its id there."""
        self.secrets[name] = secrets.token_urlsafe(16)
        body = {
            "clientId": name,
            "protocol": "openid-connect",
            "publicClient": False,
            "secret": self.secrets[name],
            "standardFlowEnabled": False,
            "serviceAccountsEnabled": True,
            "directAccessGrantsEnabled": True,
            "fullScopeAllowed": False,
            "protocolMappers": list(mappers),
            "attributes": {"standard.token.exchange.enabled": str(exchanges).lower()},
            **changes,
        }
        return await self.post(f"/{self.realm}/clients", body)

    async def account(self, name: str, *mappers: dict[str, Any], **changes: Any) -> str:
        """A client; the `sub` of its service account."""
        ident = await self.client(name, *mappers, **changes)
        found = await self.http.get(f"/admin/realms/{self.realm}/clients/{ident}/service-account-user")
        return str(found.json()["id"])

    async def scope(self, name: str, *mappers: dict[str, Any]) -> None:
        """A scope that tokens name."""
        body = {
            "name": name,
            "protocol": "openid-connect",
            "attributes": {"include.in.token.scope": "true"},
            "protocolMappers": list(mappers),
        }
        await self.post(f"/{self.realm}/client-scopes", body)

    # -- what clients of the realm send

    async def ask(self, client: str, **form: str) -> httpx2.Response:
        """POST to its token endpoint."""
        proven = {"client_id": client, "client_secret": self.secrets[client], **form}
        return await self.http.post(f"/realms/{self.realm}/protocol/openid-connect/token", data=proven)

    async def own_token(self, client: str) -> str:
        """The token of a service account."""
        return _token(await self.ask(client, grant_type="client_credentials"))

    async def token_of(self, person: str, client: str) -> str:
        """The token of a person at a client."""
        form = {"grant_type": "password", "username": person, "password": PASSWORD}
        return _token(await self.ask(client, **form))

    async def exchange(self, client: str, subject: str, *, to: str) -> httpx2.Response:
        """Ask a client's token for another audience, in exchange (standard token exchange, version 2)."""
        form = {
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": subject,
            "subject_token_type": ACCESS_TOKEN,
            "requested_token_type": ACCESS_TOKEN,
            "audience": to,
        }
        return await self.ask(client, **form)

    async def exchanged(self, client: str, subject: str, *, to: str) -> str:
        """What comes of an exchange that is allowed."""
        return _token(await self.exchange(client, subject, to=to))


def _token(answer: httpx2.Response) -> str:
    assert answer.status_code == httpx2.codes.OK, answer.text
    return str(answer.json()["access_token"])
