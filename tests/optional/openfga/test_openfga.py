"""OpenFGA's own server beside ours: random models, tuples and questions; refusals of models and tuples too.

`REMIT_OPENFGA` names the server's program (`go install github.com/openfga/openfga/cmd/openfga@v1.22.1`).
"""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from remit.decision.relations.admission import admit_write
from remit.decision.relations.dsl import read_dsl
from remit.decision.relations.errors import RelationError
from remit.decision.relations.expand import expand, tree_json
from remit.decision.relations.graph import Graph
from remit.decision.relations.index import Index
from remit.decision.relations.listing import Lists
from remit.decision.relations.model_json import write_model
from remit.decision.relations.plan import Plan
from remit.decision.relations.query import (
    LIST_BOUNDS,
    Bounds,
    CheckRequest,
    ExpandRequest,
    Given,
    ListObjectsRequest,
    ListUsersRequest,
)
from remit.decision.relations.tuples import RelationTuple
from remit.decision.relations.typesystem import TypeSystem
from support.ports import free_port
from support.relations import DRIVE, Guesses

PROGRAM = os.environ.get("REMIT_OPENFGA", "")
WIDE = Bounds(steps=1_000_000)
ROUNDS = int(os.environ.get("REMIT_RELATION_ROUNDS", "40"))
pytestmark = [
    pytest.mark.optional("OpenFGA"),
    pytest.mark.skipif(not PROGRAM, reason="REMIT_OPENFGA names no server: OpenFGA beside ours DID NOT RUN"),
]


@dataclass(frozen=True, kw_only=True)
class Peer:
    """The server, over HTTP."""

    base: str

    def post(self, path: str, body: object) -> tuple[int, Any]:
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.base + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def store(self) -> str:
        return f"/stores/{self.post('/stores', {'name': 'differential'})[1]['id']}"


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    port = free_port()
    words = [
        PROGRAM, "run", "--http-addr", f"127.0.0.1:{port}", "--grpc-addr", f"127.0.0.1:{free_port()}",
        "--playground-enabled=false", "--metrics-enabled=false", "--log-level", "error",
    ]  # fmt: skip
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        found = Peer(base=f"http://127.0.0.1:{port}")
        for _ in range(200):
            with suppress(OSError):
                urllib.request.urlopen(f"{found.base}/healthz", timeout=1).close()  # noqa: S310 - loopback
                break
            time.sleep(0.1)
        yield found
        process.terminate()


def key_of(found: RelationTuple) -> dict[str, Any]:
    key: dict[str, Any] = {"user": found.user, "relation": found.relation, "object": found.object}
    if found.condition:
        key["condition"] = {"name": found.condition.name, "context": dict(found.condition.context)}
    return key


@pytest.mark.req("R49")
def test_random_questions_have_openfgas_answers(peer: Peer) -> None:
    answered = 0
    for seed in range(ROUNDS):
        guess = Guesses(seed).guess()
        store = peer.store()
        status, model = peer.post(f"{store}/authorization-models", write_model(guess.system.model))
        if status == 400 and ("no entrypoints" in model["message"] or "potential loop" in model["message"]):
            # Where relations need one another OpenFGA's search for an entrypoint loses some that are there.
            continue
        assert status == 201, (seed, model)
        kept = [found for found in guess.tuples if taken(peer, store, guess.system, found)]
        graph = Graph(Plan(guess.system), Index.of(kept))
        for request in guess.asks:
            body = {
                "tuple_key": {"user": request.user, "relation": request.relation, "object": request.object},
                "contextual_tuples": {"tuple_keys": [key_of(it) for it in request.given.contextual]},
                "context": dict(request.given.context),
            }
            status, answer = peer.post(f"{store}/check", body)
            mine = graph.check(request, WIDE)
            # OpenFGA's order of looking decides whether it meets a condition that fails; ours does not.
            if status == 200 and mine.complete:
                assert answer["allowed"] == mine.allowed, (seed, request)
                answered += 1
            else:
                assert answer.get("code") == "validation_error" or not mine.complete, (seed, request, answer)
            objects_are_the_same(peer, store, graph, request)
            trees_are_the_same(peer, store, graph, request)
            users_are_the_same(peer, store, graph, request)
    assert answered > ROUNDS * 8


def taken(peer: Peer, store: str, system: TypeSystem, found: RelationTuple) -> bool:
    """Whether both take a tuple; they must agree, and on the code where they do not."""
    status, answer = peer.post(f"{store}/write", {"writes": {"tuple_keys": [key_of(found)]}})
    ours: RelationError | None = None
    try:
        admit_write(system, found)
    except RelationError as refused:
        ours = refused
    assert (status == 200) == (ours is None), (str(found), answer, ours)
    assert ours is None or answer["code"] == ours.fga, (str(found), answer)
    return ours is None


