"""R63: goal hijack, delegated trust and injection between agents (OWASP ASI01, ASI03, ASI07), played whole.

Each attack ends in a denial or a question and reaches no tool; its benign neighbour passes; and in a house
that lacks the defence the same attack comes through, so that each scenario is known to bite.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from remit.kernel.canonical import JsonObject
from support.asi import Scene, scenarios, staged

RISKS = ("asi01_goal_hijack", "asi03_delegated_trust", "asi07_inter_agent")
TOLD = [pytest.param(told, id=f"{risk[:5]}-{told['name']}") for risk in RISKS for told in scenarios(risk)]
LEAST = 12
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Stages:
    """Houses by what they lack, opened when first asked for."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._open: dict[str, Scene] = {}

    async def without(self, defence: str) -> Scene:
        if defence not in self._open:
            place = self._folder / (defence or "whole")
            self._open[defence] = await self._stack.enter_async_context(staged(place, defence))
        return self._open[defence]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stages]:
    async with AsyncExitStack() as stack:
        yield Stages(tmp_path_factory.mktemp("asi"), stack)


@pytest.mark.parametrize("risk", RISKS)
async def test_there_are_enough_scenarios_and_no_two_are_called_alike(risk: str) -> None:
    names = [told["name"] for told in scenarios(risk)]
    assert len(names) == len(set(names)) >= LEAST


@pytest.mark.req("R63")
@pytest.mark.attack("MC-16")
@pytest.mark.parametrize("told", TOLD)
async def test_the_attack_ends_and_reaches_no_tool(stages: Stages, told: JsonObject) -> None:
    answer, ran = await (await stages.without("")).play(told)
    assert not ran, answer.body
    assert not answer.ran
    match told["ends"]:
        case "hidden":
            assert answer.code.startswith("Unknown tool"), answer.code
        case "refused":
            assert answer.status in {400, 401, 403}, answer.code
        case code:
            assert answer.code == code


@pytest.mark.req("R63")
@pytest.mark.parametrize("told", TOLD)
async def test_its_benign_neighbour_passes(stages: Stages, told: Any) -> None:
    answer, ran = await (await stages.without("")).play({**told, **told["neighbour"]})
    assert answer.ran, answer.code
    assert ran


@pytest.mark.twin("MC-16")
@pytest.mark.parametrize("told", TOLD)
async def test_without_the_defence_the_attack_comes_through(stages: Stages, told: Any) -> None:
    answer, ran = await (await stages.without(told.get("without", "watch"))).play(told)
    assert ran, answer.code
