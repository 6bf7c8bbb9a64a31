"""The inventory of 100,000 agents in a real browser: `PYTHONPATH=tests python -m bench.console [--tiny]`.

Interactive means: from the start of the navigation until the first agent stands in the table as a link, with
the search box ready. Pages and searches are timed in the page too, so door, policy and network are in them.
"""

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal
from remit.kernel.ids import PrincipalId, mint_id, system_entropy
from remit.kernel.tenancy import DEFAULT_TENANT
from support.browsers import browser
from support.composed import populated
from support.console import OpenConsole, console_of
from support.house import House

_BATCH: Final = 5_000
_START: Final = datetime(2026, 5, 1, tzinfo=UTC)
_ASKS: Final = """async (paths) => {
  const took = [];
  for (const path of paths) {
    const begun = performance.now();
    const answer = await fetch(path);
    await answer.json();
    if (!answer.ok) throw new Error(path + " " + answer.status);
    took.push(performance.now() - begun);
  }
  return took;
}"""


def _agent(number: int, owners: list[str], chance: random.Random) -> Principal:
    at = _START + timedelta(seconds=number)
    return Principal(
        id=PrincipalId(mint_id("agt", at=at, entropy=system_entropy)),
        tenant=DEFAULT_TENANT,
        kind=Kind.AGENT,
        name=f"{chance.choice(('mail', 'desk', 'calendar', 'billing'))}-{chance.randrange(10**9)}-{number}",
        state=chance.choice([State.ACTIVE] * 8 + [State.SUSPENDED, State.DRAFT]),
        owner=PrincipalId(chance.choice(owners)),
        purpose="books rooms for people who ask",
        environment=chance.choice(list(Environment)),
        created_at=at,
        changed_at=at + timedelta(seconds=chance.randrange(10**6)),
    )


async def _stock(house: House, count: int) -> None:
    owners = [house[name].id for name in ("admin", "user", "lead")]
    chance = random.Random(1)  # noqa: S311 — the same agents each time; nothing is kept secret by it
    for first in range(0, count, _BATCH):
        made = [_agent(number, owners, chance) for number in range(first, min(first + _BATCH, count))]

        def put(tx: Any, made: list[Principal] = made) -> None:
            for each in made:
                tx.principals.add(each)

        await house.work.commit(put)


async def _times(console: OpenConsole, paths: list[str]) -> list[float]:
    return [float(each) for each in await console.page.evaluate(_ASKS, paths)]


async def _repeated(count: int, act: Callable[[], Awaitable[object]]) -> list[float]:
    took = []
    for _ in range(count):
        begun = perf_counter()
        await act()
        took.append(1000 * (perf_counter() - begun))
    return took


def _said(took: list[float]) -> dict[str, float]:
    ordered = sorted(took)
    at = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {
        name: round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 1) for name, part in at.items()
    }


async def measure(*, tiny: bool) -> dict[str, Any]:
    """Milliseconds of each, with how often it was done."""
    count, often = (2_000, 3) if tiny else (100_000, 15)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            populated(Path(folder) / "data") as house,
            browser() as started,
            console_of(house, started) as console,
        ):
            await _stock(house, count)
            base = f"{console.home}/api/v1/inventory?limit=100"
            pages = [
                f"{base}&sort={sort}&backwards={back}"
                for sort in ("name", "changed", "entered")
                for back in ("true", "false")
            ]
            narrowed = [f"{base}&state={state}" for state in ("suspended", "draft", "retired")]
            sought = [f"{base}&text={text}" for text in ("99", "mail-1", "nothing-like-this")]
            found = [f"{console.home}/api/v1/search?q={text}" for text in ("mail-1", "billing", "nothing")]
            tally = [f"{console.home}/api/v1/inventory/tally"]
            return {
                "agents": count,
                "interactive": _said(
                    await _repeated(often, lambda: console.open("/inventory", "tbody tr td a"))
                ),
                "page": _said(await _times(console, pages * often)),
                "page_narrowed": _said(await _times(console, narrowed * often)),
                "page_sought": _said(await _times(console, sought * often)),
                "search": _said(await _times(console, found * often)),
                "tally": _said(await _times(console, tally * often)),
            }


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="show only that it runs")
    print(json.dumps(asyncio.run(measure(tiny=parser.parse_args().tiny)), indent=1))


if __name__ == "__main__":
    main()