def objects_are_the_same(peer: Peer, store: str, graph: Graph, request: CheckRequest) -> None:
    kind = request.object.partition(":")[0]
    body = {
        "type": kind,
        "relation": request.relation,
        "user": request.user,
        "contextual_tuples": {"tuple_keys": [key_of(it) for it in request.given.contextual]},
        "context": dict(request.given.context),
    }
    status, answer = peer.post(f"{store}/list-objects", body)
    wanted = ListObjectsRequest(user=request.user, relation=request.relation, type=kind, given=request.given)
    mine = Lists(graph).objects(wanted, LIST_BOUNDS)
    if status == 200 and mine.complete:
        assert sorted(answer["objects"]) == list(mine.items), request


def users_are_the_same(peer: Peer, store: str, graph: Graph, request: CheckRequest) -> None:
    kind, _, ident = request.object.partition(":")
    body = {
        "object": {"type": kind, "id": ident},
        "relation": request.relation,
        "user_filters": [{"type": "user"}],
        "contextual_tuples": [key_of(it) for it in request.given.contextual],
        "context": dict(request.given.context),
    }
    status, answer = peer.post(f"{store}/list-users", body)
    wanted = ListUsersRequest(
        object=request.object, relation=request.relation, user_type="user", given=request.given
    )
    mine = Lists(graph).users(wanted, LIST_BOUNDS)
    if status == 200 and mine.complete:
        theirs = [f"user:{it['object']['id']}" if "object" in it else "user:*" for it in answer["users"]]
        # Besides everyone, which of those that tuples name are listed depends on where they were met.
        everyone = {"user:*"} & {*theirs, *mine.items}
        assert everyone <= {*theirs} & {*mine.items}, request
        assert everyone or sorted(theirs) == list(mine.items), request


def trees_are_the_same(peer: Peer, store: str, graph: Graph, request: CheckRequest) -> None:
    key = {"relation": request.relation, "object": request.object}
    status, answer = peer.post(f"{store}/expand", {"tuple_key": key})
    mine = expand(graph, ExpandRequest(relation=request.relation, object=request.object))
    assert status == 200, answer
    assert in_order(answer["tree"]["root"]) == in_order(tree_json(mine)), request


def in_order(tree: Any) -> Any:
    """Users and usersets of a leaf have no order."""
    if isinstance(tree, dict):
        return {name: in_order(value) for name, value in tree.items()}
    if isinstance(tree, list) and all(isinstance(it, str) or "userset" in it for it in tree):
        return sorted(tree, key=str)
    return [in_order(it) for it in tree] if isinstance(tree, list) else tree


def test_what_is_refused_has_openfgas_code(peer: Peer) -> None:
    system = read_dsl(DRIVE)
    store = peer.store()
    assert peer.post(f"{store}/authorization-models", write_model(system.model))[0] == 201
    graph = Graph(Plan(system), Index.of())
    for user, relation, thing in REFUSED:
        status, theirs = peer.post(
            f"{store}/check", {"tuple_key": {"user": user, "relation": relation, "object": thing}}
        )
        with pytest.raises(RelationError) as ours:
            graph.check(CheckRequest(user=user, relation=relation, object=thing), Bounds())
        assert (status, theirs["code"]) == (ours.value.fga.status, ours.value.fga), theirs
        along = RelationTuple(user=user, relation=relation, object=thing)
        body = {
            "tuple_key": {"user": "user:a", "relation": "viewer", "object": "document:1"},
            "contextual_tuples": {"tuple_keys": [key_of(along)]},
        }
        status, theirs = peer.post(f"{store}/check", body)
        asked = CheckRequest(
            user="user:a", relation="viewer", object="document:1", given=Given(contextual=(along,))
        )
        with pytest.raises(RelationError) as ours:
            graph.check(asked, Bounds())
        assert status == ours.value.fga.status, theirs
        # Where the form is wrong OpenFGA refuses before it knows what the tuple is for.
        assert theirs["code"] in (ours.value.fga, "validation_error"), theirs
        assert not taken(peer, store, system, along)


REFUSED = [
    ("user:a", "viewer", "nope:1"),
    ("user:a", "nope", "document:1"),
    ("nope:a", "viewer", "document:1"),
    ("aa", "viewer", "document:1"),
    ("user:a", "viewer", "document"),
    ("user:a", "viewer", "document:*"),
    ("user:a", "vie wer", "document:1"),
    ("group:a#nope", "viewer", "document:1"),
]


def test_the_limit_of_hops_is_openfgas(peer: Peer) -> None:
    system = read_dsl(DRIVE)
    store = peer.store()
    assert peer.post(f"{store}/authorization-models", write_model(system.model))[0] == 201
    chain = [
        RelationTuple(user=f"folder:{n + 1}", relation="parent", object=f"folder:{n}") for n in range(30)
    ]
    chain.append(RelationTuple(user="user:z", relation="owner", object="folder:30"))
    assert all(taken(peer, store, system, found) for found in chain)
    graph = Graph(Plan(system), Index.of(chain))
    for start in range(3, 9):
        asked = CheckRequest(user="user:z", relation="viewer", object=f"folder:{start}")
        body = {"tuple_key": {"user": asked.user, "relation": asked.relation, "object": asked.object}}
        status, theirs = peer.post(f"{store}/check", body)
        mine = graph.check(asked, Bounds())
        assert (status == 200) == mine.complete, (start, theirs)
        assert mine.failure is None or theirs["code"] == mine.failure.fga
