"""The doors: size, time, shape; every refusal is one problem document with a code (RFC 9457)."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import httpx2
import msgspec
import pytest
from starlette.types import Message

from remit.kernel.errors import Conflict
from remit.platform.settings.options import HttpOptions
from remit.platform.settings.units import Bytes
from remit.platform.storage.engine import OpenStore
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.web.api import Api
from remit.surface.web.errors import Problem
from remit.surface.web.idempotency import Idempotency
from remit.surface.web.openapi import document
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, Replay
from remit.surface.web.paging import Page, PageQuery, page_of
from remit.surface.web.routes.meta import MetaRoutes

from remit.platform.telemetry.metrics import Metrics  # isort: skip
from support.clock import FixedClock
from support.surface import ISSUER, TENANT, OpenDoor, application, caller, client_of


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A thing to write."""

    text: str
    count: int = 0


class Seen:
    """Counts what reached the handler."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.fail: Exception | None = None

    def operations(self) -> list[Operation[Any, Any]]:
        common: dict[str, Any] = {"scopes": ("remit.write",), "query": Nothing, "answer": Note}
        return [
            Operation(
                name="writeNote", summary="Write", method=Method.POST, path="/notes",
                handler=self._write, body=Note, status=201, **common,
            ),
            Operation(
                name="writeSecret", summary="Write once", method=Method.POST, path="/secrets",
                handler=self._write, body=Note, replay=Replay.REFUSE, **common,
            ),
            Operation(
                name="listNotes", summary="List", method=Method.GET, path="/notes", scopes=("remit.read",),
                handler=self._list, body=Nothing, query=PageQuery, answer=Page[Note],
            ),
            Operation(
                name="getNote", summary="Get", method=Method.GET, path="/notes/{note}",
                scopes=("remit.read",),
                handler=self._get, body=Nothing, query=Nothing, answer=Note,
            ),
        ]  # fmt: skip

    async def _write(self, inbound: Inbound[Note, Nothing]) -> Note:
        if self.fail:
            raise self.fail
        self.notes.append(inbound.body)
        return Note(text=inbound.body.text, count=len(self.notes))

    async def _list(self, inbound: Inbound[Nothing, PageQuery]) -> Page[Note]:
        after = int(inbound.query.cursor or 0)
        found = [note for note in self.notes if note.count > after][: inbound.query.limit + 1]
        return page_of(found, limit=inbound.query.limit, key=lambda n: str(n.count), view=lambda n: n)

    async def _get(self, inbound: Inbound[Nothing, Nothing]) -> Note:
        return Note(text=inbound.path["note"])


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def uow(sqlite_store: OpenStore) -> SqlUnitOfWork:
    return SqlUnitOfWork(sqlite_store, tenant=TENANT)


@pytest.fixture
async def client(seen: Seen, uow: SqlUnitOfWork) -> AsyncIterator[httpx2.AsyncClient]:
    door = OpenDoor(ana=caller(), reader=caller("usr_r", roles="reader", scopes=("remit.read",)))
    api = Api(door=door, once=Idempotency(uow=uow), clock=FixedClock())
    operations = seen.operations()
    meta = MetaRoutes(
        probes=[],
        metrics=Metrics(),
        document=partial(document, operations, issuer=ISSUER),
        clock=FixedClock(),
    )
    options = HttpOptions(body_timeout=timedelta(milliseconds=200))
    app = application([*api.routes(operations), *meta.routes()], options=options)
    async with client_of(app) as opened:
        yield opened


def problem(response: httpx2.Response) -> Problem:
    assert response.headers["content-type"] == "application/problem+json"
    found = msgspec.json.decode(response.content, type=Problem)
    assert found.status == response.status_code
    assert found.code
    assert found.detail
    assert found.request_id == response.headers["remit-request-id"]
    assert found.type == f"/errors/{found.code}"
    return found


async def refused(client: httpx2.AsyncClient, method: str, path: str, **parts: Any) -> tuple[int, str]:
    response = await client.request(method, path, **parts)
    return response.status_code, problem(response).code


async def test_a_good_request_passes_and_carries_the_headers(client: httpx2.AsyncClient, seen: Seen) -> None:
    response = await client.post("/api/v1/notes", json={"text": "hello"})
    assert (response.status_code, response.json()) == (201, {"text": "hello", "count": 1})
    assert seen.notes == [Note(text="hello")]
    assert response.headers["content-security-policy"].startswith(
        "default-src 'none'; frame-ancestors 'none'"
    )
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in response.headers
    assert "server" not in response.headers


LIMIT = 1 << 20


@pytest.mark.attack("DS-01")
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"content": b'{"text":"' + b"x" * LIMIT + b'"}'}, (413, "body_too_large")),
        ({"content": b"x" * (10 << 20)}, (413, "body_too_large")),
        ({"json": {"text": "x"}, "headers": {"x-a": "h" * (32 << 10)}}, (431, "headers_too_large")),
        ({"json": {"text": "x"}, "params": {"q": "u" * (8 << 10)}}, (414, "url_too_long")),
    ],
)
async def test_what_is_too_large_is_refused_before_it_is_read(
    client: httpx2.AsyncClient, seen: Seen, parts: dict[str, Any], expected: tuple[int, str]
) -> None:
    headers = {"content-type": "application/json", **parts.get("headers", {})}
    answer = await refused(client, "POST", "/api/v1/notes", **{**parts, "headers": headers})
    assert answer == expected
    assert not seen.notes


@pytest.mark.promise("P13")
async def test_the_limits_hold_exactly_at_their_value(client: httpx2.AsyncClient, seen: Seen) -> None:
    frame = len(b'{"text":"","count":0}')
    text = "x" * (256 << 10)
    exact = (
        b'{"text":"' + text.encode() + b'"' + b" " * (LIMIT - frame - len(text) + len(b',"count":0')) + b"}"
    )
    assert len(exact) == LIMIT
    headers = {"content-type": "application/json"}
    assert (await client.post("/api/v1/notes", content=exact, headers=headers)).status_code == 201
    one_more = exact[:-1] + b" }"
    assert (await client.post("/api/v1/notes", content=one_more, headers=headers)).status_code == 413
    assert len(seen.notes) == 1


@pytest.mark.attack("DS-01")
async def test_a_body_that_was_not_announced_is_counted_as_it_comes(
    client: httpx2.AsyncClient, seen: Seen
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * (64 << 10)

    headers = {"content-type": "application/json"}
    response = await client.post("/api/v1/notes", content=chunks(), headers=headers)
    assert problem(response).code == "body_too_large"
    assert not seen.notes


@pytest.mark.twin("DS-01")
async def test_without_the_limit_the_large_body_is_read(seen: Seen, uow: SqlUnitOfWork) -> None:
    api = Api(door=OpenDoor(), once=Idempotency(uow=uow), clock=FixedClock())
    app = application(api.routes(seen.operations()), options=HttpOptions(max_body=Bytes(16 << 20)))
    big = b'{"text":"' + b"x" * 1000 + b'"' + b" " * (2 << 20) + b"}"
    async with client_of(app) as client:
        response = await client.post(
            "/api/v1/notes", content=big, headers={"content-type": "application/json"}
        )
    # The door lets it pass; the strict reader behind it has a limit of its own.
    assert problem(response).code == "json_too_large"


@pytest.mark.attack("DS-02", "DS-04")
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"[" * 100_000, "json_too_large"),
        (b'{"a":' * 100_000, "json_too_large"),
        (b"{" + b",".join(b'"%d":1' % n for n in range(50_000)) + b"}", "json_too_large"),
        (b'{"text":"a","text":"b"}', "malformed_json"),
        (b'{"text":"\\ud800"}', "malformed_json"),
        (b'{"text":"a","count":1e999}', "malformed_json"),
        (b'{"text":"a","count":9007199254740993}', "malformed_json"),
        (b'{"text":"a","count":NaN}', "malformed_json"),
        (b'{"text":"a"} trailing', "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        (b"", "malformed_json"),
        (b"[]", "malformed_json"),
        (b"null", "malformed_json"),
        (b'{"text":1}', "invalid_body"),
        (b'{"text":null}', "invalid_body"),
        (b'{"text":"a","count":true}', "invalid_body"),
        (b'{"text":"a","count":"1"}', "invalid_body"),
        (b'{"text":"a","count":1.5}', "invalid_body"),
        (b'{"text":"a","other":1}', "invalid_body"),
        (b'{"text":"\\u0000"}', "invalid_body"),
        (b"{}", "invalid_body"),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_hostile_json_gets_a_clear_answer(
    client: httpx2.AsyncClient, seen: Seen, content: bytes, code: str
) -> None:
    headers = {"content-type": "application/json"}
    status, found = await refused(client, "POST", "/api/v1/notes", content=content, headers=headers)
    assert found == code
    assert 400 <= status < 500
    assert not seen.notes


@pytest.mark.attack("DS-06")
async def test_nothing_is_ever_unpacked(client: httpx2.AsyncClient, seen: Seen) -> None:
    bomb = gzip.compress(b'{"text":"' + b"x" * (50 << 20) + b'"}')
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    answer = await refused(client, "POST", "/api/v1/notes", content=bomb, headers=headers)
    assert answer == (415, "content_encoding_unsupported")
    assert not seen.notes


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=latin1"]
)
async def test_only_json_is_read(client: httpx2.AsyncClient, media: str) -> None:
    answer = await refused(client, "POST", "/api/v1/notes", content=b"{}", headers={"content-type": media})
    assert answer == (415, "media_type_unsupported")


@pytest.mark.parametrize(
    "double",
    ["authorization", "content-type", "dpop", "idempotency-key", "remit-envelope", "content-length", "host"],
)
async def test_a_header_twice_is_refused(client: httpx2.AsyncClient, double: str) -> None:
    headers = [("content-type", "application/json"), (double, "1"), (double, "1")]
    app = client._transport.app  # type: ignore[attr-defined]  # the raw application: a client would fold them
    found: list[Message] = []

    async def send(message: Message) -> None:
        found.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/notes", "raw_path": b"/api/v1/notes",
        "query_string": b"", "headers": raw, "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    await app(scope, receive, send)
    assert found[0]["status"] == 400
    assert msgspec.json.decode(found[1]["body"], type=Problem).code == "ambiguous_request"


@pytest.mark.parametrize(
    "path", ["/api/v1/notes/a%2Fb", "/api/v1/notes/%00", "/api/v1//notes", "/api/v1/notes/..%5cb"]
)
async def test_a_path_with_two_readings_is_refused(client: httpx2.AsyncClient, path: str) -> None:
    assert await refused(client, "GET", path) == (400, "ambiguous_request")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=0", "invalid_query"),
        ("limit=201", "invalid_query"),
        ("limit=x", "invalid_query"),
        ("limit=1&limit=2", "ambiguous_request"),
        ("offset=5", "invalid_query"),
        ("cursor=%00", "invalid_query"),
        ("cursor=a%20b", "invalid_query"),
    ],
)
@pytest.mark.attack("DS-09")
async def test_a_query_is_read_strictly(client: httpx2.AsyncClient, query: str, expected: str) -> None:
    assert await refused(client, "GET", f"/api/v1/notes?{query}") == (400, expected)


async def test_lists_are_paged_by_key_without_gap_or_repeat(client: httpx2.AsyncClient, seen: Seen) -> None:
    seen.notes = [Note(text="n", count=n) for n in range(1, 501)]
    got, cursor = [], ""
    while True:
        page = (await client.get("/api/v1/notes", params={"limit": 200, "cursor": cursor})).json()
        got += [item["count"] for item in page["items"]]
        cursor = page.get("next", "")
        if not cursor:
            break
    assert got == list(range(1, 501))


async def test_unknown_addresses_and_methods_are_told_apart(client: httpx2.AsyncClient) -> None:
    assert await refused(client, "GET", "/nowhere") == (404, "no_such_address")
    response = await client.delete("/api/v1/notes")
    assert problem(response).code == "method_not_allowed"
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


async def test_who_is_not_known_or_may_not_is_refused(client: httpx2.AsyncClient, seen: Seen) -> None:
    nobody = await client.post("/api/v1/notes", json={"text": "x"}, headers={"authorization": ""})
    assert problem(nobody).code == "oauth_missing_token"
    assert nobody.headers["www-authenticate"].startswith('DPoP algs="')
    assert "error=" not in nobody.headers["www-authenticate"]
    assert "oauth-protected-resource/api" in nobody.headers["www-authenticate"]
    reader = await client.post("/api/v1/notes", json={"text": "x"}, headers={"authorization": "Test reader"})
    assert problem(reader).code == "insufficient_scope"
    assert reader.status_code == 403
    assert 'error="insufficient_scope"' in reader.headers["www-authenticate"]
    assert 'scope="remit.write"' in reader.headers["www-authenticate"]
    assert not seen.notes


@pytest.mark.attack("DS-05")
async def test_a_slow_body_is_cut_off(client: httpx2.AsyncClient, seen: Seen) -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(0.05)

    app = client._transport.app  # type: ignore[attr-defined]  # in-process clients send a body whole
    body = drip()
    found: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": await anext(body), "more_body": True}

    async def send(message: Message) -> None:
        found.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/notes", "raw_path": b"/api/v1/notes",
        "query_string": b"", "http_version": "1.1", "scheme": "http",
        "headers": [(b"content-type", b"application/json"), (b"authorization", b"Test ana")],
    }  # fmt: skip
    started = asyncio.get_running_loop().time()
    await app(scope, receive, send)
    assert asyncio.get_running_loop().time() - started < 1
    assert found[0]["status"] == 408
    assert not seen.notes


async def test_an_unexpected_failure_tells_nothing_but_its_id(client: httpx2.AsyncClient, seen: Seen) -> None:
    seen.fail = RuntimeError("password=hunter2 at /srv/secret.py")
    response = await client.post("/api/v1/notes", json={"text": "x"})
    found = problem(response)
    assert (found.status, found.code) == (500, "internal")
    assert "hunter2" not in response.text
    assert "secret.py" not in response.text


async def test_only_we_may_say_x_remit(client: httpx2.AsyncClient, seen: Seen, uow: SqlUnitOfWork) -> None:
    headers: list[str] = []

    class Listening(OpenDoor):
        async def admit(self, request: Any) -> Any:
            headers.extend(request.headers.keys())
            return await super().admit(request)

    api = Api(door=Listening(), once=Idempotency(uow=uow), clock=FixedClock())
    async with client_of(application(api.routes(seen.operations()))) as other:
        await other.get("/api/v1/notes", headers={"X-Remit-Principal": "usr_admin", "x-other": "1"})
    assert "x-other" in headers
    assert not [name for name in headers if name.startswith("x-remit")]


class TestIdempotency:
    """One key, one effect (security 2.2)."""

    async def test_a_repeat_gets_the_first_answer(self, client: httpx2.AsyncClient, seen: Seen) -> None:
        headers = {"idempotency-key": "k1"}
        first = await client.post("/api/v1/notes", json={"text": "a"}, headers=headers)
        again = await client.post("/api/v1/notes", json={"text": "a"}, headers=headers)
        assert (first.status_code, first.content) == (again.status_code, again.content)
        assert len(seen.notes) == 1

    async def test_the_same_key_for_something_else_is_refused(
        self, client: httpx2.AsyncClient, seen: Seen
    ) -> None:
        headers = {"idempotency-key": "k1"}
        await client.post("/api/v1/notes", json={"text": "a"}, headers=headers)
        other = await refused(client, "POST", "/api/v1/notes", json={"text": "b"}, headers=headers)
        elsewhere = await refused(client, "POST", "/api/v1/secrets", json={"text": "a"}, headers=headers)
        assert other == elsewhere == (422, "idempotency_mismatch")
        assert len(seen.notes) == 1

    async def test_many_at_once_have_one_effect(self, client: httpx2.AsyncClient, seen: Seen) -> None:
        headers = {"idempotency-key": "k1"}
        calls = [client.post("/api/v1/notes", json={"text": "a"}, headers=headers) for _ in range(32)]
        codes = {response.status_code for response in await asyncio.gather(*calls)}
        assert codes <= {201, 409}
        assert len(seen.notes) == 1

    async def test_a_refused_request_may_be_tried_again(self, client: httpx2.AsyncClient, seen: Seen) -> None:
        headers = {"idempotency-key": "k1"}
        seen.fail = Conflict("not now")
        assert (await client.post("/api/v1/notes", json={"text": "a"}, headers=headers)).status_code == 409
        seen.fail = None
        assert (await client.post("/api/v1/notes", json={"text": "a"}, headers=headers)).status_code == 201

    async def test_after_an_unknown_failure_nothing_runs_twice(
        self, client: httpx2.AsyncClient, seen: Seen
    ) -> None:
        headers = {"idempotency-key": "k1"}
        seen.fail = RuntimeError("died after the effect")
        assert (await client.post("/api/v1/notes", json={"text": "a"}, headers=headers)).status_code == 500
        seen.fail = None
        answer = await refused(client, "POST", "/api/v1/notes", json={"text": "a"}, headers=headers)
        assert answer == (409, "idempotency_pending")
        assert not seen.notes

    async def test_an_answer_that_holds_a_secret_is_not_kept(
        self, client: httpx2.AsyncClient, seen: Seen
    ) -> None:
        headers = {"idempotency-key": "k1"}
        assert (await client.post("/api/v1/secrets", json={"text": "a"}, headers=headers)).status_code == 200
        answer = await refused(client, "POST", "/api/v1/secrets", json={"text": "a"}, headers=headers)
        assert answer == (409, "already_done")
        assert len(seen.notes) == 1

    @pytest.mark.parametrize("key", ["", "x" * 129, "a\tb"])
    async def test_a_key_that_can_be_none_is_refused(self, client: httpx2.AsyncClient, key: str) -> None:
        answer = await refused(
            client, "POST", "/api/v1/notes", json={"text": "a"}, headers={"idempotency-key": key}
        )
        assert answer == (400, "bad_idempotency_key")


class TestMeta:
    """What anybody may ask."""

    async def test_without_any_probe_it_is_alive_and_not_ready(self, client: httpx2.AsyncClient) -> None:
        assert (await client.get("/healthz")).json() == {"alive": True, "now": "2026-05-15T12:00:00Z"}
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)

    async def test_the_document_says_exactly_what_is_served(self, client: httpx2.AsyncClient) -> None:
        found = (await client.get("/openapi.json")).json()
        assert found["openapi"] == "3.1.0"
        assert sorted(found["paths"]) == ["/api/v1/notes", "/api/v1/notes/{note}", "/api/v1/secrets"]
        body = found["paths"]["/api/v1/notes"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert body == {"$ref": "#/components/schemas/Note"}
        note = found["components"]["schemas"]["Note"]
        assert note["additionalProperties"] is False
        assert note["required"] == ["text"]
        limit = found["paths"]["/api/v1/notes"]["get"]["parameters"][0]
        assert limit["schema"]["maximum"] == 200

    async def test_a_code_is_explained(self, client: httpx2.AsyncClient) -> None:
        assert (await client.get("/errors/body_too_large")).json()["kind"] == "too_large"
        assert (await client.get("/errors/none")).status_code == 404

    async def test_figures_name_routes_and_never_paths(self, seen: Seen, uow: SqlUnitOfWork) -> None:
        metrics = Metrics()
        api = Api(door=OpenDoor(), once=Idempotency(uow=uow), clock=FixedClock())
        meta = MetaRoutes(probes=[], metrics=metrics, document=dict, clock=FixedClock())
        from remit.surface.web.app import build_app
        from support.jose import entropy_of

        app = build_app(
            [*api.routes(seen.operations()), *meta.routes()],
            options=HttpOptions(), issuer=ISSUER, metrics=metrics, entropy=entropy_of(1),
        )  # fmt: skip
        async with client_of(app) as client:
            await client.get("/api/v1/notes/secret-name")
            await client.get("/wp-admin.php")
            text = (await client.get("/metrics")).text
        assert 'method="GET",route="/api/v1/notes/{note}",status="200"' in text
        assert "secret-name" not in text
        assert "wp-admin" not in text
