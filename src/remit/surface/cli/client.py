"""The command line as a client of the API: its key proves it (RFC 7523), DPoP binds it (RFC 9449)."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx2
import msgspec

from remit.kernel.canonical import JsonObject
from remit.kernel.jose import dpop, jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import KeyClass, PrivateKey, Signer
from remit.kernel.jose.profiles import TokenType
from remit.platform.settings.model import DEFAULT_DATA
from remit.platform.settings.operator import (
    KEY_FILE,
    OperatorKey,
    ServerAddress,
    read_operator,
    read_server,
)
from remit.surface.cli.failures import Refused, Unreachable, Waiting

_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TIMEOUT: Final = 30.0
_LONG: Final = 1800.0
_LIFE: Final = timedelta(seconds=60)
_FAILED: Final = 400
_WAITS: Final = 202
_NONCE_WANTED: Final = "use_dpop_nonce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which server, and which key: environment before data directory."""

    server: ServerAddress
    key: Path

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> Self:
        """Read REMIT_URL, REMIT_KEY and REMIT_DATA; the last one defaults to `~/.remit`."""
        directory = data_directory(environ)
        url = environ.get("REMIT_URL", "").rstrip("/")
        server = ServerAddress(url=url, issuer=url, pid=0) if url else read_server(directory)
        return cls(server=server, key=Path(environ.get("REMIT_KEY") or directory / KEY_FILE).expanduser())


def data_directory(environ: Mapping[str, str]) -> Path:
    """Where this installation keeps its things."""
    return Path(environ.get("REMIT_DATA") or DEFAULT_DATA).expanduser()


