"""Goal 3: a relation check over a million tuples, five hops deep, beside OpenFGA.

document → folder → group → group → group → user: one check in two is a yes. OpenFGA's own server, built from
its Go module, keeps the same tuples in SQLite and is asked over HTTP on loopback; what its health endpoint
takes the same way is subtracted, so that the wire is not counted as its work. Ours is asked in process. A
peer that can't be built is reported as missing, never as beaten.
"""

import gc
import http.client
import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bench.children import Child, DidNotStart, child, free_port
from bench.figures import OUT, Goal, Report, percentile, said, spread
from bench.peers import Missing

from remit.decision.relations.dsl import read_dsl
from remit.decision.relations.graph import Graph
from remit.decision.relations.index import Index
from remit.decision.relations.model_json import write_model
from remit.decision.relations.plan import Plan
from remit.decision.relations.query import Bounds, CheckRequest
from remit.decision.relations.tuples import RelationTuple

_OPENFGA: Final = "github.com/openfga/openfga/cmd/openfga@v1.22.1"
_BUILD_SECONDS: Final = 1_800
_ORGS: Final = 100
_LEAVES: Final = 81
MODEL: Final = """
model
  schema 1.1
type user
type group
  relations
    define member: [user, group#member]
type folder
  relations
    define viewer: [user, group#member]
type document
  relations
    define parent: [folder]
    define owner: [user]
    define viewer: [user, group#member] or owner or viewer from parent
"""


def measure(*, tiny: bool) -> Report:
    """Ours and the peer's, in turns over the same questions."""
    documents, rounds, calls = (2_000, 2, 50) if tiny else (400_000, 5, 400)
    world = World(documents)
    before = _resident()
    graph = Graph(Plan(read_dsl(MODEL)), Index.of(world.tuples()))
    gc.collect()
    grown = _resident() - before
    found: dict[str, Any] = {"tuples": graph.index.count, "mib": round(grown, 1)}
    missing = ""
    try:
        with _openfga(tiny=tiny) as peer:
            store = _Store(peer.port, world)
            runs = [_round(graph, store, world.questions(calls, seed)) for seed in range(rounds)]
    except (Missing, DidNotStart) as absent:
        missing = str(absent).strip()[-300:]
        runs = [_round(graph, None, world.questions(calls, seed)) for seed in range(rounds)]
    for name in runs[0]:
        found[name] = spread([run[name] for run in runs])
    return _report(found, missing, documents, tiny=tiny)


