"""R133 at the gateway: an argument that is an address is a way out. A real listener says what arrived."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.decision.stages.egress import egress_stage
from remit.decision.stages.pipeline import STEPS
from remit.identity.tool_service import Definition
from remit.identity.tools import ResourceMapping, ToolMapping
from support.composed import populated
from support.house import House
from support.upstreams import answer, scripted, tool

TEXT = {"type": "string"}
SCHEMA = {"type": "object", "properties": {"url": TEXT, "more": {}, "note": TEXT}}
SECRET = "4000-0000-0000-0028"
ALL = '@id("all") permit (principal, action, resource);'


@dataclass
class Recorder:
    """A listening server of somebody else; whoever reaches it has let something out."""

    port: int = 0
    bytes_: bytes = b""
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.bytes_ += await reader.read(4096)
        self.came.set()
        writer.close()


@asynccontextmanager
async def recorder() -> AsyncIterator[Recorder]:
    found = Recorder()
    server = await asyncio.start_server(found.take, "127.0.0.1", 0)
    async with server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


async def fetch(recorded: Recorder, url: str) -> None:
    """What a careless tool does: connect wherever it is told, as lenient clients read it (`inet_aton`)."""
    host = urlsplit(url).hostname or url
    _, writer = await asyncio.open_connection(host, recorded.port)
    writer.write(f"GET {urlsplit(url).path}?{urlsplit(url).query} HTTP/1.1\r\n\r\n".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await recorded.came.wait()


@dataclass
class Scene:
    """A house with a careless tool, and who listens outside."""

    house: House
    out: Recorder

    async def fetch(self, *, goal: str = "Read the page and note it", **arguments: Any) -> Any:
        bot = self.house["mail-bot"]
        started = await self.house.task("mail-bot", goal=goal)
        token = await self.house.exchange(bot, started.envelope, server="slow")
        return await self.house.call(bot, token, "fetch_page", arguments, server="slow")


@asynccontextmanager
async def scene(
    folder: Path,
    *hosts: str,
    make: Callable[[Ground], Services] = build,
    chosen: dict[str, str] | None = None,
) -> AsyncIterator[Scene]:
    async with recorder() as out:

        async def call(_: Any, send: Any, message: dict[str, Any]) -> None:
            arguments = message["params"]["arguments"]
            await fetch(out, str(arguments.get("url") or arguments["more"]["nested"][0]))
            told = {"resultType": "complete", "content": [{"type": "text", "text": "read"}]}
            await answer(send, message, told)

        listed = [tool("fetch_page", inputSchema=SCHEMA)]
        async with (
            populated(folder, make=make, chosen=chosen) as house,
            scripted(tools=listed, on_call=call) as up,
        ):
            mapping = ToolMapping(
                action="rooms.read",
                resource=ResourceMapping(type="Calendar", fixed="pages"),
                arguments=("/url", "/more", "/note"),
                hosts=hosts,
            )
            await house.server(
                "slow",
                up.url,
                [Definition(name="fetch_page", definition=listed[0], mapping=mapping, consequential=False)],
            )
            await house.policy(ALL)
            yield Scene(house, out)


def without_egress(ground: Ground) -> Services:
    """A twin: nobody looks where arguments lead."""
    services = build(ground)
    decisions: Any = services.decisions
    decisions._steps = tuple(step for step in STEPS if step.judge is not egress_stage)
    return services


SPELLED = (
    "http://127.0.0.1/?d={secret}", "http://127.1/?d={secret}", "http://2130706433/?d={secret}",
    "http://0x7f.0.0.1/?d={secret}", "http://localhost/?d={secret}", "http://evil.example@127.0.0.1/?d={secret}",
    "http://[::ffff:127.0.0.1]/?d={secret}", "//127.0.0.1/{secret}",
)  # fmt: skip


def _code(said: Any) -> str:
    return str(said.result["_meta"]["dev.remit/denial"]["code"])


@pytest.mark.req("R133")
async def test_no_spelling_of_a_private_address_lets_a_byte_out(tmp_path: Path) -> None:
    async with scene(tmp_path / "house") as here:
        for spelled in SPELLED:
            url = spelled.format(secret=SECRET)
            assert _code(await here.fetch(url=url)) == "egress_refused", url
            assert _code(await here.fetch(more={"nested": [url]})) == "egress_refused", url
        assert here.out.bytes_ == b""


@pytest.mark.req("R133")
async def test_a_tool_is_led_to_its_own_hosts_alone(tmp_path: Path) -> None:
    """Listed, so it is reached, private or not; everything else is not, and the answer says what would be."""
    async with scene(tmp_path / "house", "127.0.0.1", "*.company.com") as here:
        for away in (
            "https://evil.example/?d=1", "https://company.com.evil.example/", "https://company.com/",
            "https://a.company.com@evil.example/", "https://a.company.com\\@evil.example.org/", "http://127.0.0.2/",
            "file:///etc/passwd", "gopher://127.0.0.1/", "https://a.company.com https://evil.example/",
        ):  # fmt: skip
            assert _code(await here.fetch(url=away)) == "egress_refused", away
        denial = (await here.fetch(url="https://evil.example/")).result["_meta"]["dev.remit/denial"]
        assert denial["nearest_miss"][0]["one_of"] == ["127.0.0.1", "*.company.com"]
        assert here.out.bytes_ == b""
        assert (await here.fetch(url="http://127.0.0.1/page", note="https://evil.example is a text")).result
        assert here.out.bytes_.startswith(b"GET /page")


async def test_without_the_stage_the_same_call_reaches_the_listener(tmp_path: Path) -> None:
    async with scene(tmp_path / "house", make=without_egress) as here:
        await here.fetch(url=f"http://127.0.0.1/?d={SECRET}")
        assert SECRET.encode() in here.out.bytes_


@pytest.mark.req("R133", "N13")
async def test_a_get_to_a_new_host_with_what_was_read_is_a_question(tmp_path: Path) -> None:
    """Where provenance weighs: the host is allowed to the tool, but nobody who is believed named it."""
    async with scene(
        tmp_path / "house", "127.0.0.1", chosen={"gateway.provenance": "enforce", "gateway.hold": "1s"}
    ) as here:
        asked = await here.fetch(url=f"http://127.0.0.1/?d={SECRET}", goal="Summarize what there is")
        assert _code(asked) == "argument_untrusted"
        assert here.out.bytes_ == b""
        named = await here.fetch(url="http://127.0.0.1/page", goal="Summarize http://127.0.0.1/page")
        assert named.result.get("isError") is not True
        assert here.out.bytes_.startswith(b"GET /page")