class Client:
    """One command's connection. A token is fetched on first use and kept in memory alone."""

    def __init__(self, *, server: ServerAddress, key: OperatorKey) -> None:
        self._server = server
        self._key = key
        self._private = PrivateKey.load(Algorithm(key.algorithm), key.private)
        self._http = httpx2.Client(timeout=_TIMEOUT, trust_env=False, follow_redirects=False)
        self._token = ""
        self._nonce = ""

    @classmethod
    def open(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Connect as the person whose key this is."""
        place = Place.find(environ if environ is not None else os.environ)
        return cls(server=place.server, key=read_operator(place.key))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def patient(self) -> Self:
        """Wait for an answer as long as work on the whole record takes."""
        self._http.timeout = _LONG
        return self

    def get(self, path: str, **query: Any) -> Any:
        """Read something."""
        return self._call("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Do something once, even if the network makes it twice."""
        return self._call("POST", path, body=body)

    def download(self, path: str) -> bytes:
        """Have a file made, and read it."""
        return self._reach("POST", path).content

    @contextmanager
    def follow(self, path: str, *, last_event: str, **query: Any) -> Iterator[Iterator[str]]:
        """Open an event stream and give its lines; ends with the connection. Raises `Unreachable`."""
        token = self._token or self._fetch_token()
        headers = {
            "authorization": f"DPoP {token}",
            "dpop": self._prove("GET", f"{self._server.issuer}/api/v1{path}", token=token),
            **({"last-event-id": last_event} if last_event else {}),
        }
        shown = {name: str(value) for name, value in query.items() if value not in (None, "")}
        url = f"{self._server.url}/api/v1{path}"
        try:
            with self._http.stream("GET", url, headers=headers, params=shown) as response:
                if response.status_code >= _FAILED:
                    response.read()
                    raise _refusal(response)
                yield response.iter_lines()
        except httpx2.HTTPError as failed:
            raise Unreachable(
                f"the stream of `{self._server.url}` broke off", next_step="remit ledger follow --after ID"
            ) from failed

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """Set something."""
        return self._call("PUT", path, body=body)

    def delete(self, path: str) -> Any:
        """Take something away."""
        return self._call("DELETE", path)

    def sign_answer(self, *, approval: str, digest: str, answer: str) -> str:
        """Sign exactly one answer to exactly one ask with the person's own key (`remit-approval+jwt`)."""
        now = datetime.now(UTC)
        claims: JsonObject = {
            "iss": self._key.user,
            "aud": self._server.issuer,
            "apr": approval,
            "digest": digest,
            "answer": answer,
            "iat": int(now.timestamp()),
            "exp": int((now + _LIFE).timestamp()),
            "jti": secrets.token_urlsafe(18),
        }
        return jwt.issue(claims, as_type=TokenType.APPROVAL, signer=self._signer())

    @property
    def user(self) -> str:
        """Id of the person whose key this is."""
        return self._key.user

    def _call(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> Any:
        response = self._reach(method, path, query=query, body=body)
        if response.status_code == _WAITS:
            found = msgspec.json.decode(response.content)
            raise Waiting(
                f"a second person confirms this by passkey, at {found['page']}",
                next_step=f"remit change show {found['id']}",
            )
        return msgspec.json.decode(response.content) if response.content else {}

    def _reach(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> httpx2.Response:
        token = self._token or self._fetch_token()
        target = f"{self._server.issuer}/api/v1{path}"
        headers = {"authorization": f"DPoP {token}", "dpop": self._prove(method, target, token=token)}
        if method != "GET":
            headers["idempotency-key"] = secrets.token_urlsafe(24)
        content = None
        if body is not None:
            content, headers["content-type"] = msgspec.json.encode(body), "application/json"
        shown = {name: str(value) for name, value in (query or {}).items() if value not in (None, "")}
        return self._send(method, f"/api/v1{path}", headers=headers, content=content, params=shown)

    def _fetch_token(self) -> str:
        try:
            return self._ask_token()
        except Refused as refused:
            if refused.problem_code != _NONCE_WANTED or not self._nonce:
                raise
        return self._ask_token()  # once more, with the nonce that came with the refusal (RFC 9449 §8)

    def _ask_token(self) -> str:
        endpoint = f"{self._server.issuer}/token"
        form = {
            "grant_type": "client_credentials",
            "client_id": self._key.user,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(),
            "resource": f"{self._server.issuer}/api",
        }
        proof = self._prove("POST", endpoint)
        response = self._send("POST", "/token", headers={"dpop": proof}, data=form)
        self._token = str(msgspec.json.decode(response.content)["access_token"])
        return self._token

    def _assertion(self) -> str:
        now = datetime.now(UTC)
        claims: JsonObject = {
            "iss": self._key.user,
            "sub": self._key.user,
            "aud": self._server.issuer,
            "iat": int(now.timestamp()),
            "exp": int((now + _LIFE).timestamp()),
            "jti": secrets.token_urlsafe(18),
        }
        return jwt.issue(claims, as_type=TokenType.CLIENT_ASSERTION, signer=self._signer())

    def _signer(self) -> Signer:
        return Signer(kid=self._key.kid, key_class=KeyClass.PERSON, private=self._private)

    def _prove(self, method: str, target: str, *, token: str | None = None) -> str:
        return dpop.make_proof(
            self._private,
            method=method,
            target=target,
            jti=secrets.token_urlsafe(18),
            at=datetime.now(UTC),
            access_token=token,
            nonce=self._nonce or None if token is None else None,
        )

    def _send(self, method: str, path: str, **parts: Any) -> httpx2.Response:
        try:
            response = self._http.request(method, self._server.url + path, **parts)
        except httpx2.HTTPError as failed:
            raise Unreachable(
                f"the server at `{self._server.url}` cannot be reached", next_step="remit up, or remit doctor"
            ) from failed
        self._nonce = response.headers.get("dpop-nonce", "")
        if response.status_code >= _FAILED:
            raise _refusal(response)
        return response


def _refusal(response: httpx2.Response) -> Refused | Unreachable:
    try:
        problem = msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError:
        return Unreachable(
            f"the server answered {response.status_code} without a reason", next_step="remit doctor"
        )
    return Refused(
        str(problem.get("detail") or problem.get("error_description") or problem.get("error") or "refused"),
        problem_code=str(problem.get("code") or problem.get("error") or ""),
        status=response.status_code,
        next_step=str(problem.get("next") or "remit doctor"),
    )
