"""The least that one process of Python can do and still answer durably: no authorization, a lower bound.

HTTP in and out, one signature verified, one made, one row in a commit that all waiting requests share
(WAL, synchronous=FULL). Nothing is checked or decided. What a stack costs beyond this is what its
authorization costs; no stack on the same server, libraries and cores can be quicker.
"""

import argparse
import asyncio
import base64
import json
import secrets
import sqlite3
from functools import lru_cache
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from nacl.signing import SigningKey

from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.jwk import PublicKey, parse_jwk

_ROW = "x" * 800
"""About what a stack keeps of one decision."""


@lru_cache(maxsize=64)
def _key(header: bytes) -> PublicKey:
    said = json.loads(base64.urlsafe_b64decode(header + b"=="))
    algorithm = Algorithm.ES256 if said["alg"] == "ES256" else Algorithm.ED25519
    return parse_jwk(said["jwk"], algorithm=algorithm)


class Rows:
    """Rows that wait for a commit together; a commit alone is written inline, others in a thread."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("CREATE TABLE decision (id INTEGER PRIMARY KEY, body TEXT)")
        self._waiting: list[asyncio.Future[None]] = []
        self._busy = False

    async def add(self) -> None:
        """Return once the row is durable."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append(done)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._write)
        await done

    def _write(self) -> None:
        told, self._waiting = self._waiting, []
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany("INSERT INTO decision (body) VALUES (?)", [(_ROW,)] * len(told))
        if len(told) == 1:
            self._database.execute("COMMIT")
            self._tell(told)
            return
        loop = asyncio.get_running_loop()
        commit = loop.run_in_executor(None, self._database.execute, "COMMIT")
        commit.add_done_callback(lambda _: self._tell(told))

    def _tell(self, told: list[asyncio.Future[None]]) -> None:
        for each in told:
            each.set_result(None)
        self._busy = bool(self._waiting)
        if self._busy:
            asyncio.get_running_loop().call_soon(self._write)


class Floor:
    """The application."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._signer = SigningKey(secrets.token_bytes(32))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        await receive()
        signed, _, signature = dict(scope["headers"])[b"dpop"].rpartition(b".")
        key = _key(signed.partition(b".")[0])
        if not key.verify(signed, base64.urlsafe_b64decode(signature + b"==")):
            raise ValueError("signature")
        token = base64.urlsafe_b64encode(self._signer.sign(_ROW[:500].encode())).decode()
        await self._rows.add()
        answer = json.dumps({"effect": "permit", "capability": token}, separators=(",", ":")).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


async def serve(folder: Path, port: int) -> None:
    """On the same server and loop as both stacks."""
    config = uvicorn.Config(
        Floor(Rows(folder / "floor.db")), host="127.0.0.1", port=port, log_level="warning", access_log=False,
        server_header=False, date_header=False, lifespan="off", http="httptools", proxy_headers=False,
    )  # fmt: skip
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(chosen.folder, chosen.port))
