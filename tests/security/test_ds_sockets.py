"""DS-05, P13 at the sockets of a real process: connections and the three times, at the limit and past it."""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest

from remit.kernel.pace import LEAST, SPREAD
from remit.surface.cli.client import Client
from support.installation import Installation, installation

CONNECTIONS, HEADER, IDLE, BODY = 40, 0.8, 1.2, 1.0
SETTINGS = f"""
[http]
max_connections = {CONNECTIONS}
header_timeout = "{HEADER * 1000:.0f}ms"
idle_timeout = "{IDLE * 1000:.0f}ms"
body_timeout = "{BODY * 1000:.0f}ms"
"""
SLACK = 15.0
"""Seconds that a busy machine may be late; without a limit it would be for ever."""
PATIENCE = 60
ALIVE = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("sockets")
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / "settings.toml").write_text(SETTINGS)
    with installation(folder) as running:
        yield running


def connect(here: Installation) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", int(here.url.rpartition(":")[2])), timeout=PATIENCE)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def ask(connection: socket.socket, request: bytes = ALIVE) -> int:
    """The status of one request's answer, read whole; 0 if the other side has gone."""
    return answer(connection, request)[0]


def answer(connection: socket.socket, request: bytes = ALIVE) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Status, headers and body of one request's answer."""
    connection.sendall(request)
    reply = http.client.HTTPResponse(connection)
    try:
        reply.begin()
    except (http.client.BadStatusLine, ConnectionError):
        return 0, http.client.HTTPMessage(), b""
    body = reply.read()
    return reply.status, reply.headers, body


def gone_after(connection: socket.socket, *, since: float) -> float:
    """Seconds from then until the other side hangs up, whatever it says before."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(4096):
            pass
    return time.monotonic() - since


def in_half_of(limit: float, *, since: float) -> bool:
    """Wait for half of the limit; whether it is that time then, or this process was kept away too long."""
    time.sleep(max(0.0, since + limit / 2 - time.monotonic()))
    return time.monotonic() - since < 0.8 * limit


def until_in_time(attempt: Callable[[], bool]) -> None:
    """Try until it was this process's turn when it had to be; an attempt fails by itself if it was."""
    assert any(attempt() for _ in range(20)), "the machine never let this process run in time"


@pytest.mark.attack("DS-05")
@pytest.mark.promise("P13")
def test_as_many_connections_as_are_allowed_are_served_and_not_one_more(here: Installation) -> None:
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(here)) for _ in range(CONNECTIONS)]
        for connection in held[:-1]:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ")
        assert ask(held[-1]) == 200
        status, headers, body = answer(stack.enter_context(connect(here)))
        assert (status, headers["content-type"]) == (503, "application/problem+json")
        assert headers["connection"] == "close"
        assert LEAST <= int(headers["retry-after"]) <= LEAST + SPREAD
        assert json.loads(body)["code"] == "too_many_connections"
        assert str(CONNECTIONS) in json.loads(body)["detail"]
        held.pop().close()
        held_again = stack.enter_context(connect(here))
        assert ask(held_again) in {200, 503}
    with connect(here) as after:
        assert ask(after) == 200


@pytest.mark.attack("DS-05")
@pytest.mark.promise("P13")
def test_a_head_has_its_time_and_no_more(here: Installation) -> None:
    def attempt() -> bool:
        began = time.monotonic()
        with connect(here) as in_time, connect(here) as late, connect(here) as silent:
            for connection in (in_time, late):
                connection.sendall(ALIVE[:20])
            if not in_half_of(HEADER, since=began):
                return False
            assert ask(in_time, ALIVE[20:]) == 200
            assert HEADER <= gone_after(late, since=began) < HEADER + SLACK
            assert HEADER <= gone_after(silent, since=began) < HEADER + SLACK
        return True

    until_in_time(attempt)


@pytest.mark.attack("DS-05")
@pytest.mark.promise("P13")
def test_a_connection_rests_its_time_and_no_more(here: Installation) -> None:
    def attempt() -> bool:
        began = time.monotonic()
        with connect(here) as busy, connect(here) as idle:
            assert (ask(busy), ask(idle)) == (200, 200)
            if not in_half_of(IDLE, since=began):
                return False
            assert ask(busy) == 200
            assert IDLE <= gone_after(idle, since=began) < IDLE + SLACK
        return True

    until_in_time(attempt)


@pytest.mark.attack("DS-05")
@pytest.mark.promise("P13")
def test_a_body_has_its_time_and_no_more(here: Installation) -> None:
    """Every door that reads one; the same bytes in time are refused for what they say alone."""
    with Client.open(here.environment()) as operator:
        token = operator._fetch_token()
        doors = {
            "/token": "application/x-www-form-urlencoded",
            "/introspect": "application/x-www-form-urlencoded",
            "/revoke": "application/x-www-form-urlencoded",
            "/api/v1/users": "application/json",
        }
        for path, media in doors.items():
            proof = operator._prove("POST", here.url + path, token=token)
            head = (
                f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {media}\r\ncontent-length: 2\r\n"
                f"authorization: DPoP {token}\r\ndpop: {proof}\r\n\r\n"
            ).encode()
            with connect(here) as slow:
                began = time.monotonic()
                slow.sendall(head + b"{")
                reply = http.client.HTTPResponse(slow)
                reply.begin()
                assert reply.status == 408, path
                assert BODY <= time.monotonic() - began < BODY + SLACK, path


@pytest.mark.attack("DS-05")
@pytest.mark.promise("P13")
def test_slow_strangers_hold_nobody_up(here: Installation) -> None:
    """Waves of connections that dribble, far more than fit; whoever is honest gets through between them."""
    served = 0
    for _ in range(4):
        with contextlib.ExitStack() as stack:
            for _ in range(CONNECTIONS * 3):
                stranger = stack.enter_context(connect(here))
                with contextlib.suppress(ConnectionError):
                    stranger.sendall(b"GET / HT")
            deadline = time.monotonic() + HEADER + SLACK
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx2.TransportError):
                    if httpx2.get(f"{here.url}/healthz", trust_env=False).status_code == 200:
                        served += 1
                        break
    assert served == 4
    assert here.remit("doctor").code == 0
