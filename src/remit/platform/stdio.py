"""Child processes that speak one JSON message per line: MCP servers over stdio (MC-23).

Started from an argument list, never by a shell; the environment holds what the operator registered and a
fixed `PATH`, nothing of ours; no file descriptor but the three standard ones is inherited.
"""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from remit.enforcement.mcp.exit import Child, ExitFailed

_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_LINE: Final = 16 << 20
_GRACE_SECONDS: Final = 2.0


class _Child:
    """One running child."""

    def __init__(self, process: Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise ExitFailed("child has no pipes", sent=False)
        self._process = process
        self._in = process.stdin
        self._out = process.stdout
        self._writing = asyncio.Lock()

    async def write(self, line: bytes) -> None:
        """Send a line; lines of different callers never mix."""
        if b"\n" in line or b"\r" in line:
            raise ExitFailed("message holds a line break", sent=False)
        async with self._writing:
            try:
                self._in.write(line + b"\n")
                await self._in.drain()
            except (ConnectionError, RuntimeError) as gone:
                raise ExitFailed("server has ended", sent=True) from gone

    async def read(self) -> bytes:
        """The next line; empty at the end."""
        try:
            while line := await self._out.readline():
                if text := line.strip():
                    return text
        except ValueError as long:
            raise ExitFailed(f"server sent a line over {_LINE} bytes", sent=True) from long
        return b""

    async def stop(self) -> None:
        """Close its input, then ask, then insist; the whole process group goes."""
        self._in.close()
        for ending in (None, signal.SIGTERM, signal.SIGKILL):
            if ending is not None:
                with contextlib.suppress(ProcessLookupError):  # It went by itself meanwhile.
                    os.killpg(self._process.pid, ending)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_SECONDS):
                    await self._process.wait()
                return


def _become(user: int) -> None:
    """Give up our groups and user, in the child; uvloop has no argument for it."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


class ChildProcesses:
    """Starts children in their own session, with their own user where we may choose one."""

    def __init__(
        self,
        *,
        directory: Path,
        user: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory
        self._user = user
        self._environment = dict(environment or {})

    async def spawn(self, argv: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> Child:
        """Start `argv`; its standard error is dropped, for it may hold what callers sent."""
        if not argv or any("\0" in word for word in argv):
            raise ExitFailed("server has no command that can be run", sent=False)
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                limit=_LINE,
                cwd=self._directory,
                env={"PATH": _PATH, "LANG": "C.UTF-8", **self._environment, **dict(environment)},
                start_new_session=True,
                close_fds=True,
                preexec_fn=None if self._user is None else partial(_become, self._user),
            )
        except (OSError, ValueError) as failed:
            raise ExitFailed("server's command can't be started", sent=False, debug=str(failed)) from failed
        return _Child(process)
