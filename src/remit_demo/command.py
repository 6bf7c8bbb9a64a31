"""The command line, run as a person would: each command in a process of its own, with that person's key."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class CommandFailed(Exception):
    """A command ended with another exit code than the story needs."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a terminal: the data directory tells where the server is, the key who they are."""

    data: Path
    url: str
    key: Path | None = None

    async def run(self, *words: str, allowed: tuple[int, ...] = (0,)) -> Said:
        """Run `remit WORDS`; raises `CommandFailed` for an exit code that is not allowed."""
        environment = {**os.environ, "REMIT_DATA": str(self.data), "REMIT_URL": self.url}
        if self.key is not None:
            environment["REMIT_KEY"] = str(self.key)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "remit",
            *words,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        said = Said(process.returncode or 0, out.decode(), err.decode())
        if said.code not in allowed:
            raise CommandFailed(f"remit {' '.join(words)} ended with {said.code}: {_reason(said)}")
        return said

    async def ask(self, *words: str) -> Any:
        """Run a command and read its JSON."""
        return (await self.run(*words, "--output", "json")).json()


def _reason(said: Said) -> str:
    """The sentence that the command gave, without its own next step: the story names the one that helps."""
    lines = [line for line in (said.err or said.out).strip().splitlines() if not line.startswith("next: ")]
    return "\n".join(lines).removeprefix("error: ") or "it said nothing"
