"""Plugins: distributions of others that add facts, and what a rule is worth when one of them fails (R65)."""

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from remit.decision.answer.response import Effect, RemedyAction, Stage
from remit.decision.making.beforehand import Lookout
from remit.decision.plugin.contract import Asked, Offer, Schema, admitted, fact_of
from remit.decision.policy.admission import parse
from remit.decision.policy.errors import PolicyRefused
from remit.decision.policy.outside import facts_in
from remit.decision.service import DecisionService
from remit.decision.stages.pipeline import STEPS, Step
from remit.decision.stages.policy import policy_stage
from remit.platform.plugins.finding import installed, offers
from remit.platform.plugins.panel import PLACES, Panel
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.cli.doctor import _plugins
from support.deciding import Desk, desk, numbered

BOOK = "rooms.book"
POLICY = """
    @id("all") permit(principal, action, resource);
    @id("abroad") forbid(principal, action, resource)
    when { context.plugin has weather && context.plugin.weather.level > 3 };
"""
GUARDED = """
    @id("all") permit(principal, action, resource);
    @id("abroad") forbid(principal, action, resource)
    when { context.plugin has weather && context.plugin.weather > 3 };
"""
SOURCE = '''
from datetime import timedelta


class Weather:
    """How bad the weather is where a room is."""

    name = "weather"
    version = "2.1"
    schema = {"level": "long", "warnings": "strings"}
    budget = timedelta(milliseconds=500)

    def know(self, asked):
        level = 5 if asked.arguments.get("room") == "Room-404" else 1
        asked.arguments.clear()
        return {"level": level, "warnings": ["storm"]}


def broken():
    raise RuntimeError("not to be called")
'''


@pytest.fixture
def distribution(tmp_path: Path) -> Iterator[Path]:
    """A distribution as an installer leaves it: a module, and metadata with entry points."""
    (tmp_path / "weather_for_remit.py").write_text(SOURCE)
    about = tmp_path / "weather_for_remit-0.3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: weather-for-remit\nVersion: 0.3\n")
    (about / "entry_points.txt").write_text(
        "[remit.facts]\nweather = weather_for_remit:Weather\nstale = weather_for_remit:gone\n"
    )
    sys.path.insert(0, str(tmp_path))
    importlib.invalidate_caches()
    yield tmp_path
    sys.path.remove(str(tmp_path))
    sys.modules.pop("weather_for_remit", None)


@dataclass
class Scripted:
    """A plugin that does what a test wants."""

    says: Callable[[Asked], object]
    name: str = "weather"
    version: str = "1"
    schema: Schema = "long"
    budget: timedelta = timedelta(milliseconds=200)

    def know(self, asked: Asked, /) -> object:
        return self.says(asked)


def scripted(says: Callable[[Asked], object], **changes: object) -> Offer:
    return admitted(Scripted(says, **changes))  # type: ignore[arg-type]  # passed on as they are


async def deciding(uow: SqlUnitOfWork, *found: Offer, policy: str = GUARDED) -> Desk:
    return await desk(uow, policy=policy, lookout=Lookout(plugins=Panel(found)))


@pytest.mark.req("R65")
async def test_a_separate_distribution_adds_a_fact_that_decides(
    uow: SqlUnitOfWork, distribution: Path
) -> None:
    assert (distribution / "weather_for_remit.py").exists()
    found = {each.entry: each for each in installed()}
    assert found["weather"].distribution == "weather-for-remit 0.3"
    assert "no attribute" in found["stale"].fault
    office = await deciding(uow, *offers(found.values()), policy=POLICY)
    calm, storm = [
        await office.service.decide(numbered(BOOK, number, arguments={"room": room}))
        for number, room in enumerate(("Room-401", "Room-404"))
    ]
    assert (calm.verdict.effect, storm.verdict.effect) == (Effect.PERMIT, Effect.DENY)
    assert storm.verdict.reasons[0].rule == "abroad"
    told = (await office.service.why(storm.id)).explanation.facts
    assert told == (("weather", '{"level":5,"warnings":["storm"]}'),)


def test_doctor_lists_what_is_installed_and_what_is_wrong_with_it(distribution: Path) -> None:
    assert distribution.exists()
    lines = {each.step: each for each in _plugins()}
    assert lines["plugin weather"].ok
    assert "context.plugin.weather 2.1, 500 ms" in lines["plugin weather"].detail
    assert not lines["plugin stale"].ok
    assert lines["plugin stale"].fix


def _raise(_asked: Asked) -> object:
    raise RuntimeError("secret detail")


FAILURES: dict[str, tuple[Callable[[Asked], object], str]] = {
    "exception": (_raise, "it failed with RuntimeError"),
    "exit": (lambda _asked: sys.exit(1), "it failed with"),
    "timeout": (lambda _asked: threading.Event().wait(5), "it took longer than 200 ms"),
    "type": (lambda _asked: "3", "it is no long"),
    "truth": (lambda _asked: True, "it is no long"),
    "nothing": (lambda _asked: None, "it is no long"),
    "too large": (lambda _asked: 1 << 63, "it is no long"),
}