class World:
    """Organizations of 121 groups each; everyone is in two leaves, a folder opens to one organization."""

    def __init__(self, documents: int) -> None:
        self.documents = documents
        self.folders = documents // 20
        self.users = documents // 4

    def tuples(self) -> Iterator[RelationTuple]:
        """Every tuple, none twice."""
        for org in range(_ORGS):
            for group in range(1, 121):
                yield _tuple(f"group:{org}-{(group - 1) // 3}", "member", f"group:{org}-{group}#member")
        for user in range(self.users):
            for leaf in self._leaves(user):
                yield _tuple(f"group:{leaf}", "member", f"user:u{user}")
        for folder in range(self.folders):
            yield _tuple(f"folder:f{folder}", "viewer", f"group:{folder % _ORGS}-1#member")
        for document in range(self.documents):
            yield _tuple(f"document:d{document}", "parent", f"folder:f{document % self.folders}")
            yield _tuple(f"document:d{document}", "owner", f"user:u{document * 7 % self.users}")

    def _leaves(self, user: int) -> Sequence[str]:
        org, leaf = user % _ORGS, 40 + user // _ORGS % _LEAVES
        return (f"{org}-{leaf}", f"{(org + 1) % _ORGS}-{leaf}")

    def questions(self, count: int, seed: int) -> list[tuple[CheckRequest, bool]]:
        """Half of them about somebody who is five hops away, half about somebody of another organization."""
        dice = random.Random(seed)  # noqa: S311 - data of a measurement
        found: list[tuple[CheckRequest, bool]] = []
        while len(found) < count:
            document, wanted = dice.randrange(self.documents), len(found) % 2 == 0
            org = document % self.folders % _ORGS
            # Group 1 of an organization holds the leaves 40 to 66.
            leaf, home = dice.randrange(27), org if wanted else (org + 50) % _ORGS
            user = (
                home
                + leaf * _ORGS
                + _ORGS * _LEAVES * dice.randrange(max(self.users // (_ORGS * _LEAVES), 1))
            )
            if user < self.users and document * 7 % self.users != user:
                request = CheckRequest(
                    user=f"user:u{user}", relation="viewer", object=f"document:d{document}"
                )
                found.append((request, wanted))
        return found


def _tuple(thing: str, relation: str, user: str) -> RelationTuple:
    return RelationTuple(user=user, relation=relation, object=thing)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class _Store:
    """The same model and tuples in the peer."""

    def __init__(self, port: int, world: World) -> None:
        self._wire = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._store = self.post("/stores", {"name": "bench"})["id"]
        model = self.post(f"/stores/{self._store}/authorization-models", write_model(read_dsl(MODEL).model))
        self._model = model["authorization_model_id"]
        tuples = world.tuples()
        while batch := list(islice(tuples, 100)):
            keys = [{"user": it.user, "relation": it.relation, "object": it.object} for it in batch]
            self.post(f"/stores/{self._store}/write", {"writes": {"tuple_keys": keys}})

    def post(self, path: str, body: object) -> Any:
        """One request; raises `Missing` if the peer refuses it."""
        self._wire.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        answer = self._wire.getresponse()
        text = answer.read()
        if answer.status not in (http.HTTPStatus.OK, http.HTTPStatus.CREATED):
            raise Missing(f"{path}: {answer.status} {text[:200]!r}")
        return json.loads(text)

    def check(self, asked: CheckRequest) -> bool:
        """Their answer."""
        key = {"user": asked.user, "relation": asked.relation, "object": asked.object}
        body = {"tuple_key": key, "authorization_model_id": self._model}
        return bool(self.post(f"/stores/{self._store}/check", body).get("allowed"))

    def health(self) -> bool:
        """The wire and nothing behind it."""
        self._wire.request("GET", "/healthz")
        answer = self._wire.getresponse()
        answer.read()
        return answer.status == http.HTTPStatus.OK


def _round(graph: Graph, store: _Store | None, asked: list[tuple[CheckRequest, bool]]) -> dict[str, float]:
    bounds = Bounds()
    # A version of its own, so that nothing is known of anybody's groups at first.
    fresh = Graph(graph.plan, graph.index)
    ask: Callable[[CheckRequest], bool] = lambda it: fresh.check(it, bounds).allowed  # noqa: E731 - a name for a call
    found = {"first_us": _median(ask, asked), "remit_us": _median(ask, asked)}
    found["remit_p99_us"] = _timed(ask, asked, 0.99)
    if store is not None:
        found["wire_us"] = _median(lambda _: store.health(), [(it, True) for it, _ in asked])
        _median(store.check, asked)
        found["openfga_us"] = _median(store.check, asked)
        found["ratio"] = (found["openfga_us"] - found["wire_us"]) / found["remit_us"]
        found["ratio_first"] = (found["openfga_us"] - found["wire_us"]) / found["first_us"]
    return found


def _median(check: Callable[[CheckRequest], bool], asked: list[tuple[CheckRequest, bool]]) -> float:
    return _timed(check, asked, 0.5)


def _timed(
    check: Callable[[CheckRequest], bool], asked: list[tuple[CheckRequest, bool]], share: float
) -> float:
    times: list[int] = []
    for request, wanted in asked:
        begun = time.perf_counter_ns()
        answer = check(request)
        times.append(time.perf_counter_ns() - begun)
        if answer is not wanted:
            raise RuntimeError(f"{request.object}#{request.relation}@{request.user} must be {wanted}")
    return percentile(times, share) / 1e3


@contextmanager
def _openfga(*, tiny: bool) -> Iterator[Child]:
    binary = _built(tiny=tiny)
    home = OUT / "openfga"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    uri = f"file:{home / 'tuples.db'}?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"
    where = ("--datastore-engine", "sqlite", "--datastore-uri", uri)
    migrated = subprocess.run(
        (binary, "migrate", *where), capture_output=True, text=True, check=False, timeout=120
    )
    if migrated.returncode:
        raise Missing(f"openfga migrate: {migrated.stderr.strip()[-300:]}")
    port = free_port()
    words = [
        str(binary), "run", *where, "--log-level", "error",
        "--http-addr", f"127.0.0.1:{port}", "--grpc-addr", f"127.0.0.1:{free_port()}",
        "--playground-enabled=false", "--metrics-enabled=false",
    ]  # fmt: skip
    with child(words, port=port, log=home / "openfga.log", ready="/healthz") as peer:
        yield peer
    if tiny:
        shutil.rmtree(home, ignore_errors=True)


def _built(*, tiny: bool) -> Path:
    """The peer's server: `REMIT_OPENFGA`, or built once from the Go module proxy; never for a tiny run."""
    home = OUT / ".go"
    binary = Path(os.environ.get("REMIT_OPENFGA", home / "openfga"))
    if not binary.exists():
        go = None if tiny else shutil.which("go")
        if go is None:
            raise Missing("OpenFGA is not built, and REMIT_OPENFGA names none")
        environ = {**os.environ, "GOBIN": str(home)}
        try:
            done = subprocess.run(
                (go, "install", _OPENFGA),
                env=environ, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise Missing(f"building OpenFGA: {late}") from late
        if done.returncode:
            raise Missing(f"building OpenFGA: {done.stderr.strip()[-300:]}")
    return binary


def _report(found: dict[str, Any], missing: str, documents: int, *, tiny: bool) -> Report:
    rows = [
        {"what": what, "median [min … max]": said(found[name])}
        for what, name in (
            ("Remit, user asked about for the first time, µs", "first_us"),
            ("Remit, µs", "remit_us"),
            ("Remit, p99, µs", "remit_p99_us"),
            ("OpenFGA over HTTP, µs", "openfga_us"),
            ("its health endpoint, µs", "wire_us"),
            ("OpenFGA without the wire / Remit", "ratio"),
            ("OpenFGA without the wire / Remit, first time", "ratio_first"),
        )
        if name in found
    ]
    faster = Goal(name="goal 3, depth 5", wanted=">= 100x", found=f"peer is missing: {missing}", met=None)
    if not missing:
        ratio = found["ratio"]
        faster = Goal(
            name="goal 3, depth 5", wanted=">= 100x",
            found=f"{said(ratio)}x", met=None if tiny else ratio["median"] >= 100,
        )  # fmt: skip
    small = Goal(
        name="goal 3, memory", wanted="<= 250 MiB",
        found=f"{found['mib']} MiB for {found['tuples']:,} tuples",
        met=None if tiny else found["mib"] <= 250,
    )  # fmt: skip
    return Report(
        name="goal3_relations",
        command="python -m bench --only goal3" + (" --tiny" if tiny else ""),
        sizes={"documents": documents, "tuples": found["tuples"]},
        rows=rows,
        figures=found,
        goals=[faster, small],
        notes=[
            "OpenFGA 1.22.1, SQLite, its caches as it ships them; each question once before it is timed",
            "Remit's first time gathers the user's groups; later questions about the user find them gathered",
            "OpenFGA keeps its tuples on disk and is a server; Remit's index is in the process that decides",
        ],
    )
