"""Goal 1: a decision over HTTP, by the Authorization API 1.0 (AuthZEN): Cerbos beside Remit, in the same run.

Both are one process on loopback and answer the same questions at `/access/v1/evaluation` and, fifty at once,
`/access/v1/evaluations`, with the same rules (`policies.cedar`, `peers/cerbos/policies`): half of them are a
yes. The load generator shares the two cores with them.

What differs. Cerbos is told everything with each question (roles, the purpose of the task) and believes it;
it authenticates nobody, writes nothing, and knows no task, chain, ceiling, budget or kill. Remit admits an
enforcement point by its token, looks up subject, instance, agent, owner, task and four ceilings itself, and
answers only after the decision is on record, synced to disk. With a token that is bound to no key, and with
DPoP, whose fresh proof costs a signature that is verified with each request.
"""

import base64
import http.client
import json
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from bench.children import Child, DidNotStart, child, free_port, python
from bench.figures import Goal, Report, said, spread
from bench.load import Run, drive, request, run
from bench.peers import LOCKS, Missing, node_package
from bench.upstream import listed
from bench.world import World, build

from remit.kernel.ids import KeyId
from remit.kernel.jose import dpop, jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import KeyClass, PrivateKey, Signer
from remit.kernel.jose.profiles import TokenType
from remit.platform.settings.operator import ServerAddress, read_operator
from remit.surface.cli.client import Client

WIDTHS: Final = (1, 32)
AT_ONCE: Final = 50
ONE: Final = "/access/v1/evaluation"
MANY: Final = "/access/v1/evaluations"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ANSWER: Final = b'"decision":'
_PEER: Final = "Cerbos"
Runs = dict[tuple[str, str], list[Run]]


def measure(*, tiny: bool) -> Report:
    """Both, round by round; without the peer Remit's figures stand alone."""
    sizes = {"rounds": 1, 1: 20, 32: 64, MANY: 4} if tiny else {"rounds": 5, 1: 400, 32: 2000, MANY: 40}
    runs: Runs = {}
    missing = ""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, port = Path(name), free_port()
        (folder / "data").mkdir(mode=0o700)
        words = python(
            "-m", "remit", "up", "--no-demo", "--data", str(folder / "data"), "--port", str(port)
        )  # fmt: skip
        ours = stack.enter_context(child(words, port=port, log=folder / "remit.log", ready="/readyz"))
        office = _Office(port, folder / "data")
        peer = None
        try:
            peer = stack.enter_context(_cerbos(folder))
        except (Missing, DidNotStart) as absent:
            missing = str(absent).strip()[-300:]
        _agree(port, office, peer)
        for _ in range(sizes["rounds"]):
            for kind in (1, 32, MANY):
                width, count = kind if isinstance(kind, int) else 1, sizes[kind]
                what = f"at {kind}" if isinstance(kind, int) else f"{AT_ONCE} at once"
                if peer is not None:
                    _take(runs, (_PEER, what), _plain(peer.port, count, kind), width, peer)
                for bound in (False, True):
                    who = "Remit, DPoP" if bound else "Remit"
                    made = office.requests(count, batch=kind is MANY, bound=bound)
                    _take(runs, (who, what), made, width, ours)
    return _report(runs, {str(each): value for each, value in sizes.items()}, missing, tiny=tiny)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """An enforcement point: a service account with the role, its key, and whether its tokens are bound."""

    ident: str
    kid: str
    private: PrivateKey
    bound: bool


