"""The business sample as the server behind every gateway, and what it says about its tools."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from bench.children import Child, child, free_port, python
from mcp import Client

from remit_demo.business.server import build
from remit_demo.business.store import Store


@contextmanager
def business(folder: Path) -> Iterator[Child]:
    """Start it open: the same server for every peer, whoever stands before it."""
    port = free_port()
    words = python("-m", "remit_demo.business", "--port", str(port), "--unsafe-open")
    with child(words, port=port, log=folder / "business.log") as started:
        yield started


@cache
def _listed() -> list[dict[str, Any]]:
    async def ask() -> list[dict[str, Any]]:
        async with Client(build(Store(":memory:"))) as client:
            found = await client.list_tools()
        return [tool.model_dump(by_alias=True, exclude_unset=True, mode="json") for tool in found.tools]

    return asyncio.run(ask())


def listed() -> list[dict[str, Any]]:
    """Its tools, as its own list states them."""
    return _listed()
