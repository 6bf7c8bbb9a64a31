"""Every operation of a real server, with hostile input: a clear 4xx with a code, never a 500."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from remit.surface.cli.client import Client
from support.effort import rounds
from support.installation import Installation, installation

DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "list": b"[]",
    "empty": b"{}",
    "unknown": b'{"no_such_member":1}',
    "twice": b'{"name":"a","name":"b","reason":"x","reason":"y","text":"a","text":"b","jwk":{},"jwk":{}}',
    "deep": DEEP,
    "trailing": b"{} {}",
    "not utf-8": b'{"name":"\xff"}',
    "surrogate": b'{"name":"\\ud800"}',
    "nul": b'{"name":"a\\u0000b","reason":"a\\u0000b","text":"\\u0000"}',
    "large": b'{"name":"' + b"x" * (1 << 20) + b'"}',
    "infinity": b'{"version":1e999}',
}
WRONG: list[Any] = [None, True, -1, 1.5, "", "\u202e" * 5, "x" * 300, [], [[]], {}, {"$ref": "#"}, 1 << 60]
SPREAD = rounds(3, long=1)


class Prober:
    """An administrator who sends bytes."""

    def __init__(self, url: str, client: Client) -> None:
        self.client = client
        self.http = httpx2.Client(base_url=url, timeout=30, trust_env=False)
        self.token = client._fetch_token()

    def send(
        self, method: str, path: str, *, content: bytes | None = None, query: str = ""
    ) -> httpx2.Response:
        target = f"{self.http.base_url}".rstrip("/") + path
        headers = {"authorization": f"DPoP {self.token}"}
        headers["dpop"] = self.client._prove(method, target, token=self.token)
        if content is not None:
            headers["content-type"] = "application/json"
        return self.http.request(method, path + query, content=content, headers=headers)

    def refused(self, method: str, path: str, **parts: Any) -> tuple[int, str]:
        """Send, and demand a clear answer."""
        answer = self.send(method, path, **parts)
        where = (method, path, parts, answer.text[:300])
        assert answer.status_code < 500, where
        if answer.status_code < 400:
            return answer.status_code, ""
        assert answer.headers["content-type"] == "application/problem+json", where
        told = answer.json()
        assert told["code"], where
        assert told["detail"], where
        assert told["status"] == answer.status_code, where
        return answer.status_code, told["code"]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(tmp_path_factory.mktemp("installation")) as running:
        yield running


@pytest.fixture(scope="module")
def prober(here: Installation) -> Iterator[Prober]:
    with Client.open(here.environment()) as client:
        yield Prober(here.url, client)


@pytest.fixture(scope="module")
def operations(here: Installation) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path with names that are not there, and the entry of the document."""
    document = httpx2.get(f"{here.url}/openapi.json", trust_env=False).json()
    schemas = document["components"]["schemas"]
    found = []
    for path, methods in document["paths"].items():
        for method, entry in methods.items():
            parts = {part["name"]: "nothing-here" for part in entry["parameters"] if part["in"] == "path"}
            content = entry.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
            found.append((method.upper(), path.format(**parts), {**entry, "body": schemas.get(name)}))
    return found


@pytest.mark.attack("DS-02", "DS-04")
@pytest.mark.parametrize("name", BODIES)
def test_no_body_of_any_shape_breaks_any_operation(
    prober: Prober, operations: list[tuple[str, str, dict[str, Any]]], name: str
) -> None:
    for method, path, entry in operations:
        if entry["body"] is None:
            continue
        status, code = prober.refused(method, path, content=BODIES[name])
        assert 400 <= status < 500, (method, path, name, status)
        assert code


def test_no_wrong_type_in_any_member_breaks_any_operation(
    prober: Prober, operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    import json

    # Not each wrong value in each member: the next member gets the next ones.
    turn = itertools.count()
    for method, path, entry in operations:
        for member in (entry["body"] or {}).get("properties", {}):
            whole = dict.fromkeys(entry["body"].get("required", []), "x")
            for wrong in itertools.islice(WRONG, next(turn) % SPREAD, None, SPREAD):
                prober.refused(method, path, content=json.dumps({**whole, member: wrong}).encode())


@pytest.mark.attack("DS-09")
def test_no_query_or_path_breaks_any_operation(
    prober: Prober, operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    for method, path, entry in operations:
        if method != "GET":
            continue
        for query in (
            "?nothing=1",
            "?limit=0",
            "?limit=99999999999999999999",
            "?cursor=%00",
            "?limit=1&limit=2",
        ):
            status, _ = prober.refused(method, path, query=query)
            assert status >= 400, (path, query)
        if any(part["in"] == "path" for part in entry["parameters"]):
            for odd in ("%E2%80%AE", "a%00b", "x" * 200, "..%2f..", "%ff", "'--", "*"):
                status, _ = prober.refused(method, path.replace("nothing-here", odd))
                assert 400 <= status < 500, (path, odd)


def test_without_a_token_every_operation_challenges(
    here: Installation, operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    with httpx2.Client(base_url=here.url, trust_env=False) as nobody:
        for method, path, _ in operations:
            answer = nobody.request(method, path)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"].startswith("DPoP ")
            assert answer.json()["code"] == "oauth_missing_token"


@pytest.mark.attack("DP-01", "DP-02", "DP-03")
def test_a_proof_is_good_once_and_for_one_request(prober: Prober) -> None:
    target = f"{prober.http.base_url}".rstrip("/") + "/api/v1/keys"
    proof = prober.client._prove("GET", target, token=prober.token)
    headers = {"authorization": f"DPoP {prober.token}", "dpop": proof}
    assert prober.http.get("/api/v1/keys", headers=headers).status_code == 200
    assert prober.http.get("/api/v1/keys", headers=headers).status_code == 401
    elsewhere = {**headers, "dpop": prober.client._prove("GET", target, token=prober.token)}
    assert prober.http.get("/api/v1/agents", headers=elsewhere).status_code == 401
    assert (
        prober.http.get("/api/v1/keys", headers={"authorization": f"Bearer {prober.token}"}).status_code
        == 401
    )


def test_after_all_that_nothing_is_there_and_all_is_well(here: Installation) -> None:
    assert here.remit("agent", "list", "-o", "json").json()["items"] == []
    assert here.remit("doctor").code == 0
    log = Path(here.folder / "server.log").read_text(encoding="utf-8")
    assert "surface.request.failed" not in log
    assert os.environ.get("REMIT_DATA") is None
