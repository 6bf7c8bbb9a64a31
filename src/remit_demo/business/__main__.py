"""`python -m remit_demo.business`: serve over HTTP, or over standard input and output with `--stdio`."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import anyio
import uvicorn
from mcp.server.stdio import stdio_server

from remit_demo.business.capability import CapabilityCheck, IssuerKeys, fetch_from
from remit_demo.business.guard import App, Guard, GuardedLines, HttpGuard
from remit_demo.business.server import build, mappings
from remit_demo.business.store import Store


def check_for(store: Store, *, issuer: str, audience: str, name: str) -> CapabilityCheck:
    """The check of capabilities that an issuer gives out for this server."""
    actions = {entry["tool"]: f"{name}/{entry['mapping']['action']}" for entry in mappings()}
    keys = IssuerKeys(fetch_from(issuer))
    return CapabilityCheck(store=store, keys=keys, issuer=issuer, audience=audience, actions=actions)


def http_app(store: Store, check: CapabilityCheck | None, *, show_journal: bool) -> App:
    """The ASGI application at `/mcp`."""
    app = build(store).streamable_http_app()
    return HttpGuard(app, Guard(store, check), store=store, show_journal=show_journal)


async def serve_pipes(store: Store, check: CapabilityCheck | None) -> None:
    """Serve one client over standard input and output."""
    server = build(store)._lowlevel_server  # noqa: SLF001 — the SDK runs its own streams only from here
    out = anyio.wrap_file(sys.stdout)

    async def refuse(line: str) -> None:
        await out.write(line)
        await out.flush()

    lines = GuardedLines(anyio.wrap_file(sys.stdin), Guard(store, check), refuse)
    async with stdio_server(lines, out) as (read, write):  # type: ignore[arg-type]  # iterated only
        await server.run(read, write, server.create_initialization_options())


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="remit_demo.business", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7481)
    parser.add_argument("--stdio", action="store_true", help="speak over standard input and output")
    parser.add_argument("--database", default=":memory:", help="SQLite file")
    parser.add_argument(
        "--name", default="business", help="name under which the gateway registered this server"
    )
    parser.add_argument(
        "--issuer", default="", help="whose capabilities are demanded, as http://127.0.0.1:7480"
    )
    parser.add_argument("--unsafe-open", action="store_true", help="serve calls without a capability")
    parser.add_argument("--journal", action="store_true", help="tell at /journal what came in")
    chosen = parser.parse_args(argv)
    if bool(chosen.issuer) == chosen.unsafe_open:
        parser.error("name the --issuer of capabilities, or say --unsafe-open")
    store = Store(chosen.database)
    audience = f"{chosen.issuer}/mcp/{chosen.name}"
    check = (
        check_for(store, issuer=chosen.issuer, audience=audience, name=chosen.name) if chosen.issuer else None
    )
    if chosen.stdio:
        asyncio.run(serve_pipes(store, check))
    else:
        app = http_app(store, check, show_journal=chosen.journal)
        uvicorn.run(app, host=chosen.host, port=chosen.port, log_level="warning")


if __name__ == "__main__":
    main()