@pytest.mark.req("R65")
@pytest.mark.parametrize("how", FAILURES)
async def test_a_plugin_that_fails_denies_the_rules_that_look_at_it(uow: SqlUnitOfWork, how: str) -> None:
    says, why = FAILURES[how]
    office = await deciding(uow, scripted(says), policy=GUARDED)
    made = await office.service.decide(numbered(BOOK, 1))
    said = made.verdict.reasons[0]
    assert (made.verdict.effect, said.code, said.rule) == (Effect.DENY, "fact_missing", "abroad")
    assert "`weather`" in said.sentence
    assert why in said.sentence
    assert "secret detail" not in said.sentence
    assert made.verdict.remedy is not None
    assert made.verdict.remedy.action is RemedyAction.CONTACT_OWNER


async def test_a_plugin_that_is_gone_denies_and_calls_that_no_such_rule_is_about_go_on(
    uow: SqlUnitOfWork,
) -> None:
    policy = """
        @id("all") permit(principal, action, resource);
        @id("abroad") forbid(principal, action == Remit::Action::"business/rooms.book", resource)
        when { context.plugin.weather > 3 };
    """
    office = await deciding(uow, scripted(lambda _asked: 1), policy=policy)
    gone = DecisionService(
        uow=uow, snapshots=office.keeper, capabilities=office.minter, entropy=lambda count: b"0" * count,
        node="nod_gone", lookout=Lookout(plugins=Panel(())),
    )  # fmt: skip
    booked, listed = [await gone.explain(numbered(name, 1)) for name in (BOOK, "rooms.read")]
    assert booked.verdict.reasons[0].sentence.endswith("no such plugin is installed")
    assert listed.verdict.effect is Effect.PERMIT


async def test_without_the_check_a_guard_lets_pass_what_nobody_knows(uow: SqlUnitOfWork) -> None:
    """The defence removed: the bundle does not know what its rules look at."""
    calm = scripted(lambda _asked: True, name="calm", schema="bool")
    policy = GUARDED + '@id("calm") forbid(principal, action, resource) unless { context.plugin.calm };'
    office = await deciding(uow, scripted(_raise), calm, policy=policy)
    assert (await office.service.explain(numbered(BOOK, 1))).verdict.effect is Effect.DENY

    def careless(request, snapshot):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 — a stage
        from dataclasses import replace

        return policy_stage(request, replace(snapshot, bundle=replace(snapshot.bundle, looks={})))

    careless_step = Step(stage=Stage.POLICY, judge=careless)
    steps = tuple(careless_step if each.stage is Stage.POLICY else each for each in STEPS)
    service = DecisionService(
        uow=uow, snapshots=office.keeper, capabilities=office.minter, entropy=lambda count: b"0" * count,
        node="nod_careless", steps=steps, lookout=Lookout(plugins=Panel([scripted(_raise), calm])),
    )  # fmt: skip
    assert (await service.explain(numbered(BOOK, 1))).verdict.effect is Effect.PERMIT


async def test_a_hanging_plugin_holds_up_so_many_calls_and_no_more(uow: SqlUnitOfWork) -> None:
    release = threading.Event()
    offer = scripted(lambda _asked: release.wait(30) and 1, budget=timedelta(milliseconds=20))
    panel = Panel([offer])
    office = await desk(uow, policy=GUARDED, lookout=Lookout(plugins=panel))
    found = [await office.service.explain(numbered(BOOK, 1)) for _ in range(PLACES + 1)]
    told = [each.verdict.reasons[0].sentence for each in found]
    assert all("took longer than 20 ms" in each for each in told[:PLACES])
    assert f"busy with {PLACES}" in told[-1]
    release.set()


@pytest.mark.req("R65")
@pytest.mark.parametrize(
    "condition", ["context.plugin.weathre > 3", 'context.plugin.weather == "3"', "context.plugin has wether"]
)  # fmt: skip
async def test_what_no_plugin_declares_is_refused_when_it_is_published(
    uow: SqlUnitOfWork, condition: str
) -> None:
    office = await deciding(uow, scripted(lambda _asked: 1))
    with pytest.raises(PolicyRefused):
        await office.publish(f'@id("all") permit(principal, action, resource) when {{ {condition} }};')


def test_every_way_to_look_at_a_fact_is_seen() -> None:
    ways = {
        "context.plugin.a > 1": {"a"},
        "context.plugin.a.b && context.plugin has c": {"a", "c"},
        "context has plugin.d": {"d"},
        "context has plugin": {"*"},
        "context.plugin == {a: 1}": {"*"},
        "[context.plugin].contains({a: 1})": {"*"},
        'context.purpose == "plugin"': set[str](),
    }  # fmt: skip
    for text, names in ways.items():
        _, nodes = parse(f'@id("x") permit(principal, action, resource) when {{ {text} }};')
        assert facts_in(next(iter(nodes.values()))) == names, text


@pytest.mark.parametrize(
    "wrong",
    [{"name": "Weather"}, {"schema": "float"}, {"schema": {}}, {"budget": timedelta(seconds=3)}, {"name": 3}],
)
def test_what_is_no_plugin_is_refused(wrong: dict[str, object]) -> None:
    from remit.decision.plugin.contract import PluginInvalid

    with pytest.raises(PluginInvalid):
        scripted(lambda _asked: 1, **wrong)


def test_a_fact_is_what_was_declared() -> None:
    said, schema = {"a": {"x", "b"}, "c": True}, {"a": "strings", "c": "bool"}
    assert fact_of(said, schema) == {"a": ["b", "x"], "c": True}
