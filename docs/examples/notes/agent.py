# ruff: noqa: INP001, T201 — a script that stands alone and answers on the terminal
"""One governed call: `python agent.py ISSUER KEY TASK REPOSITORY` prints the newest commit, or the denial.

KEY is the file that `remit apply` wrote for the agent, TASK what `remit task start -o json` printed.
"""

import asyncio
import json
import sys
from pathlib import Path

import httpx2
from mcp.types import TextContent

from remit_demo.agent import Agent
from remit_demo.keys import OwnKey


async def main(issuer: str, key: str, task: str, repository: str) -> None:
    """Call the tool as any MCP client would; token, proof and envelope ride in headers."""
    envelope = json.loads(Path(task).read_text(encoding="utf-8"))["envelope"]  # noqa: ASYNC240 — one file, once
    async with httpx2.AsyncClient(trust_env=False) as http:
        agent = Agent(name="notes-bot", key=OwnKey.read(Path(key)), issuer=issuer, http=http)
        async with agent.tools("notes", envelope=envelope) as client:
            result = await client.call_tool("git_log", {"repo_path": repository, "max_count": 1})
    denial = (result.meta or {}).get("dev.remit/denial")
    texts = [part.text for part in result.content if isinstance(part, TextContent)]
    print(json.dumps(denial, indent=2) if denial else "\n".join(texts))


asyncio.run(main(*sys.argv[1:]))
