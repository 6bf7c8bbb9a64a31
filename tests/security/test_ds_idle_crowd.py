"""DS-05 at its size: ten thousand connections that rest, say nothing, or dribble, at one real process."""

import contextlib
import http.client
import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from remit.surface.cli.client import Client
from support.installation import Installation, installation

CROWD = 10_000
ROOM = 400
ASKED = 200
LONG = os.environ.get("REMIT_LONG") == "1"
EACH = 32 << 10
"""Bytes that one connection may cost the server; measured are 7.5 KiB."""
SETTINGS = f"""
[http]
max_connections = {CROWD + ROOM}
header_timeout = "120s"
idle_timeout = "120s"
"""
KINDS = {
    "rests": b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
    "silent": b"",
    "dribbles": b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ",
}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Installation]:
    wanted = CROWD + 2 * ROOM
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard not in {-1, resource.RLIM_INFINITY} and hard < wanted:
        pytest.fail(f"this machine allows {hard} open files, ten thousand connections need {wanted}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "settings.toml").write_text(SETTINGS)
    try:
        with installation(tmp_path) as running:
            yield running
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def answered(connection: socket.socket) -> int:
    """The status of the answer that comes, read whole."""
    reply = http.client.HTTPResponse(connection)
    reply.begin()
    reply.read()
    return reply.status


def crowd(here: Installation, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Open them all; those that rest have had their answer."""
    address = ("127.0.0.1", int(here.url.rpartition(":")[2]))
    made = []
    for number in range(CROWD):
        each = stack.enter_context(socket.create_connection(address, timeout=60))
        said = list(KINDS.values())[number % len(KINDS)]
        if said:
            each.sendall(said)
        if said.endswith(b"\r\n\r\n"):
            assert answered(each) == 200
        made.append(each)
    return made


def memory(here: Installation) -> int:
    """Bytes that the server holds."""
    ident = json.loads((here.data / "server.json").read_text())["pid"]
    lines = Path(f"/proc/{ident}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))


def slowest(here: Installation) -> float:
    """What 99 of 100 answers of the API take at most, in seconds, for a caller who proves each request."""
    took = []
    with Client.open(here.environment()) as operator:
        token = operator._fetch_token()
        target = f"{here.url}/api/v1/agents"
        with httpx2.Client(trust_env=False, timeout=60) as api:
            for _ in range(ASKED):
                proof = operator._prove("GET", target, token=token)
                began = time.perf_counter()
                answer = api.get(target, headers={"authorization": f"DPoP {token}", "dpop": proof})
                took.append(time.perf_counter() - began)
                assert answer.status_code == 200
    return sorted(took)[int(ASKED * 0.99)]


@pytest.mark.attack("DS-05")
@pytest.mark.promise("P13")
def test_ten_thousand_idle_connections_cost_little_and_hold_up_nobody(here: Installation) -> None:
    alone, before = slowest(here), memory(here)
    with contextlib.ExitStack() as stack:
        held = crowd(here, stack)
        among, each = slowest(here), (memory(here) - before) / CROWD
        print(
            f"p99 {alone * 1e3:.1f} ms alone, {among * 1e3:.1f} ms among {CROWD}; {each / 1024:.1f} KiB each"
        )
        assert each < EACH
        # All of them are still there: none was thrown out to make the room.
        for number in (0, CROWD // 2 // 3 * 3, CROWD - 1 - (CROWD - 1) % 3):
            held[number].sendall(KINDS["rests"])
            assert answered(held[number]) == 200
        if LONG:
            assert among < 2 * alone + 0.05
