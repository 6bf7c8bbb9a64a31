"""Goal 4: the token endpoint, JWT with a durable record: oidc-provider beside Remit, in the same run.

Both are one process on loopback. Each request authenticates a client by a fresh `private_key_jwt` (ES256),
carries a fresh DPoP proof, asks for `client_credentials` at one resource, and is answered with a signed JWT
that is bound to the proof's key.

What differs. The peer runs on Node and keeps everything in memory: tokens, used assertions and used proofs
are gone when it ends. Remit answers only after used assertion, used proof, the token's record and an entry of
its Merkle log are synced to disk, having looked whether the instance, its agent and its blueprint live.
"""

import json
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from bench.children import Child, DidNotStart, child, free_port, python
from bench.figures import Goal, Report, said, spread
from bench.load import Run, drive, request, run
from bench.peers import Missing, node_peer
from bench.upstream import listed
from bench.world import SERVER, Actor, build

from remit.kernel.canonical import b64u
from remit.kernel.ids import KeyId, system_entropy
from remit.kernel.jose import dpop, jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import KeyClass, PrivateKey, Signer
from remit.kernel.jose.profiles import TokenType

WIDTHS: Final = (1, 32)
CLIENTS: Final = 8
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TOKEN: Final = b'"access_token"'
_LIFE: Final = timedelta(minutes=4)
Runs = dict[tuple[str, int], list[Run]]
Maker = Callable[[int], list[bytes]]


def measure(*, tiny: bool) -> Report:
    """Run both, round by round; without the peer Remit's figures stand alone."""
    sizes = {"rounds": 1, 1: 20, 32: 64} if tiny else {"rounds": 3, 1: 300, 32: 1500}
    runs: Runs = {}
    missing = ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port = free_port()
        (folder / "data").mkdir(mode=0o700)
        words = python(
            "-m", "remit", "up", "--no-demo", "--data", str(folder / "data"), "--port", str(port)
        )  # fmt: skip
        with child(words, port=port, log=folder / "remit.log", ready="/readyz") as ours:
            issuer = f"http://127.0.0.1:{port}"
            world = build(
                issuer, folder / "data", upstream="http://127.0.0.1:9/mcp", tools=listed(), instances=CLIENTS
            )
            actors = world.actors[Algorithm.ES256]
            resource = f"{issuer}/mcp/{SERVER}"

            def mine(count: int) -> list[bytes]:
                return _requests(issuer, resource, actors, count)

            try:
                with _peer(folder) as (theirs, make):
                    for _ in range(sizes["rounds"]):
                        for width in WIDTHS:
                            _take(runs, ("oidc-provider", width), make, sizes[width], theirs)
                            _take(runs, ("Remit", width), mine, sizes[width], ours)
            except (Missing, DidNotStart) as absent:
                missing = str(absent)
                for width in WIDTHS:
                    _take(runs, ("Remit", width), mine, sizes[width], ours)
    return _report(runs, {str(each): value for each, value in sizes.items()}, missing, tiny=tiny)


@contextmanager
def _peer(folder: Path) -> Iterator[tuple[Child, Maker]]:
    """The peer as a child, and who asks it."""
    server, port = node_peer("oidc-provider"), free_port()
    issuer, resource = f"http://127.0.0.1:{port}", "https://tools.company.com"
    actors = [
        Actor(
            principal=f"client-{number}", kid=f"key-{number}",
            private=PrivateKey.generate(Algorithm.ES256, system_entropy),
        )
        for number in range(CLIENTS)
    ]  # fmt: skip
    path = folder / "oidc-provider.json"
    path.write_text(json.dumps(_config(port, issuer, resource, actors)), encoding="utf-8")
    words, environ = [*server, str(path)], {"NODE_ENV": "production"}
    with child(words, port=port, log=folder / "oidc-provider.log", environ=environ) as started:
        yield started, lambda count: _requests(issuer, resource, actors, count)


