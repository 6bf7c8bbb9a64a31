"""A proxy before PostgreSQL that breaks a connection at a chosen moment."""

import asyncio
from enum import Enum
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from support.stores import ROLE


class Break(Enum):
    """What happens to the next COMMIT."""

    NEVER = "never"
    BEFORE = "the server never sees it"
    AFTER = "the server commits, its answer is lost"


class Proxy:
    """Listens on the loopback for a server that listens on a Unix socket."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432"
        self._database = parts.path
        self.next_commit = Break.NEVER
        self.broken = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://{ROLE}:@127.0.0.1:{port}{self._database}"

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_unix_connection(self._socket)
        answers = asyncio.ensure_future(self._pass_on(far, back))
        self._tasks.add(answers)
        answers.add_done_callback(self._tasks.discard)
        try:
            while data := await near.read(65536):
                fate = self.next_commit if b"COMMIT\0" in data else Break.NEVER
                if fate is not Break.NEVER:
                    self.next_commit = Break.NEVER
                    self.broken += 1
                    answers.cancel()
                if fate is not Break.BEFORE:
                    forth.write(data)
                    await forth.drain()
                if fate is Break.AFTER:
                    await far.read(1)  # it has answered: it has committed
                if fate is not Break.NEVER:
                    return
        except ConnectionError:
            return
        finally:
            back.transport.abort()
            forth.close()

    @staticmethod
    async def _pass_on(far: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            while data := await far.read(65536):
                back.write(data)
                await back.drain()
        except ConnectionError:
            return
        back.close()