class _Office:
    """The world of the other goals, and two enforcement points that ask about it."""

    def __init__(self, port: int, data: Path) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self._wire = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        world = build(self.issuer, data, upstream="http://127.0.0.1:9/mcp", tools=listed(), instances=8)
        self._questions = _questions(world)
        address = ServerAddress(url=self.issuer, issuer=self.issuer, pid=0)
        with Client(server=address, key=read_operator(data / "operator.key")) as admin:
            self._points = {bound: _point(admin, bound=bound) for bound in (False, True)}

    def question(self, number: int) -> dict[str, Any]:
        """What is asked."""
        return self._questions[number % len(self._questions)]

    def requests(self, count: int, *, batch: bool, bound: bool) -> list[bytes]:
        """So many, made and signed."""
        point, path = self._points[bound], MANY if batch else ONE
        token = self._token(point)
        made = []
        for number in range(count):
            if batch:
                items = [self.question(number + each) for each in range(AT_ONCE)]
                body = msgspec.json.encode({"evaluations": items})
            else:
                body = msgspec.json.encode(self.question(number))
            headers = [("Content-Type", "application/json")]
            if bound:
                proof = dpop.make_proof(
                    point.private, method="POST", target=self.issuer + path, jti=secrets.token_urlsafe(18),
                    at=datetime.now(UTC), access_token=token,
                )  # fmt: skip
                headers += [("Authorization", f"DPoP {token}"), ("DPoP", proof)]
            else:
                headers.append(("Authorization", f"Bearer {token}"))
            made.append(request(path, host=self.issuer.partition("://")[2], headers=headers, body=body))
        return made

    def _token(self, point: _Point) -> str:
        """A fresh one: it lives for two minutes."""
        now = datetime.now(UTC)
        claims: dict[str, Any] = {
            "iss": point.ident, "sub": point.ident, "aud": self.issuer, "iat": int(now.timestamp()),
            "exp": int((now + timedelta(seconds=60)).timestamp()), "jti": secrets.token_urlsafe(18),
        }  # fmt: skip
        signer = Signer(kid=KeyId(point.kid), key_class=KeyClass.CLIENT, private=point.private)
        form = {
            "grant_type": "client_credentials",
            "resource": f"{self.issuer}/api",
            "client_assertion_type": _ASSERTION,
            "client_assertion": jwt.issue(claims, as_type=TokenType.CLIENT_ASSERTION, signer=signer),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if point.bound:
            url, jti = f"{self.issuer}/token", secrets.token_urlsafe(18)
            headers["DPoP"] = dpop.make_proof(point.private, method="POST", target=url, jti=jti, at=now)
        self._wire.request("POST", "/token", urlencode(form), headers)
        answer = self._wire.getresponse()
        text = answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"no token: {text!r}")
        return str(json.loads(text)["access_token"])


def _point(admin: Client, *, bound: bool) -> _Point:
    roles = {"roles": "pep"} | ({} if bound else {"token_binding": "bearer"})
    named = {
        "name": f"gateway-{'bound' if bound else 'bearer'}", "purpose": "enforce",
        "environment": "production", "attributes": roles,
    }  # fmt: skip
    made = admin.post("/service-accounts", named)
    private = PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes)
    key = admin.post(f"/service-accounts/{made['id']}/keys", {"jwk": private.public.jwk()})
    admin.post(f"/service-accounts/{made['id']}/activate")
    return _Point(ident=made["id"], kid=key["id"], private=private, bound=bound)


def _questions(world: World) -> list[dict[str, Any]]:
    """Of every instance: a booking that the task's purpose allows, a customer's file that it does not."""
    task = json.loads(jwt_payload(world.envelope))["txn"]
    found = []
    for actor in world.actors[Algorithm.ED25519]:
        for action, kind, ident in (
            ("rooms.book", "Room", "Room-401"),
            ("customers.read", "Customer", "C-1042"),
        ):
            found.append(
                {
                    "subject": {"type": "agent", "id": actor.principal},
                    "action": {"name": f"business/{action}"},
                    "resource": {"type": kind, "id": ident},
                    "context": {"task": task},
                }
            )
    return found


def jwt_payload(token: str) -> bytes:
    """The claims of a token of ours, unverified."""
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _plain(port: int, count: int, kind: int | str) -> list[bytes]:
    """The same for the peer: what Remit looks up is told."""
    made = []
    for number in range(count):
        body: object = (
            {"evaluations": [_told(number + each) for each in range(AT_ONCE)]}
            if kind is MANY
            else _told(number)
        )
        path = MANY if kind is MANY else ONE
        made.append(
            request(
                path, host=f"127.0.0.1:{port}", headers=[("Content-Type", "application/json")],
                body=msgspec.json.encode(body),
            )
        )  # fmt: skip
    return made


def _told(number: int) -> dict[str, Any]:
    action, kind, ident = (
        ("rooms.book", "Room", "Room-401"),
        ("customers.read", "Customer", "C-1042"),
    )[number % 2]
    return {
        "subject": {
            "type": "agent", "id": f"ins_{number // 2 % 8}", "properties": {"cerbos.roles": ["agent"]},
        },
        "action": {"name": f"business/{action}"},
        "resource": {"type": kind, "id": ident, "properties": {"purpose": "scheduling"}},
    }  # fmt: skip