def _config(port: int, issuer: str, resource: str, actors: Sequence[Actor]) -> dict[str, Any]:
    signing = PrivateKey.generate(Algorithm.ES256, system_entropy)
    secret = {"d": b64u(signing.export().reveal()), "kid": "signing", "use": "sig"}
    return {
        "issuer": issuer, "port": port, "resource": resource,
        "key": {**signing.public.jwk(), **secret},
        "clients": [
            {
                "client_id": each.principal,
                "jwk": {**each.private.public.jwk(), "kid": each.kid, "alg": "ES256"},
            }
            for each in actors
        ],
    }  # fmt: skip


def _requests(issuer: str, resource: str, actors: Sequence[Actor], count: int) -> list[bytes]:
    """So many, each with its own assertion and proof, the clients in turn."""
    return [_request(issuer, resource, actors[number % len(actors)]) for number in range(count)]


def _request(issuer: str, resource: str, actor: Actor) -> bytes:
    url, now = f"{issuer}/token", datetime.now(UTC)
    claims: dict[str, Any] = {
        "iss": actor.principal, "sub": actor.principal, "aud": issuer, "iat": int(now.timestamp()),
        "exp": int((now + _LIFE).timestamp()), "jti": secrets.token_urlsafe(18),
    }  # fmt: skip
    signer = Signer(kid=KeyId(actor.kid), key_class=KeyClass.CLIENT, private=actor.private)
    form = {
        "grant_type": "client_credentials", "resource": resource,
        "client_id": actor.principal, "client_assertion_type": _ASSERTION,
        "client_assertion": jwt.issue(claims, as_type=TokenType.CLIENT_ASSERTION, signer=signer),
    }  # fmt: skip
    jti = secrets.token_urlsafe(18)
    proof = dpop.make_proof(actor.private, method="POST", target=url, jti=jti, at=now)
    return request(
        "/token",
        host=issuer.partition("://")[2],
        headers=[("Content-Type", "application/x-www-form-urlencoded"), ("DPoP", proof)],
        body=urlencode(form).encode(),
    )


def _take(runs: Runs, name: tuple[str, int], make: Maker, count: int, server: Child) -> None:
    warm, requests = make(min(count, 64)), make(count)
    run(lambda: drive(server.port, warm, concurrency=1, expected=_TOKEN, pid=server.pid))
    found = run(lambda: drive(server.port, requests, concurrency=name[1], expected=_TOKEN, pid=server.pid))
    runs.setdefault(name, []).append(found)


def _report(runs: Runs, sizes: dict[str, int], missing: str, *, tiny: bool) -> Report:
    rows, figures = [], dict[str, Any]()
    for (name, width), found in runs.items():
        values = {
            "tokens_per_second": spread([each.per_second for each in found], digits=0),
            "p50_ms": spread([each.p50 for each in found]),
            "p99_ms": spread([each.p99 for each in found]),
            "server_cpu_us": spread([each.cpu for each in found], digits=0),
        }
        figures[f"{name}, concurrency {width}"] = values
        shown = {column: said(value) for column, value in values.items()}
        rows.append({"server": name, "concurrency": str(width), **shown})
    goal = Goal(name="goal 4, tokens per core", wanted=">= 2x", found=f"peer is missing: {missing}", met=None)
    if not missing:
        ratio = spread([
            theirs.cpu / mine.cpu
            for theirs, mine in zip(runs["oidc-provider", 32], runs["Remit", 32], strict=True)
        ])  # fmt: skip
        figures["ratio of tokens per core, concurrency 32"] = ratio
        goal = Goal(
            name="goal 4, tokens per core", wanted=">= 2x", found=f"{said(ratio)}x", met=ratio["median"] >= 2
        )
    return Report(
        name="goal4_tokens",
        command="python -m bench --only goal4" + (" --tiny" if tiny else ""),
        sizes=sizes,
        rows=rows,
        figures=figures,
        goals=[goal],
        notes=["the peer keeps nothing on disk; the load generator shares the cores"],
    )
