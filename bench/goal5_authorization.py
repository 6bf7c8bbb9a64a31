"""Goal 5: one durable authorization with DPoP: the conventional stack beside Remit, in the same run.

Both are one uvicorn process on loopback and take a POST with a proof of their caller's key, evaluate 1,000
policies (`bench/rules.py`), mint a signed capability and answer only after all of it is durable; Remit by the
product's own door (`POST /api/v1/capabilities`, `remit up`). Both are measured with ES256 and with Ed25519
proofs, and each goal is judged for the two. The load generator shares the two cores with them.

What differs. Remit does in the same time: a relation of three hops with an exclusion among 2,000 tuples, two
rules over what the person and the task did before, looked up and left in the same commit, strict tokens,
chain and lineage, four ceilings and the envelope, budgets, the epoch that a kill advances, the limit of live
capabilities per task (so each task asks for at most 64, and there are many), a sentence for every stage, a
record in a Merkle log, security headers and figures. It batches commits, so that one serves several callers;
the peer commits once per request. The peer keeps its capability as used, Remit's is live until a tool server
uses it up.
"""

import base64
import hashlib
import json
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import jwt
import msgspec
from bench.children import child, free_port, python
from bench.figures import Goal, Report, said, spread
from bench.load import Run, drive, request, run
from bench.upstream import listed
from bench.world import ARGUMENTS, SERVER, Bearer, World, build
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import rules
from remit.kernel.ids import system_entropy
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey

CONCURRENCY: Final = (1, 128)
BOOK: Final = {"tool": "rooms_book", "arguments": {"room": "Room-401", "title": "Planning", **ARGUMENTS}}
DOOR: Final = "/api/v1/capabilities"
ALGORITHMS: Final = (Algorithm.ES256, Algorithm.ED25519)
_PER_TASK: Final = 60
"""Capabilities asked for per task; a task holds at most 64 that are not used."""
_PERMIT: Final = b'"effect":"permit"'
_SHARED: Final = "the load generator shares the cores; the peer is durable too, with one commit per request"
Runs = dict[tuple[str, int], list[Run]]


def measure(*, tiny: bool) -> Report:
    """Run both, round by round."""
    sizes = {"rounds": 1, 1: 20, 128: 256} if tiny else {"rounds": 3, 1: 300, 128: 1500}
    runs: Runs = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port, other, third = free_port(), free_port(), free_port()
        (folder / "data").mkdir(mode=0o700)
        peers = peers_of(folder, url=f"http://127.0.0.1:{other}/authorize")
        (folder / "policies.cedar").write_text(rules.policies(history=False), encoding="utf-8")
        words = python(
            "-m", "remit", "up", "--no-demo", "--data", str(folder / "data"), "--port", str(port)
        )  # fmt: skip
        theirs = python(
            "-m", "bench.conventional.app", "--folder", str(folder), "--port", str(other),
            "--policies", str(folder / "policies.cedar"),
        )  # fmt: skip
        least = python("-m", "bench.floor", "--folder", str(folder), "--port", str(third))
        with (
            child(words, port=port, log=folder / "remit.log", ready="/readyz") as ours,
            child(theirs, port=other, log=folder / "conventional.log") as conventional,
            child(least, port=third, log=folder / "floor.log") as floor,
        ):
            world = build(
                f"http://127.0.0.1:{port}", folder / "data", upstream="http://127.0.0.1:9/mcp",
                tools=listed(), instances=8, many_rules=True,
            )  # fmt: skip
            for _ in range(sizes["rounds"]):
                for width in CONCURRENCY:
                    count = sizes[width]
                    for algorithm in ALGORITHMS:
                        stack = f"conventional, {algorithm.value}"
                        _take(runs, (stack, width), peers[algorithm].requests, count, width, conventional)
                        stack = f"floor, {algorithm.value}"
                        _take(runs, (stack, width), peers[algorithm].requests, count, width, floor)
                        make = _maker(world, algorithm)
                        _take(runs, (f"Remit, {algorithm.value}", width), make, count, width, ours)
    return _report(runs, {str(each): value for each, value in sizes.items()}, tiny=tiny)


class Peer:
    """The conventional stack's client: a token signed for it, and the key that it is bound to."""

    def __init__(self, token: str, private: PrivateKey, url: str) -> None:
        self._token = token
        self._private = private
        self._url = url

    def requests(self, count: int) -> list[bytes]:
        """So many, each with its own proof."""
        return [_request("/authorize", self._token, self._proof(), self._url, BOOK) for _ in range(count)]

    def _proof(self) -> str:
        """PyJWT knows Ed25519 by its older name (RFC 8037)."""
        if self._private.public.algorithm is not Algorithm.ED25519:
            return Bearer(token=self._token, private=self._private).proof(self._url)
        ath = base64.urlsafe_b64encode(hashlib.sha256(self._token.encode()).digest()).rstrip(b"=").decode()
        claims = {
            "htm": "POST", "htu": self._url, "iat": int(time.time()), "jti": secrets.token_urlsafe(18),
            "ath": ath,
        }  # fmt: skip
        public = self._private.public.jwk()
        jwk = {name: public[name] for name in ("kty", "crv", "x")}
        key = Ed25519PrivateKey.from_private_bytes(self._private.export().reveal())
        return jwt.encode(claims, key, algorithm="EdDSA", headers={"typ": "dpop+jwt", "jwk": jwk})


