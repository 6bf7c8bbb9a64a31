"""Goal 5: one durable authorization with DPoP: the conventional stack beside Remit, in the same run.

Both are one uvicorn process on loopback, take the same HTTP request with an ES256 proof of their caller's
key, evaluate the same policies, mint a signed capability and answer only after it is durable. The load
generator shares the two cores with them. What Remit does beyond the peer in the same time: strict tokens,
chain and lineage, four ceilings and the envelope, budgets, the epoch that a kill advances, a sentence for
every stage, and a record in a Merkle log.
"""

import json
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import jwt
import msgspec
from bench.children import child, free_port, python
from bench.figures import Goal, Report, said, spread
from bench.load import Run, drive, request, run
from bench.upstream import listed
from bench.world import ARGUMENTS, Bearer, World, build
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from remit.kernel.ids import system_entropy
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey

CONCURRENCY: Final = (1, 128)
BOOK: Final = {"tool": "rooms_book", "arguments": {"room": "Room-401", "title": "Planning", **ARGUMENTS}}
_PERMIT: Final = b'"effect":"permit"'
Runs = dict[tuple[str, int], list[Run]]


def measure(*, tiny: bool) -> Report:
    """Run both, round by round."""
    sizes = {"rounds": 1, 1: 20, 128: 256} if tiny else {"rounds": 3, 1: 300, 128: 1500}
    runs: Runs = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        port, other = free_port(), free_port()
        (folder / "data").mkdir(mode=0o700)
        peer = Peer.make(folder, url=f"http://127.0.0.1:{other}/authorize")
        words = python("-m", "bench.authorizer", "--data", str(folder / "data"), "--port", str(port))
        theirs = python(
            "-m", "bench.conventional.app", "--folder", str(folder), "--port", str(other),
            "--policies", str(Path(__file__).parent / "policies.cedar"),
        )  # fmt: skip
        with (
            child(words, port=port, log=folder / "remit.log", ready="/readyz") as ours,
            child(theirs, port=other, log=folder / "conventional.log") as conventional,
        ):
            world = build(
                f"http://127.0.0.1:{port}", folder / "data", upstream="http://127.0.0.1:9/mcp",
                tools=listed(), instances=8,
            )  # fmt: skip
            for _ in range(sizes["rounds"]):
                for width in CONCURRENCY:
                    count = sizes[width]
                    _take(runs, ("conventional, ES256", width), peer.requests, count, width, conventional)
                    for algorithm in (Algorithm.ES256, Algorithm.ED25519):
                        bearers = world.bearers(algorithm)
                        make = _maker(world, bearers)
                        _take(runs, (f"Remit, {algorithm.value}", width), make, count, width, ours)
    return _report(runs, {str(each): value for each, value in sizes.items()}, tiny=tiny)


class Peer:
    """The conventional stack's client: a token signed for it, and the key that it is bound to."""

    def __init__(self, token: str, private: PrivateKey, url: str) -> None:
        self._bearer = Bearer(token=token, private=private)
        self._url = url

    @classmethod
    def make(cls, folder: Path, *, url: str) -> "Peer":
        """Make the keys, write what the server must know, sign the token."""
        private = PrivateKey.generate(Algorithm.ES256, system_entropy)
        issuer, capability = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        config = {
            "issuer_key": json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(issuer.public_key())),
            "capability_key": json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(capability)),
            "audience": url,
        }
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        now = int(time.time())
        claims = {
            "sub": "usr_1", "aud": url, "iat": now, "exp": now + 3600, "jti": secrets.token_hex(16),
            "cnf": {"jkt": private.public.thumbprint}, "agent": "calendar-bot", "txn": "tsk_1",
            "purpose": "scheduling",
        }  # fmt: skip
        return cls(jwt.encode(claims, issuer, algorithm="EdDSA"), private, url)

    def requests(self, count: int) -> list[bytes]:
        """So many, each with its own proof."""
        return [_request(self._bearer, self._url, self._url) for _ in range(count)]


def _maker(world: World, bearers: Sequence[Bearer]) -> Callable[[int], list[bytes]]:
    def make(count: int) -> list[bytes]:
        return [
            _request(bearers[number % len(bearers)], world.resource, world.issuer) for number in range(count)
        ]

    return make


def _request(bearer: Bearer, target: str, at: str) -> bytes:
    return request(
        "/authorize",
        host=at.partition("://")[2].partition("/")[0],
        headers=[
            ("Content-Type", "application/json"),
            ("Authorization", f"DPoP {bearer.token}"),
            ("DPoP", bearer.proof(target)),
        ],
        body=msgspec.json.encode(BOOK),
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
    rows, figures = [], {}
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
    ratios = {
        width: spread([
            mine.per_second / theirs.per_second
            for mine, theirs in zip(
                runs["Remit, ES256", width], runs["conventional, ES256", width], strict=True
            )
        ])
        for width in CONCURRENCY
    }  # fmt: skip
    figures["ratio_of_throughput"] = {str(width): value for width, value in ratios.items()}
    one = figures["Remit, ES256, concurrency 1"]["p50_ms"]["median"]
    many = figures["Remit, ES256, concurrency 128"]["p99_ms"]["median"]
    goals = [
        Goal(
            name="goal 5, throughput at concurrency 128", wanted=">= 10x",
            found=f"{said(ratios[128])}x", met=ratios[128]["median"] >= 10,
        ),
        Goal(name="goal 5, p50 at concurrency 1", wanted="<= 0.5 ms", found=f"{one} ms", met=one <= 0.5),
        Goal(name="goal 5, p99 at concurrency 128", wanted="<= 15 ms", found=f"{many} ms", met=many <= 15),
    ]  # fmt: skip
    return Report(
        name="goal5_authorization",
        command="python -m bench --only goal5" + (" --tiny" if tiny else ""),
        sizes=sizes,
        rows=rows,
        figures=figures,
        goals=goals,
        notes=["the load generator shares the cores; the peer is durable too, with one commit per request"],
    )