@contextmanager
def _cerbos(folder: Path) -> Iterator[Child]:
    """The peer with its policies, as its documentation starts it; its telemetry off."""
    binary = node_package("cerbos") / "@cerbos" / "cerbos-linux-x64" / "cerbos-linux-x64"
    binary.chmod(0o755)
    port = free_port()
    config = folder / "cerbos.yaml"
    stated = {
        "server": {"httpListenAddr": f"127.0.0.1:{port}", "grpcListenAddr": f"127.0.0.1:{free_port()}"},
        "storage": {
            "driver": "disk",
            "disk": {"directory": str(LOCKS / "cerbos" / "policies"), "watchForChanges": False},
        },
        "telemetry": {"disabled": True},
    }
    config.write_text(json.dumps(stated), encoding="utf-8")  # YAML holds JSON
    words = [str(binary), "server", f"--config={config}", "--log-level=error", "--debug-listen-addr="]
    with child(words, port=port, log=folder / "cerbos.log", ready="/_cerbos/health") as started:
        yield started


def _agree(port: int, office: _Office, peer: Child | None) -> None:
    """Both say yes and no alike; raises `RuntimeError` where they don't: then nothing is compared."""
    wanted = [number % 2 == 0 for number in range(4)]
    ours = [_says(port, each) for each in office.requests(4, batch=False, bound=False)]
    theirs = [_says(peer.port, each) for each in _plain(peer.port, 4, 1)] if peer else wanted
    if not ours == theirs == wanted:
        raise RuntimeError(f"asked for {wanted}: Remit says {ours}, the peer {theirs}")


def _says(port: int, raw: bytes) -> bool:
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    wire.request("POST", ONE, body, {name: value for name, value in lines if name != "Content-Length"})
    found = json.loads(wire.getresponse().read())
    wire.close()
    return bool(found["decision"])


def _take(runs: Runs, key: tuple[str, str], made: Sequence[bytes], width: int, server: Child) -> None:
    drive_all: Callable[[], Any] = lambda: drive(  # noqa: E731 - a name for a call
        server.port, made, concurrency=width, expected=_ANSWER, pid=server.pid
    )
    runs.setdefault(key, []).append(run(drive_all))


def _report(runs: Runs, sizes: dict[str, int], missing: str, *, tiny: bool) -> Report:
    figures = {f"{name}, {what}": _figures(found, what) for (name, what), found in runs.items()}
    goals = [_cores(runs, what, missing, tiny=tiny) for what in ("at 32", f"{AT_ONCE} at once")]
    goals.append(_wait(runs, missing, tiny=tiny))
    return Report(
        name="goal1_authzen",
        command="python -m bench --only goal1" + (" --tiny" if tiny else ""),
        sizes=sizes,
        rows=[
            {
                "who": name,
                "decisions/s": said(found["per_second"]),
                "p50 ms": said(found["p50_ms"]),
                "server CPU µs per decision": said(found["cpu_us"]),
            }
            for name, found in figures.items()
        ],
        figures=figures,
        goals=goals,
        notes=[
            "Remit: every decision on record, synced, before it is told; subject, task, ceilings looked up",
            "Cerbos 0.55.0: no authentication, no record; roles and purpose as the question tells them",
            "the load generator shares the cores; Cerbos uses both, Remit's process one",
        ],
    )


def _each(what: str) -> int:
    return AT_ONCE if what.startswith(str(AT_ONCE)) else 1


def _figures(found: Sequence[Run], what: str) -> dict[str, dict[str, float]]:
    each = _each(what)
    return {
        "per_second": spread([one.per_second * each for one in found], digits=0),
        "p50_ms": spread([one.p50 for one in found]),
        "p99_ms": spread([one.p99 for one in found]),
        "cpu_us": spread([one.cpu / each for one in found], digits=0),
    }


def _cores(runs: Runs, what: str, missing: str, *, tiny: bool) -> Goal:
    name, wanted = f"goal 1, decisions per core, {what}", ">= 5x"
    if missing:
        return Goal(name=name, wanted=wanted, found=f"peer is missing: {missing}", met=None)
    pairs = zip(runs[_PEER, what], runs["Remit", what], strict=True)
    ratio = spread([theirs.cpu / max(ours.cpu, 1e-9) for theirs, ours in pairs])
    return Goal(name=name, wanted=wanted, found=f"{said(ratio)}x", met=None if tiny else ratio["median"] >= 5)


def _wait(runs: Runs, missing: str, *, tiny: bool) -> Goal:
    name, wanted = "goal 1, p50 at concurrency 1", "no worse"
    if missing:
        return Goal(name=name, wanted=wanted, found=f"peer is missing: {missing}", met=None)
    theirs, ours = (spread([one.p50 for one in runs[who, "at 1"]]) for who in (_PEER, "Remit"))
    met = None if tiny else ours["median"] <= theirs["median"]
    return Goal(name=name, wanted=wanted, found=f"{said(ours)} ms, the peer {said(theirs)} ms", met=met)