def peers_of(folder: Path, *, url: str) -> dict[Algorithm, Peer]:
    """Make the keys, write what the server must know, sign one token for a key of each algorithm."""
    issuer, capability = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    config = {
        "issuer_key": json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(issuer.public_key())),
        "capability_key": json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(capability)),
        "audience": url,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    made = {algorithm: PrivateKey.generate(algorithm, system_entropy) for algorithm in ALGORITHMS}
    return {
        algorithm: Peer(jwt.encode(_claims(private, url), issuer, algorithm="EdDSA"), private, url)
        for algorithm, private in made.items()
    }


def _claims(private: PrivateKey, url: str) -> dict[str, Any]:
    now = int(time.time())
    return {
        "sub": "usr_1", "aud": url, "iat": now, "exp": now + 3600, "jti": secrets.token_hex(16),
        "cnf": {"jkt": private.public.thumbprint}, "agent": "calendar-bot", "txn": "tsk_1",
        "purpose": "scheduling",
    }  # fmt: skip


def _maker(world: World, algorithm: Algorithm) -> Callable[[int], list[bytes]]:
    asked = {"server": SERVER, **BOOK}

    def make(count: int) -> list[bytes]:
        bearers = world.bearers_of_tasks(algorithm, -(-count // _PER_TASK))
        url = f"{world.issuer}{DOOR}"
        chosen = [bearers[number % len(bearers)] for number in range(count)]
        return [_request(DOOR, each.token, each.proof(url), url, asked) for each in chosen]

    return make


def _request(path: str, token: str, proof: str, at: str, asked: dict[str, Any]) -> bytes:
    return request(
        path,
        host=at.partition("://")[2].partition("/")[0],
        headers=[("Content-Type", "application/json"), ("Authorization", f"DPoP {token}"), ("DPoP", proof)],
        body=msgspec.json.encode(asked),
    )


def _take(
    runs: Runs, name: tuple[str, int], make: Callable[[int], list[bytes]], count: int, width: int, server: Any
) -> None:
    requests = make(count)
    warm = make(min(count, 64))
    run(lambda: drive(server.port, warm, concurrency=1, expected=_PERMIT, pid=server.pid))
    found = run(lambda: drive(server.port, requests, concurrency=width, expected=_PERMIT, pid=server.pid))
    runs.setdefault(name, []).append(found)


def _report(runs: Runs, sizes: dict[str, int], *, tiny: bool) -> Report:
    rows, figures = [], dict[str, Any]()
    for (name, width), found in runs.items():
        values = {
            "requests_per_second": spread([each.per_second for each in found], digits=0),
            "p50_ms": spread([each.p50 for each in found]),
            "p99_ms": spread([each.p99 for each in found]),
            "server_cpu_us": spread([each.cpu for each in found], digits=0),
        }
        figures[f"{name}, concurrency {width}"] = values
        shown = {column: said(value) for column, value in values.items()}
        rows.append({"stack": name, "concurrency": str(width), **shown})
    goals, notes = [], [_SHARED]
    for algorithm in ALGORITHMS:
        mine, theirs = f"Remit, {algorithm.value}", f"conventional, {algorithm.value}"
        ratio = _ratio(runs, mine, theirs)
        bound = _ratio(runs, f"floor, {algorithm.value}", theirs)
        figures[f"ratio of throughput, {algorithm.value}, concurrency 128"] = ratio
        figures[f"ratio of the floor's throughput, {algorithm.value}, concurrency 128"] = bound
        notes.append(
            f"{algorithm.value}: no stack on this server could be above {said(bound)}x (the floor's)"
        )
        goals += _goals(
            algorithm,
            ratio,
            figures[f"{mine}, concurrency 1"]["p50_ms"]["median"],
            figures[f"{mine}, concurrency 128"]["p99_ms"]["median"],
        )
    return Report(
        name="goal5_authorization",
        command="python -m bench --only goal5" + (" --tiny" if tiny else ""),
        sizes=sizes,
        rows=rows,
        figures=figures,
        goals=goals,
        notes=notes,
    )


def _ratio(runs: Runs, mine: str, theirs: str) -> dict[str, float]:
    """Throughput beside another's, round by round."""
    return spread([
        ours.per_second / peer.per_second
        for ours, peer in zip(runs[mine, 128], runs[theirs, 128], strict=True)
    ])  # fmt: skip


def _goals(algorithm: Algorithm, ratio: dict[str, float], one: float, many: float) -> list[Goal]:
    name = f"goal 5, {algorithm.value}"
    return [
        Goal(
            name=f"{name}, throughput at concurrency 128", wanted=">= 10x",
            found=f"{said(ratio)}x", met=ratio["median"] >= 10,
        ),
        Goal(name=f"{name}, p50 at concurrency 1", wanted="<= 0.5 ms", found=f"{one} ms", met=one <= 0.5),
        Goal(name=f"{name}, p99 at concurrency 128", wanted="<= 15 ms", found=f"{many} ms", met=many <= 15),
    ]  # fmt: skip
